#include "optimizers/writer.hpp"

#include <algorithm>

#include "core/ascii.hpp"
#include "core/models/outage.hpp"
#include "core/models/thoughts.hpp"
#include "core/rng.hpp"
#include "modules/counts.hpp"
#include "modules/predict.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

std::string_view without_quotes(std::string_view text) {
  while (!text.empty() && text.front() == '"') text.remove_prefix(1);
  while (!text.empty() && text.back() == '"') text.remove_suffix(1);
  return text;
}

/// Whether a text is a line that says that an instruction follows.
bool announces(std::string_view text) {
  const std::string line = ascii::lower(text);
  return line.ends_with(':') && line.find('\n') == line.npos &&
         (line.find("instruction") != line.npos || line.find("prompt") != line.npos);
}

constexpr NamedCount<ProposalCounts> kCounts[] = {
    {"asked", &ProposalCounts::asked},
    {"failed", &ProposalCounts::failed},
    {"unparsable", &ProposalCounts::unparsable},
    {"cut", &ProposalCounts::cut},
    {"thoughts", &ProposalCounts::thoughts},
    {"fenced", &ProposalCounts::fenced},
    {"duplicate", &ProposalCounts::duplicate},
    {"copied", &ProposalCounts::copied},
    {"too_long", &ProposalCounts::too_long},
    {"longest_copy_bytes", &ProposalCounts::longest_copy, true}};

}  // namespace

std::vector<Result<Prediction>> Writer::write(const Signature& signature,
                                              std::span<const Record> inputs) {
  const Predict predict(signature, {.own_adapter = options_.adapter},
                        {.max_tokens = options_.max_tokens});
  Call call = call_;
  call.rollout = derive_seed(seed_, calls_++);
  call.temperature = options_.temperature;
  return predict.run(inputs, call);
}

std::string Writer::write(const Signature& signature, const Record& input) {
  std::string reason;
  for (int i = 0; i < options_.attempts; ++i) {
    const auto written = write(signature, {&input, 1});
    if (written.at(0)) return written[0]->fields.text(signature.outputs.back().name);
    const auto& error = written[0].error();
    reason = error.fault == Fault::kService ? error.message : "";
  }
  if (!reason.empty()) throw Outage("the proposer did not answer: " + reason);
  return "";
}

ProposalCounts& ProposalCounts::operator+=(const ProposalCounts& other) {
  add(*this, other, kCounts);
  return *this;
}

std::vector<std::pair<std::string, std::int64_t>> ProposalCounts::list() const {
  return listed(*this, kCounts);
}

std::optional<std::string> Screen::take(const Result<Prediction>& answer, std::string_view field,
                                        std::span<const std::string> known, const Fits& fits) {
  ++counts_.asked;
  if (!answer && answer.error().fault == Fault::kService) {
    ++counts_.failed;
    reason_ = answer.error().message;
    return std::nullopt;
  }
  if (answer && answer->truncated) {
    ++counts_.cut;
    return std::nullopt;
  }
  // A marker that a model wrote opens no field of the prompt that its instruction stands in.
  std::string text =
      answer ? replace_all(cleaned(answer->fields.text(field)), "[[ ##", "[ [ ##") : "";
  const auto copy = static_cast<std::int64_t>(guard_.copied(text));
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    ++counts_.unparsable;
  else if (std::find(known.begin(), known.end(), text) != known.end())
    ++counts_.duplicate;
  else if (copy > 0)
    ++counts_.copied, counts_.longest_copy = std::max(counts_.longest_copy, copy);
  else if (fits && !fits(text))
    ++counts_.too_long;
  else
    return text;
  return std::nullopt;
}

std::string Screen::cleaned(std::string_view said) {
  const Told told = behind_thought(said);
  counts_.thoughts += told.thought;
  std::string text = clean_(told.answer);
  const auto inner = fenced_text(text);
  counts_.fenced += inner.has_value();
  return inner ? clean_(*inner) : text;
}

void Screen::check() const {
  if (counts_.asked > 0 && counts_.failed == counts_.asked)
    throw Outage("the proposer did not answer: " + reason_);
}

std::optional<std::string_view> fenced_text(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  text = strip(text);
  for (const char mark : {'`', '~'}) {
    const std::string fence(3, mark);
    const std::size_t at = text.find(fence);
    if (at == text.npos) continue;
    if (const std::string_view before = strip(text.substr(0, at));
        !before.empty() && !announces(before))
      continue;
    const std::size_t open = text.find_first_not_of(mark, at);
    if (open == text.npos) continue;
    std::string_view inner = text.substr(open);
    // One that is closed is closed at the end.
    const std::size_t close = inner.find(fence);
    if (close != inner.npos) {
      if (inner.find_first_not_of(mark, close) != inner.npos) continue;
      inner = inner.substr(0, close);
    }
    const std::size_t line = inner.find('\n');
    const std::string_view language = strip(inner.substr(0, line));
    if (line != inner.npos && language.find_first_of(kBlank) == language.npos)
      inner = inner.substr(line);
    return strip(inner);
  }
  return std::nullopt;
}

std::string strip_quotes(std::string_view text) { return std::string(strip(without_quotes(text))); }

std::string strip_prefix(std::string_view text) {
  const auto is_word = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalnum(byte) || byte >= 0x80 || c == '_' || c == '\'' || c == '-';
  };
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  const auto skip = [&](std::size_t at, const auto& kind) {
    while (at < text.size() && kind(text[at])) ++at;
    return at;
  };
  std::size_t at = skip(0, [&](char c) { return c == '*' || is_space(c); });
  for (int word = 0; word < 5; ++word) {
    const std::size_t end = skip(at, is_word);
    if (end == at) break;
    if (end < text.size() && text[end] == ':') {
      text.remove_prefix(skip(end + 1, is_space));
      break;
    }
    at = skip(end, is_space);
    if (at == end) break;
  }
  return std::string(without_quotes(text));
}

}  // namespace theta
