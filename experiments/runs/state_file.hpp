#pragma once

#include <filesystem>
#include <string>

namespace theta {

/// The text of a saved program.
/// @throws UserError for what cannot be read, and for DSPy's pickles and folders, which say by name
///   what to save instead.
std::string read_state_file(const std::filesystem::path& file);

}  // namespace theta
