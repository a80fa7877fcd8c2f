#include "optimizers/format_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "optimizers/training_rows.hpp"

namespace theta {
namespace {

constexpr std::size_t kMostFormats = 1000;  // a surrogate's matrices grow with their square

/// The student's value, then the others.
template <typename T>
std::vector<T> values(const T& own, const std::vector<T>& tried) {
  std::vector<T> all{own};
  for (const T& value : tried)
    if (std::find(all.begin(), all.end(), value) == all.end()) all.push_back(value);
  return all;
}

/// The choices with one part set to each of its values in turn.
template <typename T, typename Set>
void spread(std::vector<FormatChoice>& choices, const std::vector<T>& values, const Set& set) {
  std::vector<FormatChoice> all;
  for (const T& value : values)
    for (const FormatChoice& choice : choices) set(all.emplace_back(choice), value);
  if (all.size() > kMostFormats)
    throw UserError("the space holds more than 1000 formats: leave some values out");
  choices = std::move(all);
}

bool has_options(const Field& field) { return !field.type.options().empty(); }

/// The choice without what has no effect, so that equal prompts are equal.
FormatChoice normal(FormatChoice choice, const Signature& signature) {
  Format& format = choice.format;
  const auto& outputs = signature.outputs;
  if (std::ranges::none_of(outputs, has_options)) format.list_options = true;
  const auto ordered = [](const Field& field) { return field.type.literals.size() > 1; };
  if (!format.list_options || std::ranges::none_of(outputs, ordered))
    format.label_order = LabelOrder::kDeclared;
  const bool generates =
      format.answering == Answering::kGenerate || outputs.size() > 1 || choice.reasoning;
  if (!generates) format.opening.clear();
  return choice;
}

/// The signature with or without the reasoning.
/// @throws UserError if it has a field of that name already.
Signature with_reasoning(const Signature& signature, bool reasoning) {
  if (reasoning == reasons(signature)) return signature;
  return reasoning ? chain_of_thought(signature) : without_reasoning(signature);
}

/// The signature as a choice asks it.   @throws UserError as with_reasoning().
Signature signature_of(const FormatChoice& choice, const Signature& own) {
  Signature signature = with_reasoning(own, choice.reasoning);
  if (choice.answers.empty()) return signature;
  Type& type = signature.outputs.back().type;
  type = {.kind = Type::Kind::kLiteral, .literals = {choice.answers.begin(), choice.answers.end()}};
  return signature;
}

bool can_be_asked(const FormatChoice& choice, const Signature& signature) {
  const Format& format = choice.format;
  if (format.calibration == Calibration::kTrain && format.calibrated_on.empty()) return false;
  // Written, they would have to begin as the format's opening does.
  if (!choice.answers.empty() && format.answering != Answering::kScore) return false;
  try {
    check_format(format, signature_of(choice, signature));
  } catch (const UserError&) {
    return false;
  }
  return true;
}

bool holds(const std::vector<Field>& fields, const std::string& name) {
  return std::ranges::find(fields, name, &Field::name) != fields.end();
}

/// Whether another step reads the reasoning of this one.
bool reasoning_is_read(const Module& student, std::size_t predictor) {
  const auto predictors = student.predictors();
  for (std::size_t p = 0; p < predictors.size(); ++p)
    if (p != predictor && holds(predictors[p]->signature.inputs, "reasoning")) return true;
  return false;
}

/// The training inputs of a step; none where another gives what it reads.
std::vector<Record> training_inputs(const Module& student, const Signature& signature,
                                    std::span<const Example> train, std::size_t most) {
  for (const Predictor* other : student.predictors())
    for (const Field& field : signature.inputs)
      if (holds(other->signature.outputs, field.name)) return {};
  return calibration_inputs(signature, train, most);
}

}  // namespace

FormatSpace FormatSpace::usual() {
  return {.adapters = {"chat", "terse"},
          .list_options = {true, false},
          .calibrations = {Calibration::kNone, Calibration::kTrain}};
}

std::vector<FormatChoice> format_choices(const Module& student, std::size_t predictor,
                                         const std::optional<FormatSpace>& given,
                                         std::span<const Example> train) {
  const Predictor& own = *student.predictors()[predictor];
  if (!own.format) return {{}};
  const Signature& signature = own.signature;
  const FormatSpace space =
      given ? *given
            : (has_options(signature.outputs.back()) ? FormatSpace::usual() : FormatSpace{});
  const Format& format = *own.format;
  std::vector<FormatChoice> all{{format, reasons(signature)}};
  if (!format.own_adapter) {
    spread(all, values(format.adapter, space.adapters),
           [](FormatChoice& c, const std::string& value) { c.format.adapter = value; });
    spread(all, values(format.list_options, space.list_options),
           [](FormatChoice& c, bool value) { c.format.list_options = value; });
    spread(all, values(format.instruction_place, space.instruction_places),
           [](FormatChoice& c, InstructionPlace value) { c.format.instruction_place = value; });
  }
  spread(all, values(format.label_order, space.label_orders),
         [](FormatChoice& c, LabelOrder value) { c.format.label_order = value; });
  spread(all, values(format.opening, space.openings),
         [](FormatChoice& c, const std::string& value) { c.format.opening = value; });
  spread(all, values(format.answering, space.answerings),
         [](FormatChoice& c, Answering value) { c.format.answering = value; });
  const auto inputs = training_inputs(student, signature, train, space.calibration_examples);
  spread(all, values(format.calibration, space.calibrations),
         [&](FormatChoice& c, Calibration value) {
           if (std::exchange(c.format.calibration, value) == value) return;
           c.format.calibrated_on = value == Calibration::kTrain ? inputs : std::vector<Record>();
         });
  if (!reasoning_is_read(student, predictor))
    spread(all, values(reasons(signature), space.reasoning),
           [](FormatChoice& c, bool value) { c.reasoning = value; });

  if (signature.outputs.back().type.kind == Type::Kind::kStr) {
    const auto answers = TrainingRows(train, signature).repeated_answers();
    spread(all, values(false, space.seen_answers), [&](FormatChoice& c, bool seen) {
      if (seen) c.answers = answers;
    });
  }

  std::vector<FormatChoice> choices, normals;
  for (const FormatChoice& choice : all) {
    if (!choices.empty() && !can_be_asked(choice, signature)) continue;
    const FormatChoice same = normal(choice, signature_of(choice, signature));
    if (std::ranges::find(normals, same) != normals.end()) continue;
    choices.push_back(choice);
    normals.push_back(same);
  }
  return choices;
}

void set_format(Predictor& predictor, const FormatChoice& choice) {
  predictor.signature = signature_of(choice, predictor.signature);
  predictor.format = choice.format;
}

PromptPart format_part(std::size_t predictor, std::vector<FormatChoice> choices) {
  std::vector<std::string> texts;
  for (const FormatChoice& choice : choices)
    texts.push_back(
        to_text(choice.format) + (choice.reasoning ? ", reasoning" : "") +
        (choice.answers.empty() ? "" : fmt::format(", one of {} answers", choice.answers.size())));
  return {"format", predictor, std::move(texts),
          [choices = std::move(choices)](Predictor& p, std::size_t choice) {
            if (p.format) set_format(p, choices.at(choice));
          }};
}

}  // namespace theta
