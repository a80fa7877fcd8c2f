#pragma once

#include <functional>
#include <string>

#include "modules/metric.hpp"
#include "modules/predict.hpp"

namespace theta {

/// Asks again where an answer is not good enough, shows the last answer and what was said of it,
/// and keeps the best of all attempts: DSPy's Refine. Each further attempt is one wave of the rows
/// that need it, under the same instruction and demos with two more inputs, `last_answer` and
/// `advice`. If a service lost one attempt the row has failed. Madaan et al. 2023 (arXiv
/// 2303.17651).
class Refine final : public Module {
 public:
  using Critic = std::function<Grade(const Record& inputs, const Prediction&)>;

  /// @param attempts  most, the first among them; at least 1
  /// @param enough    the score from which on an answer is good enough
  Refine(Predict predict, Critic critic, std::size_t attempts = 3, double enough = 1);

  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override;
  std::vector<Predictor*> predictors() override { return predict_.predictors(); }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Refine>(*this); }
  bool is_bare() const override { return predict_.is_bare(); }

 private:
  struct Row;
  void hear(Row& row, const Record& inputs, Result<Prediction> made) const;

  Predict predict_;
  Critic critic_;
  std::size_t attempts_;
  double enough_;
};

}  // namespace theta
