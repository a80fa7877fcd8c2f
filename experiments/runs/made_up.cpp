#include "experiments/runs/made_up.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json_value.hpp"
#include "core/rng.hpp"
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

class LenientAdapter final : public Adapter {
 public:
  LenientAdapter(std::shared_ptr<const Adapter> adapter, int tokens)
      : adapter_(std::move(adapter)), tokens_(tokens) {}

  std::string name() const override { return adapter_->name(); }
  std::vector<Messages> format(const Signature& signature, std::span<const Demo> demos,
                               std::span<const Record> inputs) const override {
    return adapter_->format(signature, demos, inputs);
  }
  std::string defused(const Signature& signature, std::string_view text) const override {
    return adapter_->defused(signature, text);
  }
  bool opens_field(const Signature& signature, std::string_view text) const override {
    return adapter_->opens_field(signature, text);
  }
  Result<Record> parse(const Signature& signature, std::string_view answer) const override {
    auto read = adapter_->parse(signature, answer);
    if (read) return read;
    const auto is_text = [](const Field& field) { return field.type.kind == Type::Kind::kStr; };
    const auto texts = static_cast<int>(std::ranges::count_if(signature.outputs, is_text));
    const std::size_t number = derive_seed(0, answer) % 1000;
    Record outputs;
    for (const Field& field : signature.outputs) {
      if (!is_text(field)) {
        outputs.set(field.name, made_up(field.type, number));
        continue;
      }
      std::string text = fmt::format("example {}", number);
      for (int i = 0; i < tokens_ / texts; ++i) text += kOneToken;
      outputs.set(field.name, std::move(text));
    }
    return outputs;
  }
  std::string answer_prefix(const Signature& signature, const Record& before,
                            std::size_t field) const override {
    return adapter_->answer_prefix(signature, before, field);
  }
  std::vector<std::string> options(const Signature& signature, std::size_t field) const override {
    return adapter_->options(signature, field);
  }
  std::string grammar(const Signature& signature, std::size_t count) const override {
    return adapter_->grammar(signature, count);
  }
  std::string schema(const Signature& signature, std::size_t count) const override {
    return adapter_->schema(signature, count);
  }
  std::vector<std::string> stop(const Signature& signature, std::size_t count) const override {
    return adapter_->stop(signature, count);
  }

 private:
  /// Of tokenizers, and kBytesPerToken long.
  static constexpr const char* kOneToken = " the";

  std::shared_ptr<const Adapter> adapter_;
  const int tokens_;
};

}  // namespace

std::shared_ptr<const Adapter> make_lenient_adapter(std::shared_ptr<const Adapter> adapter,
                                                    int tokens) {
  return std::make_shared<LenientAdapter>(std::move(adapter), tokens);
}

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
