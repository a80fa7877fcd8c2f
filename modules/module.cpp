#include "modules/module.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace theta {

Usage usage_of(const Result<Prediction>& answer) {
  return answer ? answer->usage
                : Usage{1, answer.error().prompt_tokens, answer.error().generated_tokens};
}

void set_usage(Result<Prediction>& answer, const Usage& usage) {
  if (answer) {
    answer->usage = usage;
  } else {
    answer.error().prompt_tokens = usage.prompt_tokens;
    answer.error().generated_tokens = usage.generated_tokens;
  }
}

std::string form_text(const Predictor& predictor) {
  return (predictor.format ? to_text(*predictor.format) : "") +
         (reasons(predictor.signature) ? ", reasoning" : "");
}

std::vector<const Predictor*> Module::predictors() const {
  // The non-const overload only hands out pointers; it changes nothing.
  const auto mine = const_cast<Module*>(this)->predictors();
  return {mine.begin(), mine.end()};
}

void check_trace(std::span<const Predictor* const> predictors, std::span<const Step> trace) {
  for (const Step& step : trace) {
    require(step.predictor < predictors.size(), "a trace names predictors of its program");
    const Predictor& predictor = *predictors[step.predictor];
    const auto is_read = [&](const auto& field) {
      return std::ranges::find(predictor.signature.inputs, field.first, &Field::name) !=
             predictor.signature.inputs.end();
    };
    if (std::ranges::all_of(step.inputs, is_read)) continue;
    std::vector<std::string> read;
    for (const auto& [name, value] : step.inputs) read.push_back(name);
    throw UserError(fmt::format(
        "a step of the trace reads {}, and its predictor `{}` has the signature `{}`: a module "
        "sets Step::inputs to what the signature reads, and Step::predictor to the index in its "
        "predictors(), as a Program does for its steps",
        fmt::join(read, ", "), predictor.name, predictor.signature.text()));
  }
}

}  // namespace theta
