#include "experiments/data/pattern.hpp"

#include <fmt/format.h>
#include <unicode/regex.h>

#include <utility>

#include "core/result.hpp"

namespace theta {
namespace {

/// ICU's own unit of work, of about a millisecond: an expression that backtracks without end is
/// stopped.
constexpr int kMostWork = 2000;

}  // namespace

struct Pattern::Compiled {
  std::unique_ptr<icu::RegexPattern> pattern;
};

Pattern::Pattern(std::string expression) : text_(std::move(expression)) {
  UErrorCode error = U_ZERO_ERROR;
  UParseError place{};
  auto compiled = std::make_shared<Compiled>();
  compiled->pattern.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(text_),
                                                     UREGEX_MULTILINE, place, error));
  if (U_FAILURE(error) != 0)
    throw UserError(fmt::format("not a regular expression: {} at character {}", u_errorName(error),
                                place.offset));
  compiled_ = std::move(compiled);
}

std::optional<std::string> Pattern::first_match(const std::string& text) const {
  UErrorCode error = U_ZERO_ERROR;
  const icu::UnicodeString searched = icu::UnicodeString::fromUTF8(text);
  const std::unique_ptr<icu::RegexMatcher> matcher(compiled_->pattern->matcher(searched, error));
  matcher->setTimeLimit(kMostWork, error);
  const bool found = matcher->find(error) != 0;
  std::string out;
  if (found) matcher->group(matcher->groupCount() > 0 ? 1 : 0, error).toUTF8String(out);
  if (U_FAILURE(error) != 0)
    throw UserError(fmt::format("the expression `{}` takes too long", text_));
  return found ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace theta
