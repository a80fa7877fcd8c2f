#pragma once

#include <llama.h>

#include <filesystem>

namespace theta {

/// Starts llama.cpp once, its messages going to the log.
void start_llama();

/// @throws UserError where layers are to be put on a GPU and llama.cpp has none.
void check_gpu(const std::filesystem::path& path, int gpu_layers);

/// Loads the weights of a GGUF file.
/// @param path     the file that the user named, for messages; `weights` may be a conversion of it
/// @param gpu_layers  -1: all; 0: no GPU is used
/// @return never null; freed by llama_model_free()
/// @throws UserError if llama.cpp cannot load it.
llama_model* load_weights(const std::filesystem::path& path, const std::filesystem::path& weights,
                          int gpu_layers, bool vocab_only);

}  // namespace theta
