#pragma once

#include <string>

#include "modules/module.hpp"

namespace theta {

/// A program's state as JSON that DSPy 3.4.1 loads, and that it writes itself: one object for each
/// predictor under its name, with instructions, the prefixes and descriptions of the fields in
/// order (inputs first) and demos. A bare Predict is flat, as dspy.Predict; one whose first output
/// is `reasoning` stands under `predict`, as dspy.ChainOfThought. What DSPy does not keep (field
/// names, types, the adapter) may stand in `theta_block_json`, written to metadata.theta, which
/// DSPy ignores. Indented by 2, non-ASCII kept, with a final newline.
std::string dump_state(const Module& program, const std::string& theta_block_json = "{}");

/// Sets the instructions, prefixes, descriptions and demos of `program` from `json`; all or
/// nothing. Language models, traces and unknown keys in it are passed over. Demos of a state without
/// metadata.theta, which DSPy wrote, are Demo::as_is.
/// @throws UserError `NAME: message`, or `NAME:line:col: message` for what is not JSON: a missing
///   predictor or key, fields of another number than the signature's, a version key DSPy refuses.
void load_state(Module& program, const std::string& json, const std::string& name);

}  // namespace theta
