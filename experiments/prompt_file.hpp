#pragma once

#include <filesystem>
#include <string>

#include "experiments/models.hpp"
#include "experiments/program.hpp"

namespace theta {

/// Writes a program as a DSPy state whose block metadata.theta says how to run it: its `program`
/// and `model` sections and the metric it was made with. Holds no key: only where one is found.
void save_prompt(const std::filesystem::path& file, const Module& program,
                 const ProgramOptions& options, const ModelOptions& model,
                 const std::string& metric);

}  // namespace theta
