#include "modules/metric.hpp"

#include <algorithm>
#include <map>

#include "modules/text.hpp"

namespace theta {
namespace {

using Words = std::vector<std::string>;

/// The words of a text that SQuAD's evaluation compares.
Words words_of(std::string_view text) {
  constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  Words words(1);
  for (const char c : text) {
    if (kPunctuation.find(c) != std::string_view::npos) continue;
    if (kSpace.find(c) != std::string_view::npos) {
      words.emplace_back();
    } else {
      words.back() += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  std::erase_if(words, [](const std::string& word) {
    return word.empty() || word == "a" || word == "an" || word == "the";
  });
  return words;
}

/// What is compared of a value.
Words parts_of(const Value& value, const Type& type) {
  if (type.kind == Type::Kind::kStr) return words_of(to_text(value));
  const auto* items = std::get_if<Words>(&value);
  if (items == nullptr) return {to_text(value)};
  Words parts;
  for (const std::string& item : *items) parts.push_back(join(words_of(item), " "));
  return parts;
}

double exact_match(const Words& answer, const Words& truth) { return answer == truth ? 1 : 0; }

double contains(const Words& answer, const Words& truth) {
  if (truth.empty()) return exact_match(answer, truth);
  return std::ranges::search(answer, truth).empty() ? 0 : 1;
}

/// Harmonic mean of the precision and recall of the words, each counted as often as it occurs.
double f1(const Words& answer, const Words& truth) {
  if (answer.empty() || truth.empty()) return exact_match(answer, truth);
  std::map<std::string, int> left;
  for (const std::string& word : truth) ++left[word];
  const auto common =
      std::ranges::count_if(answer, [&](const std::string& word) { return left[word]-- > 0; });
  return 2.0 * static_cast<double>(common) / static_cast<double>(answer.size() + truth.size());
}

}  // namespace

Metric make_metric(std::string_view name, Field field) {
  double (*compare)(const Words&, const Words&) = nullptr;
  if (name == "exact_match") compare = exact_match;
  if (name == "contains") compare = contains;
  if (name == "f1") compare = f1;
  if (compare == nullptr) {
    throw UserError("unknown metric '" + std::string(name) +
                    "'; there are exact_match, contains and f1");
  }
  return [compare, field = std::move(field)](const Example& example, const Prediction& prediction) {
    const Words answer = parts_of(prediction.fields.at(field.name), field.type);
    const Value& truth = example.fields.at(field.name);
    const auto* several = std::get_if<Words>(&truth);
    if (several == nullptr || field.type.kind != Type::Kind::kStr)
      return compare(answer, parts_of(truth, field.type));
    double best = 0;
    for (const std::string& one : *several) best = std::max(best, compare(answer, words_of(one)));
    return best;
  };
}

}  // namespace theta
