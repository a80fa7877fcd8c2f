#include "modules/format.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "modules/adapter.hpp"

namespace theta {

void check_format(const Format& format, const Signature& signature) {
  // Of no input, so that only what it makes of the signature is looked at.
  (void)make_adapter(format)->format(signature, {}, std::span<const Record>());
  const Field& last = signature.outputs.at(signature.outputs.size() - 1);
  const bool scores = format.answering == Answering::kScore;
  if (scores && last.type.options().empty())
    throw UserError(
        fmt::format("the output `{}: {}` has no options to score; make it a Literal or a bool, or "
                    "let it be generated",
                    last.name, last.type.name()));
  if (format.calibration != Calibration::kNone && !scores)
    throw UserError("only scored outputs can be calibrated: set the answering to score");
  if (format.option_map &&
      (!scores || format.option_map->bias.size() != last.type.options().size()))
    throw UserError("an option map is of as many options as a scored output has");
}

Signature in_order(Signature signature, LabelOrder order) {
  if (order == LabelOrder::kReversed)
    for (Field& output : signature.outputs) std::ranges::reverse(output.type.literals);
  return signature;
}

std::vector<Record> calibration_inputs(const Signature& signature, std::span<const Example> train,
                                       std::size_t most) {
  std::vector<Record> all;
  for (const Example& example : train) {
    if (all.size() == most) break;
    Record inputs;
    for (const Field& field : signature.inputs)
      if (const Value* value = example.fields.find(field.name)) inputs.set(field.name, *value);
    if (inputs.size() == signature.inputs.size()) all.push_back(std::move(inputs));
  }
  return all;
}

std::string to_text(const Format& format) {
  std::string out = format.own_adapter ? format.own_adapter->name() : format.adapter;
  if (!format.list_options) out += ", options hidden";
  if (format.label_order == LabelOrder::kReversed) out += ", options reversed";
  if (format.instruction_place == InstructionPlace::kBehind)
    out += ", instruction behind the demos";
  if (format.instruction_place == InstructionPlace::kBoth)
    out += ", instruction before and behind the demos";
  if (!format.opening.empty()) out += fmt::format(", opening `{}`", format.opening);
  if (format.answering == Answering::kScore) out += ", scored";
  if (format.calibration == Calibration::kContentFree) out += ", calibrated without content";
  if (format.calibration == Calibration::kTrain)
    out += fmt::format(", calibrated on {} inputs", format.calibrated_on.size());
  if (format.option_map)
    out += fmt::format(", fitted to {} labelled rows", format.option_map->rows);
  return out;
}

}  // namespace theta
