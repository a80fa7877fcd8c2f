#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/adapter.hpp"
#include "modules/metric.hpp"

namespace theta {

struct JudgeMetricOptions {
  std::string rubric;                 ///< what makes an answer good: the judge's instruction
  std::vector<std::string> outputs;   ///< that the judge sees
  std::vector<std::string> labelled;  ///< those of them whose right answer it sees as well
  std::vector<std::string> inputs;    ///< of the task, that it sees
  bool scored = false;                ///< the probability of `yes`, without words
  std::shared_ptr<const Adapter> adapter;
  int max_tokens = 256;
};

/// A language model grades by a rubric, a whole wave at a time. It writes what is good and what is
/// wrong, the grade's words, and a mark from 1 to 5, which count 0, 0.25 .. 1; or, where it scores,
/// the grade is the probability that it says `yes` to whether the answer is good. What it does not
/// answer, or not in form, has no grade.
/// @param model  outlives the metric
Metric judge_metric(const JudgeMetricOptions& options, LanguageModel& model);

}  // namespace theta
