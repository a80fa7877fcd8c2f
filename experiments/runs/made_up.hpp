#pragma once

#include <cstddef>
#include <memory>

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

}  // namespace theta
