#pragma once

#include <filesystem>
#include <string>

#include "modules/module.hpp"

namespace theta {

/// A program's state in DSPy 3.4.1's JSON (a single predictor named `predict` at the root is what
/// dspy.ChainOfThought saves; `flat` is a bare dspy.Predict). Loads in DSPy, and DSPy's files load
/// here. Theta's own block (signature text, adapter, answering) stands under metadata.theta, which
/// DSPy ignores.
std::string dump_state(const Module& program, const std::string& theta_block_json = "{}");

/// Sets instructions, prefixes, descriptions and demos of `program` from `json`; all or nothing.
/// @throws UserError naming the file and the missing predictor or key.
void load_state(Module& program, const std::string& json, const std::string& name);

}  // namespace theta
