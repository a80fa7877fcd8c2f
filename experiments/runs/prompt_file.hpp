#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/data/dataset_file.hpp"
#include "experiments/metric_config.hpp"
#include "experiments/models.hpp"
#include "experiments/program.hpp"
#include "experiments/runs/persona_prompt.hpp"

namespace theta {

/// Who answers a saved prompt.
struct PromptModels {
  ModelOptions model;
  std::map<std::string, ModelOptions> roles = {};  ///< of steps and judges that name one
};

/// A program as a DSPy state whose block metadata.theta says how to run it: its `program`
/// and `model` sections (`models`, by role, of steps with their own), the metric it was made with and
/// how its data are read (read_file_format()). Holds
/// neither a key nor where one is found. Its paths are absolute: it runs from anywhere.
/// @param metric  its section as JSON; empty: there is none
std::string prompt_json(const Module& program, const ProgramOptions& options,
                        const PromptModels& models, const std::string& metric,
                        const Columns& columns = {});

/// Writes a prompt Θ into a file, likewise: `personas` says how the row that it is named for was
/// made.   @throws RunError naming the file.
void save_prompt(const std::filesystem::path& file, const Module& theta,
                 const ProgramOptions& options, const ModelOptions& model,
                 const PersonaPrompt& personas);
/// The `model` section of a saved prompt, which anybody may have made: it is data, and decides
/// neither who is told what the prompt is asked nor which key is sent along. A server that the file
/// names is one of `allowed_hosts`, or of this machine and sent no key. What concerns a key, and
/// whom a certificate is trusted from, is given on the command line.
/// @param model  Config::literal() of the file's, with what the command line changes in it
/// @param place  of the section in the block metadata.theta, as --set names it
/// @param allowed_hosts  `HOST` or `HOST:PORT`, as `--allow-host` gives them
/// @throws UserError with the place in the file and what to give on the command line.
ModelOptions read_saved_model(const Config& model, const std::vector<std::string>& allowed_hosts,
                              const std::string& place = "model");

/// The `metric` section of a saved prompt's block metadata.theta. A command that the file names is
/// not run: it has to be the user's own, of the command line.
/// @throws UserError with the place in the file and what to give on the command line.
MetricOptions read_saved_metric(const Config& block, const Signature& signature);

}  // namespace theta
