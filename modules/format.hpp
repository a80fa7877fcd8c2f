#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/example.hpp"
#include "core/signature.hpp"
#include "modules/option_map.hpp"

namespace theta {

class Adapter;

/// How a step gets its last output.
enum class Answering {
  kGenerate,  ///< the model writes the whole answer
  kScore      ///< the last output's options are scored behind what was generated before it
};
/// The order in which a prompt lists what a Literal may be: small models favour some places.
enum class LabelOrder { kDeclared, kReversed };
/// Where the instruction stands, by the demos.
enum class InstructionPlace { kBefore, kBehind, kBoth };
/// What is subtracted from the scores of options, against label bias.
enum class Calibration {
  kNone,
  kContentFree,  ///< the scores for an input of `N/A`: Zhao et al. 2021 (arXiv 2102.09690)
  kTrain         ///< the mean scores over inputs whose answers nobody needs to know: batch
                 ///< calibration, Zhou et al. 2023 (arXiv 2309.17249)
};

/// What configs and reports call them, in the order of the enums.
inline constexpr std::array<std::string_view, 2> kAnsweringNames{"generate", "score"};
inline constexpr std::array<std::string_view, 2> kLabelOrderNames{"declared", "reversed"};
inline constexpr std::array<std::string_view, 3> kInstructionPlaceNames{"before", "behind", "both"};
inline constexpr std::array<std::string_view, 3> kCalibrationNames{"none", "content_free", "train"};

/// How a step is asked and answered: what its signature and demos leave open. A value type.
struct Format {
  std::string adapter = "chat";                     ///< `chat`, `json` or `terse`
  std::shared_ptr<const Adapter> own_adapter = {};  ///< of your own, in place of `adapter`
  bool list_options =
      true;  ///< the prompt says what outputs with options may be; else `terse` only
  LabelOrder label_order = LabelOrder::kDeclared;
  InstructionPlace instruction_place = InstructionPlace::kBefore;  ///< others: `terse` only
  std::string opening = {};  ///< words that the first generated output is made to begin with
  Answering answering = Answering::kGenerate;
  Calibration calibration = Calibration::kNone;  ///< others: scored answers only
  std::vector<Record> calibrated_on = {};        ///< the inputs of kTrain
  std::optional<OptionMap> option_map = {};      ///< of this very prompt; scored answers only
  bool operator==(const Format&) const = default;
};

/// @throws UserError naming the first part of a format that a signature cannot be asked in.
void check_format(const Format& format, const Signature& signature);

/// The signature with the options of its outputs in the order in which a prompt lists them.
Signature in_order(Signature signature, LabelOrder order);

/// The inputs of the first examples that have all that a signature reads: at most `most`.
std::vector<Record> calibration_inputs(const Signature& signature, std::span<const Example> train,
                                       std::size_t most);

/// `terse, options hidden, scored, calibrated on 20 inputs`: all that is not usual.
std::string to_text(const Format& format);

}  // namespace theta
