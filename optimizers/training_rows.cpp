#include "optimizers/training_rows.hpp"

#include <algorithm>

#include "modules/nearest_demos.hpp"

namespace theta {

Record shown_fields(const Example& example, const Signature& signature) {
  Record fields;
  for (const auto& name : signature.names())
    if (const Value* value = example.fields.find(name)) fields.set(name, *value);
  return fields;
}

TrainingRows::TrainingRows(std::span<const Example> train, const Signature& signature) {
  const Field& answer = signature.outputs.back();
  for (const Example& example : train) {
    const bool whole = example.fields.find(answer.name) &&
                       std::ranges::all_of(signature.inputs, [&](const Field& field) {
                         return example.fields.find(field.name) != nullptr;
                       });
    if (!whole) continue;
    rows.push_back(&example);
    inputs.push_back(input_text(signature, example.fields));
    answers.push_back(to_text(*example.fields.find(answer.name)));
  }
}

std::vector<std::vector<std::size_t>> TrainingRows::by_label(
    std::span<const std::string> labels) const {
  std::vector<std::vector<std::size_t>> of(labels.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto at = std::ranges::find(labels, answers[i]);
    if (at != labels.end()) of[static_cast<std::size_t>(at - labels.begin())].push_back(i);
  }
  return of;
}

std::vector<std::string> TrainingRows::repeated_answers() const {
  std::vector<std::string> distinct = answers;
  std::ranges::sort(distinct);
  const auto others = std::ranges::unique(distinct);
  distinct.erase(others.begin(), others.end());
  const bool repeated = distinct.size() > 1 && 2 * distinct.size() <= answers.size();
  return repeated ? distinct : std::vector<std::string>{};
}

}  // namespace theta
