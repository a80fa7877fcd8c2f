#include "modules/metric.hpp"

#include <algorithm>
#include <map>

#include "modules/text.hpp"
#include "modules/words.hpp"

namespace theta {
namespace {

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

/// What is compared of a value that is no text: its items, their words without articles, or itself.
Texts parts_of(const Value& value) {
  const auto* items = std::get_if<Texts>(&value);
  if (items == nullptr) return {to_text(value)};
  Texts parts;
  for (const std::string& item : *items) parts.push_back(join(counted(words_of(item), {}), " "));
  return parts;
}

}  // namespace

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

}  // namespace theta
