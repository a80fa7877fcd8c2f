#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "modules/module.hpp"

namespace theta {

/// Asks a module several times for each input, all in one wave, and keeps one of the answers.
///
/// Answers that cannot be parsed are left out of the choice; where none can be, the first error
/// stands. If a service lost one of them the row has failed: a choice among fewer answers would be
/// that of another program.
class Samples final : public Module {
 public:
  /// Which of an input's answers is kept: its index.   @param answers  not empty, as they were asked
  using Choose =
      std::function<std::size_t(const Record& inputs, std::span<const Prediction* const> answers)>;

  /// @param temperature  of the sampling, where a Call has none of its own
  /// @throws UserError for no samples, and for a temperature at which all are alike.
  Samples(std::unique_ptr<Module> module, std::size_t samples, Choose choose,
          double temperature = 0.7);

  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override;
  std::vector<Predictor*> predictors() override { return module_->predictors(); }
  std::unique_ptr<Module> clone() const override;
  bool is_bare() const override { return module_->is_bare(); }

 private:
  Result<Prediction> kept(const Record& inputs, std::span<Result<Prediction>> answers) const;

  std::unique_ptr<Module> module_;
  std::size_t samples_;
  Choose choose_;
  double temperature_;
};

/// Self-consistency: the answer whose last output was given most often, where texts are equal as
/// exact_match compares them. Of equal counts, that for which the mean log-probability of the
/// options speaks most, then the one given first. Wang et al. 2022 (arXiv 2203.11171).
std::size_t majority(const Record& inputs, std::span<const Prediction* const> answers);

/// The answer with the highest reward, the first of equals: DSPy's BestOfN without an end before n.
Samples::Choose best_of_n(std::function<double(const Record& inputs, const Prediction&)> reward);

}  // namespace theta
