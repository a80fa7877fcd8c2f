#pragma once

#include <optional>
#include <string>
#include <vector>

#include "modules/module.hpp"

namespace theta {

/// Predictors are told apart by their names: in states, in the records of searches, in `frozen`.
/// @throws UserError if two of a program have one name.
void check_names(const Module& program);

/// A program's state as JSON that DSPy 3.4.1 loads, and that it writes itself: one object for each
/// predictor under its name, with instructions, the prefixes and descriptions of the fields in
/// order (inputs first) and demos, and those that inputs pick from, which DSPy ignores. A bare Predict (Module::is_bare()) is flat, as dspy.Predict; one
/// whose first output is `reasoning` stands under `predict`, as dspy.ChainOfThought. What DSPy does not keep (field
/// names, types, the adapter) may stand in `theta_block_json`, written to metadata.theta, which
/// DSPy ignores. Indented by 2, non-ASCII kept, with a final newline.
/// @throws UserError as check_names().
std::string dump_state(const Module& program, const std::string& theta_block_json = "{}");

/// What the `lm` of a predictor's state says of sampling.
struct SavedSampling {
  std::optional<double> temperature, top_p;
  std::optional<int> max_tokens;
};

/// What a state says beside the program itself.
struct LoadedState {
  std::vector<SavedSampling> sampling;  ///< by predictor
  std::string model;  ///< of an `lm`, without the provider before its name; empty: none is set
  std::vector<std::string> remarks;  ///< what was decided, and what is not used, a line each
};

/// Sets the instructions, prefixes, descriptions and demos of `program` from `json`; all or
/// nothing. A null in a demo stays one, and every number its digits. A state in which one predictor
/// stands is that of a program with one, whatever its name; metadata and `lm` may be missing (DSPy's
/// dump_state() has no metadata). Of DSPy up to 2.5 the `extended_signature` counts. Demos of a state
/// without metadata.theta, which DSPy wrote, are Demo::as_is.
/// @param chosen  the key of the predictor that a program with one takes its state from, where a file
///   has several
/// @throws UserError `NAME: message`, or `NAME:line:col: message` for what is not JSON: a missing
///   predictor or key, fields of another number than the signature's or of names that it does not
///   have there, an image or other part that is no text.
LoadedState load_state(Module& program, const std::string& json, const std::string& name,
                       const std::string& chosen = "");

}  // namespace theta
