#include "experiments/runs/made_up.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/json_value.hpp"
#include "experiments/data/example_file.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// Some JSON of a type.
Json some_json(const Type& type, std::size_t number) {
  const auto inner = [&] { return type.of.empty() ? Json(number) : some_json(type.of[0], number); };
  switch (type.kind) {
    case Type::Kind::kList:
      return {inner(), inner()};
    case Type::Kind::kDict:
      return {{"one", inner()}, {"two", inner()}};
    case Type::Kind::kRecord: {
      Json out;
      for (std::size_t i = 0; i < type.members.size(); ++i)
        out[type.members[i]] = some_json(type.of[i], number);
      return out;
    }
    case Type::Kind::kUnion:
      return some_json(type.of[0], number);
    case Type::Kind::kNone:
      return nullptr;
    case Type::Kind::kBool:
      return number % 2 == 0;
    case Type::Kind::kLiteral:
      return json_of(type.literals[number % type.literals.size()]);
    case Type::Kind::kInt:
    case Type::Kind::kFloat:
      return number;
    default:
      return fmt::format("example {}", number);
  }
}

}  // namespace

Value made_up(const Type& type, std::size_t number) {
  if (const auto options = type.options(); !options.empty())
    return *type.cast(options[number % options.size()]);
  if (type.kind == Type::Kind::kStr) return fmt::format("example {}", number);
  if (type == parse_type("list[str]")) return std::vector<std::string>{"one", "two"};
  if (is_json(type)) return *type.cast_json(some_json(type, number));
  return *type.cast(std::to_string(number));
}

std::vector<Result<Prediction>> MadeUpOutputs::run(std::span<const Record> inputs,
                                                   const Call& call) const {
  auto predictions = step_->run(inputs, call);
  const Signature& signature = std::as_const(*step_).predictors().front()->signature;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    if (predictions[i] || predictions[i].error().fault != Fault::kPrompt) continue;
    Prediction made;
    made.usage = usage_of(predictions[i]);
    Step step;
    for (const Field& field : signature.inputs)
      step.inputs.set(field.name, inputs[i].at(field.name));
    for (const Field& field : signature.outputs)
      made.fields.set(field.name, made_up(field.type, i));
    step.outputs = made.fields;
    made.trace = {std::move(step)};
    predictions[i] = std::move(made);
  }
  return predictions;
}

}  // namespace theta
