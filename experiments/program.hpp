#pragma once

#include <memory>
#include <string>

#include "core/config.hpp"
#include "modules/predict.hpp"

namespace theta {

/// A one-predictor program as a config or a saved prompt describes it.
struct ProgramOptions {
  Signature signature;
  std::string adapter = "chat";
  bool list_options = true;  ///< the adapter tells the model what outputs with options may say
  bool chain_of_thought = false;
  PredictOptions predict;
  /// Training inputs that the options' scores are calibrated on.
  std::size_t calibration_examples = 0;
  std::vector<Record> calibration = {};  ///< in a saved prompt: those inputs
};

/// `{signature: "a -> b", instructions: ..., descriptions: {a: ...}, adapter: chat|json|terse,
///   options: listed|hidden, answering: generate|score, calibrate: none|content_free|train, calibration_examples: 20,
///   chain_of_thought: false, opening: ..., grammar: true, max_tokens: 256, temperature: 0,
///   top_p: 1}`; in a saved prompt also `calibrated_on`.
/// @param types  what its signature's annotations may name: read_types()
ProgramOptions read_program(const Config& program, const Types& types = {});

/// The key `options: listed|hidden` beside an adapter's; `hidden` suits the terse one alone.
bool read_list_options(const Config& section, std::string_view adapter);

/// A signature in its text form.   @throws UserError with the position of `text`.
Signature read_signature(const Config& text, std::string instructions = "",
                         const Types& types = {});

/// The signature with the `descriptions` of its fields that the mapping gives.
Signature read_descriptions(const Config& mapping, Signature signature);

std::unique_ptr<Predict> make_program(const ProgramOptions& options);

/// The same as JSON: what a saved prompt carries under metadata.theta.program, and read_program
/// reads.
std::string program_json(const ProgramOptions& options);

}  // namespace theta
