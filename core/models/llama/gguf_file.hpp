#pragma once

#include <filesystem>

namespace theta {

enum class GgufKind { kModel, kAdapter };

/// Reads a file's header, which is cheap, and looks whether it is of the kind that is wanted and
/// whole: as many bytes as its tensors need, and beside it the other parts of a model in several.
/// Its weights are not read.
/// @throws UserError that names the file and what to do.
void check_gguf(const std::filesystem::path& file, GgufKind kind);

}  // namespace theta
