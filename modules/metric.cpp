#include "modules/metric.hpp"

#include <fmt/format.h>
#include <unicode/uregex.h>
#include <unicode/utext.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/json_value.hpp"
#include "modules/text.hpp"
#include "modules/words.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;
using Texts = std::vector<std::string>;

double exact_match(const Texts& answer, const Texts& truth) { return answer == truth ? 1 : 0; }

double contains(const Texts& answer, const Texts& truth) {
  if (truth.empty()) return exact_match(answer, truth);
  return std::ranges::search(answer, truth).empty() ? 0 : 1;
}

/// Harmonic mean of the precision and recall of the words, each counted as often as it occurs.
double f1(const Texts& answer, const Texts& truth) {
  if (answer.empty() || truth.empty()) return exact_match(answer, truth);
  std::map<std::string, int> left;
  for (const std::string& word : truth) ++left[word];
  const auto common =
      std::ranges::count_if(answer, [&](const std::string& word) { return left[word]-- > 0; });
  return 2.0 * static_cast<double>(common) / static_cast<double>(answer.size() + truth.size());
}

using Compare = double (*)(const Texts& answer, const Texts& truth);

double of_texts(Compare compare, std::string_view answer, std::string_view truth) {
  const std::vector<Word> said = words_of(answer), right = words_of(truth);
  return compare(counted(said, right), counted(right, said));
}

/// A text in its words without articles; other JSON in one spelling, whatever the order of members.
std::string spelled(const Json& value) {
  if (value.is_string()) return join(counted(words_of(value.get<std::string>()), {}), " ");
  return nlohmann::json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What is compared of a value that is no text: the items of a list, or itself.
Texts parts_of(const Value& value) {
  const bool list = std::holds_alternative<Texts>(value);
  if (!list && !std::holds_alternative<JsonValue>(value)) return {to_text(value)};
  const Json json = json_of(value);
  if (!json.is_array()) return {json.is_object() ? spelled(json) : to_text(value)};
  Texts parts;
  for (const Json& item : json) parts.push_back(spelled(item));
  return parts;
}

/// The number that a value is, or that its text holds: a currency, commas between thousands and a
/// full stop are no part of it.
std::optional<double> number_of(const Value& value) {
  std::string digits;
  for (const char c : to_text(value))
    if ((c >= '0' && c <= '9') || std::string_view("+-.eE").find(c) != std::string_view::npos)
      digits += c;
    else if (!digits.empty() && c != ',' && c != '_')
      break;
  const std::size_t first = digits.find_first_of("-.0123456789");
  if (first == std::string::npos) return std::nullopt;
  double number = 0;
  const auto [end, error] =
      std::from_chars(digits.data() + first, digits.data() + digits.size(), number);
  return error == std::errc{} && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

/// A compiled regular expression. Searching keeps state in it: each search works on a clone.
class Regex {
 public:
  explicit Regex(const std::string& pattern) {
    UErrorCode code = U_ZERO_ERROR;
    UParseError where{};
    UText text = UTEXT_INITIALIZER;
    utext_openUTF8(&text, pattern.data(), static_cast<std::int64_t>(pattern.size()), &code);
    compiled_.reset(uregex_openUText(&text, UREGEX_MULTILINE, &where, &code));
    utext_close(&text);
    if (U_FAILURE(code))
      throw UserError(fmt::format("this regular expression cannot be read at column {}: {}",
                                  std::max(where.offset, 1), u_errorName(code)));
  }

  bool finds(const std::string& text) const {
    UErrorCode code = U_ZERO_ERROR;
    const std::unique_ptr<URegularExpression, Close> own(uregex_clone(compiled_.get(), &code));
    UText searched = UTEXT_INITIALIZER;
    utext_openUTF8(&searched, text.data(), static_cast<std::int64_t>(text.size()), &code);
    uregex_setUText(own.get(), &searched, &code);
    // A pattern such as (a+)+b would else take years on some texts.
    constexpr std::int32_t kMostSteps = 1000;
    uregex_setTimeLimit(own.get(), kMostSteps, &code);
    const bool found = uregex_find(own.get(), -1, &code) != 0;
    utext_close(&searched);
    if (U_FAILURE(code))
      throw RunError(fmt::format("a regular expression takes too long on `{}`: {}",
                                 shorten(text, 80), u_errorName(code)));
    return found;
  }

 private:
  struct Close {
    void operator()(URegularExpression* regex) const { uregex_close(regex); }
  };
  std::unique_ptr<URegularExpression, Close> compiled_;
};

bool same_member(const Json& answer, const Json& truth) {
  if (answer.is_string() && truth.is_string())
    return of_texts(exact_match, answer.get<std::string>(), truth.get<std::string>()) == 1;
  return spelled(answer) == spelled(truth);
}

Grade weighted(const std::vector<WeightedMetric>& parts, const std::vector<Grade>& grades) {
  double sum = 0, weights = 0;
  Texts words;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    sum += parts[i].weight * grades[i].score;
    weights += parts[i].weight;
    if (!grades[i].feedback.empty()) words.push_back(grades[i].feedback);
  }
  return {std::clamp(sum / weights, 0.0, 1.0), join(words, " ")};
}

}  // namespace

