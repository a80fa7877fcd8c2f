#include "optimizers/prompt_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace theta {
namespace {

/// How `frozen` may name a part of a predictor: of every one, of its own (`verdict.predict`), or of
/// all that a step has (`verdict`).
std::vector<std::string> ways_to_name(const Predictor& predictor, std::string_view part) {
  std::vector<std::string> ways{std::string(part)};
  for (auto end = predictor.name.size(); end < std::string::npos && end > 0;
       end = predictor.name.rfind('.', end - 1))
    ways.push_back(fmt::format("{}.{}", predictor.name.substr(0, end), part));
  return ways;
}

}  // namespace

std::size_t prompt_tokens(const Module& program, const LanguageModel& model) {
  std::size_t sum = 0;
  for (const auto* predictor : program.predictors()) {
    Request request;
    request.messages = {{"system", predictor->signature.instructions}};
    for (const auto& demo : predictor->demos) {
      Message shown{"user", ""};
      for (const auto& [name, value] : demo.fields)
        shown.content += name + ": " + to_text(value) + "\n";
      request.messages.push_back(std::move(shown));
    }
    sum += model.count_tokens(request).value_or(prompt_bytes(request) / kBytesPerToken);
  }
  return sum;
}

void PromptLimits::check(const Module& student) const {
  std::set<std::string> known;
  for (const auto* predictor : student.predictors())
    for (const char* part : {"instruction", "demos"})
      for (auto& way : ways_to_name(*predictor, part)) known.insert(std::move(way));
  for (const auto& part : frozen)
    if (!known.contains(part))
      throw UserError(fmt::format("the program has no `{}` to freeze", part));
}

bool PromptLimits::freezes(const Predictor& predictor, std::string_view part) const {
  const auto ways = ways_to_name(predictor, part);
  return std::ranges::find_first_of(frozen, ways) != frozen.end();
}

bool PromptLimits::admits(const Module& program, const LanguageModel& model) const {
  return max_prompt_tokens == 0 || prompt_tokens(program, model) <= max_prompt_tokens;
}

}  // namespace theta
