#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "modules/module.hpp"
#include "optimizers/choices.hpp"

namespace theta {

/// What a search may make of a step's format: of each part the values to try beside the student's
/// own. A part without values stays as the student has it.
struct FormatSpace {
  std::vector<std::string> adapters = {};
  std::vector<bool> list_options = {};
  std::vector<LabelOrder> label_orders = {};
  std::vector<InstructionPlace> instruction_places = {};
  std::vector<std::string> openings = {};
  std::vector<Answering> answerings = {};
  std::vector<Calibration> calibrations = {};
  std::vector<bool> reasoning = {};  ///< a field `reasoning` before the outputs
  /// A last output of free text is chosen, by its score, among the answers that the training rows
  /// repeat (TrainingRows::repeated_answers()).
  std::vector<bool> seen_answers = {};
  std::size_t calibration_examples = 20;  ///< most training inputs of Calibration::kTrain

  /// What is tried where nobody says what is: the adapters chat and terse, options listed and
  /// hidden, uncalibrated and on training inputs. None needs more of a model than the student does.
  static FormatSpace usual();
};

/// A form that a predictor may be given.
struct FormatChoice {
  Format format;
  bool reasoning = false;
  std::vector<std::string> answers = {};  ///< options of the last output; empty: as it is declared
  bool operator==(const FormatChoice&) const = default;
};

/// Every combination of a space that the predictor can be asked in, once: what has no effect on it
/// (the order of options that are not shown) makes no further one. The student's own comes first.
/// @param space  nothing: FormatSpace::usual() of a predictor whose last output has options
/// @param train  their inputs calibrate, unless another step gives what this one reads
/// @return one for a predictor whose format is its module's affair
/// @throws UserError for more than 1000.
std::vector<FormatChoice> format_choices(const Module& student, std::size_t predictor,
                                         const std::optional<FormatSpace>& space,
                                         std::span<const Example> train);

/// Gives a predictor a form.
void set_format(Predictor& predictor, const FormatChoice& choice);

PromptPart format_part(std::size_t predictor, std::vector<FormatChoice> choices);

}  // namespace theta