Grade BatchMetric::operator()(const Example& example, const Prediction& prediction) const {
  const Graded one{example, prediction};
  const auto grades = wave({&one, 1}, {});
  if (!grades.at(0)) throw RunError(grades[0].error().message);
  return *grades[0];
}

std::vector<Result<Grade>> grade(const Metric& metric, std::span<const Graded> wave,
                                 const std::stop_token& stop) {
  std::vector<Result<Grade>> grades;
  if (const auto* batch = metric.target<BatchMetric>())
    grades = batch->wave(wave, stop);
  else
    for (const auto& [example, prediction] : wave) grades.emplace_back(metric(example, prediction));
  require(grades.size() == wave.size(), "a metric grades every prediction");
  for (const auto& one : grades)
    require(!one || (one->score >= 0 && one->score <= 1), "a metric is in [0, 1]");
  return grades;
}

Metric make_metric(std::string_view name, Field field) {
  Compare compare = nullptr;
  if (name == "exact_match") compare = exact_match;
  if (name == "contains") compare = contains;
  if (name == "f1") compare = f1;
  if (compare == nullptr) {
    throw UserError("unknown metric '" + std::string(name) +
                    "'; there are exact_match, contains and f1");
  }
  return [compare, field = std::move(field)](const Example& example, const Prediction& prediction) {
    const Value& answer = prediction.fields.at(field.name);
    const Value& truth = example.fields.at(field.name);
    if (field.type.kind != Type::Kind::kStr) return compare(parts_of(answer), parts_of(truth));
    const std::string said = to_text(answer);
    double best = of_texts(compare, said, to_text(truth));
    if (const Value* accepted = example.accepted.find(field.name))
      for (const std::string& one : std::get<Texts>(*accepted))
        best = std::max(best, of_texts(compare, said, one));
    return best;
  };
}

Metric number_metric(Field field, double tolerance, bool relative) {
  return [=, field = std::move(field)](const Example& example, const Prediction& prediction) {
    const auto said = number_of(prediction.fields.at(field.name));
    const auto right = number_of(example.fields.at(field.name));
    if (!right)
      throw UserError(fmt::format("row {}: `{}` is no number, and the metric compares numbers",
                                  example.id, field.name));
    if (!said) return Grade(0, fmt::format("`{}` is no number.", field.name));
    const double off = std::abs(*said - *right);
    const double allowed = relative ? tolerance * std::abs(*right) : tolerance;
    // What is written in decimals is off by rounding alone.
    if (off <= allowed + 1e-12 * std::max(std::abs(*right), 1.0)) return Grade(1);
    return Grade(0, fmt::format("`{}` is off by {:.6g}.", field.name, off));
  };
}

Metric regex_metric(Field field, const std::string& pattern) {
  return [regex = std::make_shared<const Regex>(pattern), pattern, field = std::move(field)](
             const Example&, const Prediction& prediction) {
    if (regex->finds(field.type.text(prediction.fields.at(field.name)))) return Grade(1);
    return Grade(0, fmt::format("`{}` does not match the pattern {}.", field.name, pattern));
  };
}

Metric json_fields_metric(Field field, std::vector<std::string> members) {
  require(!members.empty(), "some members are compared");
  return [members = std::move(members), field = std::move(field)](const Example& example,
                                                                  const Prediction& prediction) {
    const Json answer = json_of(prediction.fields.at(field.name));
    const Json truth = json_of(example.fields.at(field.name));
    double right = 0;
    Texts words;
    for (const std::string& member : members) {
      const auto of = [&](const Json& object) {
        return object.is_object() ? object.value(member, Json()) : Json();
      };
      if (same_member(of(answer), of(truth)))
        ++right;
      else
        words.push_back(fmt::format("`{}` of `{}` is {}, and right is {}.", member, field.name,
                                    write_json(of(answer)), write_json(of(truth))));
    }
    return Grade(right / static_cast<double>(members.size()), join(words, " "));
  };
}

Metric weighted_metric(std::vector<WeightedMetric> parts) {
  require(!parts.empty(), "a mean is of something");
  return BatchMetric{
      [parts = std::move(parts)](std::span<const Graded> wave, const std::stop_token& stop) {
        std::vector<std::vector<Result<Grade>>> grades;
        for (const WeightedMetric& part : parts) grades.push_back(grade(part.metric, wave, stop));
        std::vector<Result<Grade>> out;
        for (std::size_t i = 0; i < wave.size(); ++i) {
          std::vector<Grade> of_parts;
          const Error* error = nullptr;
          for (const auto& of_part : grades) {
            if (!of_part[i])
              error = &of_part[i].error();
            else
              of_parts.push_back(*of_part[i]);
          }
          if (error != nullptr)
            out.emplace_back(*error);
          else
            out.emplace_back(weighted(parts, of_parts));
        }
        return out;
      }};
}

}  // namespace theta
