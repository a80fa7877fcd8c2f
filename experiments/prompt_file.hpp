#pragma once

#include <filesystem>
#include <string>

#include "experiments/dataset_file.hpp"
#include "experiments/models.hpp"
#include "experiments/persona_prompt.hpp"
#include "experiments/program.hpp"

namespace theta {

/// Writes a program as a DSPy state whose block metadata.theta says how to run it: its `program`
/// and `model` sections, the metric it was made with and the `fields` and `rows` of its data. Holds
/// no key: only where one is found. Its paths are absolute: it runs from anywhere.
/// @throws RunError naming the file.
void save_prompt(const std::filesystem::path& file, const Module& program,
                 const ProgramOptions& options, const ModelOptions& model,
                 const std::string& metric, const Columns& columns = {});

/// The same of a prompt Θ: `personas` says how the row that it is named for was made.
void save_prompt(const std::filesystem::path& file, const Module& theta,
                 const ProgramOptions& options, const ModelOptions& model,
                 const PersonaPrompt& personas);

}  // namespace theta
