#include "modules/judge_metric.hpp"

#include <fmt/format.h>

#include <cmath>

#include "modules/predict.hpp"

namespace theta {
namespace {

constexpr const char* kMarks =
    "Say in a sentence or two what is good about the answer and what is wrong with it. Then give a "
    "mark from 1, the worst, to 5, the best.";
constexpr const char* kYesOrNo = "Say whether the answer is good by these standards.";
constexpr double kBestMark = 5;

Signature signature_of(const JudgeMetricOptions& options) {
  const std::string right = options.labelled.empty() ? "" : ", right_answer";
  const std::string outputs =
      options.scored ? "good: Literal['yes', 'no']" : "remarks, mark: Literal[1, 2, 3, 4, 5]";
  return Signature::parse(fmt::format("task_input, answer{} -> {}", right, outputs),
                          options.rubric + "\n\n" + (options.scored ? kYesOrNo : kMarks));
}

/// The fields of a record, a line each; one alone without its name.
std::string shown(const Record& fields, const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names)
    if (const Value* value = fields.find(name))
      out += names.size() == 1 ? to_text(*value) : fmt::format("{}: {}\n", name, to_text(*value));
  return out;
}

Grade grade_of(const Prediction& judged, bool scored) {
  if (!scored) {
    const auto mark = static_cast<double>(std::get<std::int64_t>(judged.fields.at("mark")));
    return {(mark - 1) / (kBestMark - 1), judged.fields.text("remarks")};
  }
  if (judged.option_logprobs.size() != 2) return judged.fields.text("good") == "yes" ? 1 : 0;
  return 1 / (1 + std::exp(judged.option_logprobs[1] - judged.option_logprobs[0]));
}

}  // namespace

Metric judge_metric(const JudgeMetricOptions& options, LanguageModel& model) {
  auto judge = std::make_shared<const Predict>(
      signature_of(options),
      Format{.own_adapter = options.adapter,
             .answering = options.scored ? Answering::kScore : Answering::kGenerate},
      PredictOptions{.max_tokens = options.max_tokens}, "judge");
  return BatchMetric{[options, judge, &model](std::span<const Graded> wave,
                                              const std::stop_token& stop) {
    std::vector<Record> inputs;
    for (const auto& [example, prediction] : wave) {
      Record& input = inputs.emplace_back();
      input.set("task_input", shown(example.fields, options.inputs));
      input.set("answer", shown(prediction.fields, options.outputs));
      if (!options.labelled.empty())
        input.set("right_answer", shown(example.fields, options.labelled));
    }
    std::vector<Result<Grade>> grades;
    for (const auto& judged : judge->run(inputs, {.model = model, .stop = stop})) {
      if (judged)
        grades.emplace_back(grade_of(*judged, options.scored));
      else
        grades.emplace_back(Error{judged.error().fault, "the judge: " + judged.error().message});
    }
    return grades;
  }};
}

}  // namespace theta
