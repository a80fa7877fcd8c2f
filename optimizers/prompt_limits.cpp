#include "optimizers/prompt_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "modules/adapter.hpp"
#include "modules/text.hpp"

namespace theta {

bool is_called(const Predictor& predictor, std::string_view name) {
  return predictor.name == name || predictor.name.starts_with(fmt::format("{}.", name));
}

namespace {

constexpr std::array kParts = {"instruction", "demos", "format"};

/// Whether `frozen` has a part of a predictor in mind: `demos`, or `NAME.demos`.
bool names(const std::string& frozen, const Predictor& predictor, std::string_view part) {
  if (frozen == part) return true;
  const auto dot = frozen.rfind('.');
  return dot != std::string::npos && frozen.substr(dot + 1) == part &&
         is_called(predictor, frozen.substr(0, dot));
}

/// What a predictor asks, less its row; of one without a format its instruction and demos.
Messages prompt_of(const Predictor& predictor) {
  if (predictor.format) {
    Record empty;
    for (const Field& field : predictor.signature.inputs) empty.set(field.name, "");
    auto demos = predictor.demos;
    if (predictor.nearest) {  // any of them: which it is depends on the input
      const auto& pool = predictor.nearest->pool();
      const auto shown = std::min(predictor.nearest->k(), pool.size());
      demos.insert(demos.end(), pool.begin(), pool.begin() + static_cast<std::ptrdiff_t>(shown));
    }
    return make_adapter(*predictor.format)
        ->format(in_order(predictor.signature, predictor.format->label_order), demos, empty);
  }
  Messages messages = {{"system", predictor.signature.instructions}};
  for (const auto& demo : predictor.demos) messages.push_back({"user", field_lines(demo.fields)});
  return messages;
}

}  // namespace

std::size_t prompt_tokens(const Module& program, const LanguageModel& model) {
  std::size_t sum = 0;
  for (const auto* predictor : program.predictors()) {
    Request request;
    request.messages = prompt_of(*predictor);
    sum += model.count_tokens(request).value_or(prompt_bytes(request) / kBytesPerToken);
  }
  return sum;
}

void PromptLimits::check(const Module& student) const {
  const auto predictors = student.predictors();
  for (const auto& part : frozen)
    if (std::ranges::none_of(predictors, [&](const Predictor* predictor) {
          return std::ranges::any_of(kParts,
                                     [&](const char* one) { return names(part, *predictor, one); });
        }))
      throw UserError(fmt::format("the program has no `{}` to freeze", part));
  for (const auto& phrase : keep)
    if (std::ranges::none_of(predictors, [&](const Predictor* predictor) {
          return predictor->signature.instructions.find(phrase) != std::string::npos;
        }))
      throw UserError(
          fmt::format("the program's instructions do not say `{}`, to keep it", phrase));
}

std::string PromptLimits::keeping(std::string_view own, std::string instruction) const {
  for (const auto& phrase : keep)
    if (own.find(phrase) != own.npos && instruction.find(phrase) == instruction.npos)
      instruction += (instruction.empty() ? "" : "\n") + phrase;
  return instruction;
}

bool PromptLimits::freezes(const Predictor& predictor, std::string_view part) const {
  return std::ranges::any_of(frozen,
                             [&](const std::string& one) { return names(one, predictor, part); });
}

bool PromptLimits::admits(const Module& program, const LanguageModel& model) const {
  return max_prompt_tokens == 0 || prompt_tokens(program, model) <= max_prompt_tokens;
}

}  // namespace theta
