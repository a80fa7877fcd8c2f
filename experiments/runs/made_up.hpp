#pragma once

#include <cstddef>
#include <memory>

#include "modules/adapter.hpp"
#include "modules/module.hpp"

namespace theta {

/// Some value of a type.   @param number  other numbers give other values where there are any
Value made_up(const Type& type, std::size_t number);

/// A step as a dry run asks it: where the model's made-up answer cannot be read, its outputs are
/// made up too, so that what the steps behind it ask is counted.
class MadeUpOutputs final : public Module {
 public:
  explicit MadeUpOutputs(std::unique_ptr<Module> step) : step_(std::move(step)) {}

  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override;
  std::vector<Predictor*> predictors() override { return step_->predictors(); }
  std::unique_ptr<Module> clone() const override {
    return std::make_unique<MadeUpOutputs>(step_->clone());
  }
  bool is_bare() const override { return step_->is_bare(); }

 private:
  std::unique_ptr<Module> step_;
};

/// An adapter by which a dry run reads what is no step of a program, such as a judge: it reads every
/// answer. Where `adapter` cannot, the outputs are made up, others for other answers.
/// @param tokens  of all texts that are made up for an answer, so that prompts that show them are as
///   long as they may become; 0: few
std::shared_ptr<const Adapter> make_lenient_adapter(std::shared_ptr<const Adapter> adapter,
                                                    int tokens);

}  // namespace theta
