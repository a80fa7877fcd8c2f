#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace theta {

/// What another tool's config comes to here.
struct ImportedTask {
  std::string config;  ///< an experiment in YAML; its data are the rows
  std::string rows;    ///< JSON lines
  std::size_t n_rows = 0;
  std::vector<std::string> left_out;  ///< what has no counterpart, a line each
};

/// A promptfoo config (promptfoo.dev, configuration reference) as an experiment: its first prompt
/// is the program's instruction and the others are tried beside it, variables are input fields,
/// tests the rows, the assertion that most tests have the metric, the first provider the model.
/// Tests and prompts that stand in files are read; nothing of it is run.
/// @param name  the experiment's
/// @param rows_file  what the config calls the file of the rows
/// @throws UserError naming the file, and the test, where nothing can be made of it
ImportedTask import_promptfoo(const std::filesystem::path& file, const std::string& name,
                              const std::string& rows_file);

}  // namespace theta
