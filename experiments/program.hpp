#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "modules/predict.hpp"
#include "modules/program.hpp"

namespace theta {

/// One call to a model, as a config or a saved prompt describes it.
struct StepOptions {
  std::string name;  ///< of a step; empty: it is the whole program
  Signature signature;
  /// With `calibrate: train` its inputs are those of a saved prompt, or are put there once the data
  /// are read.
  Format format;
  bool chain_of_thought = false;
  PredictOptions predict;
  std::size_t calibration_examples = 20;  ///< most training inputs that it is calibrated on
  std::size_t samples = 1;                ///< answers asked for, of which the majority is kept
  std::string model = {};                 ///< role of the model that is asked; empty: the program's

  /// The signature that is asked: with the reasoning, if there is any.
  Signature asked() const;
};

/// A program as a config or a saved prompt describes it: one signature, or steps.
struct ProgramOptions {
  std::vector<StepOptions> steps;  ///< not empty
  /// A saved state whose instructions and demos the program has; nothing: its own, and no demos.
  struct Start {
    std::string state;               ///< the file's text
    std::string name;                ///< the file's
    std::string predictor;           ///< the one of a state with several; empty: the only one
    std::vector<std::string> known;  ///< what is to be known of it, a line each
  };
  std::optional<Start> start = {};

  bool has_steps() const { return !steps.front().name.empty(); }
  /// The field that the metric reads.
  const Field& answer() const { return steps.back().signature.outputs.back(); }
  /// What the rows of its data are read as: the inputs that no step gives, and what the steps give.
  Signature data_signature() const;
  bool needs_training() const;  ///< some step is calibrated on training inputs
};

/// A program of one signature,
///
///     {signature: "a -> b", instructions: .., descriptions: {a: ..}, adapter: chat|json|terse,
///      options: listed|hidden, label_order: declared|reversed,
///      instruction_place: before|behind|both, chain_of_thought: false, answering: generate|score,
///      calibrate: none|content_free|train, calibration_examples: 20, opening: .., grammar: true,
///      max_tokens: 256, retry_unparsable: 0, temperature: 0, top_p: 1, samples: 1}
///
/// or of several, in their order: `{steps: [{name: .., model: ROLE, signature: .., ..}, ..]}`. The
/// name of a step is by default that of its last output. In a saved prompt also `calibrated_on`.
/// @param types  what its signatures' annotations may name: read_types()
/// @throws UserError with the position of what is wrong.
ProgramOptions read_program(const Config& program, const Types& types = {});

/// Reads the keys `load: FILE` and `predictor: NAME` of a config's program, and the file. A saved
/// prompt has neither: it names no file that is read.
/// @throws UserError at the key, also for a state that does not fit the program.
void read_start(const Config& program, ProgramOptions& options);

/// The key `options: listed|hidden` beside an adapter's; `hidden` suits the terse one alone.
bool read_list_options(const Config& section, std::string_view adapter);

/// A signature in its text form.   @throws UserError with the position of `text`.
Signature read_signature(const Config& text, std::string instructions = "",
                         const Types& types = {});

/// The signature with the `descriptions` of its fields that the mapping gives.
Signature read_descriptions(const Config& mapping, Signature signature);

/// The keys `model` of the steps of a `program:` section.
std::vector<Config> step_models(const Config& program);

/// Fails, at the signature of the step that reads it, where nothing gives an input.
/// @param data_give  the names of what the data give
[[noreturn]] void fail_without_input(const Config& program, const ProgramOptions& options,
                                     const std::string& input, const std::string& data_give);

std::unique_ptr<Predict> make_predict(const StepOptions& options);

/// The options without the calibration on training inputs: what a program is before it sees any.
ProgramOptions uncalibrated(ProgramOptions options);

/// The options of a program that was made with `options` and whose steps were since given other
/// formats, options or a reasoning by a search. They start from nothing that was saved.
ProgramOptions as_compiled(ProgramOptions options, const Module& program);

/// What a program is made for.
struct ProgramUse {
  /// For steps that name a role; empty: they ask the program's model.
  std::function<LanguageModel&(const std::string& role)> model = {};
  bool made_up = false;  ///< a dry run: see MadeUpOutputs
};
std::unique_ptr<Module> make_program(const ProgramOptions& options, const ProgramUse& use = {});

/// The same as JSON: what a saved prompt carries under metadata.theta.program, and read_program
/// reads.
std::string program_json(const ProgramOptions& options);

}  // namespace theta
