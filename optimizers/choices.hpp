#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "modules/module.hpp"
#include "optimizers/surrogate.hpp"
#include "optimizers/writer.hpp"

namespace theta {

/// One thing that a search may change in a predictor, and what it may become. Choice 0 is what the
/// student has.
struct PromptPart {
  std::string name;           ///< `instruction`, `demos`, ..; one of a name in a predictor
  std::size_t predictor = 0;  ///< index into Module::predictors()
  /// Of each choice: what people read of it, and what tells which choices are alike.
  std::vector<std::string> texts;
  /// Puts a choice in. Called in the order of Choices::parts, each time from the student's.
  std::function<void(Predictor& predictor, std::size_t choice)> apply;
};

/// What a search combines: a combination holds an index for each variable in turn.
struct Choices {
  std::vector<PromptPart> parts;
  ProposalCounts counts;  ///< what came of the proposals among them

  /// The texts of one variable; none if the predictor has no such part to choose.
  std::vector<std::string> texts(std::size_t predictor, std::string_view part) const;
  std::vector<Variable> space(const Module& student) const;
  std::unique_ptr<Module> apply(const Module& student, const Combination& combination) const;
};

/// Whole instructions.
PromptPart instruction_part(std::size_t predictor, std::vector<std::string> instructions);
/// Whole demo sets, and behind them those that every input picks for itself: each stands in place of
/// a set.
PromptPart demos_part(std::size_t predictor, std::vector<std::vector<Demo>> sets,
                      std::vector<NearestDemos> nearest = {});

}  // namespace theta
