#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "optimizers/format_space.hpp"
#include "optimizers/optimizer.hpp"

namespace theta {

/// A program whose last step reads the answer off the log-probabilities of all options.
struct FittedOptions {
  std::unique_ptr<Module> program;
  /// Of the validation examples: what each scores under a map that was fitted without it.
  Scores scores;
  std::int64_t evaluations = 0;  ///< program runs on training examples
};

/// Whether a program's answer can be: its last step scores the options of its last output, which the
/// examples label.
bool fits_options(const Module& program, const Task& task);

/// Fits an OptionMap to what a program says of the validation examples, and of the training ones
/// that none of its demos is, and puts it into its last step in place of any calibration. Evaluates
/// the program on them; answers that the model's record has cost nothing.
/// @param most  training examples at most
/// @return nothing where fewer than ten rows were answered, or a part of the service failed
/// @throws std::logic_error unless fits_options()
std::optional<FittedOptions> fit_options(const Module& program, const Task& task, std::size_t most);

struct FitOptionsOptions {};

/// fit_options() as an optimiser of its own: what the answers of the program as it is say, without
/// another prompt.
class FitOptions final : public Optimizer {
 public:
  std::string name() const override { return "fit_options"; }
  /// @throws UserError unless fits_options()
  Compiled search(const Module& student, const Task& task) override;
};

/// The student as a search ends with it in other formats of its last step: each as it answers by
/// itself, scored, the shortest prompt first.
/// @param space  nothing: FormatSpace::usual()
std::vector<std::unique_ptr<Module>> in_other_formats(const Module& student, const Task& task,
                                                      const std::optional<FormatSpace>& space);

/// Evaluations that end_with_fitted_options() can make use of, of a budget at most a part.
/// @param others  as there
std::int64_t kept_to_fit(const Task& task, std::size_t others);

/// The end of a search: of its winner, it fitted, the student fitted and the student fitted in other
/// formats, as many of these as the budget has room for, the one that choose() takes by what is
/// believed of their scores on validation: of those not told apart the shortest prompt. What a prompt says by its first choice does not tell what it says by all
/// options. Stopped, the search's own result stands.
/// @param others  in_other_formats(), or none
/// @param left  evaluations that may be spent; < 0: no limit
void end_with_fitted_options(const Module& student, std::span<const std::unique_ptr<Module>> others,
                             const Task& task, std::int64_t left, const std::string& search,
                             Compiled& compiled);

}  // namespace theta
