#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/models/language_model.hpp"
#include "core/models/llama/chat_tokenizer.hpp"

namespace theta {

/// The file of SmolLM2-135M-Instruct, which scripts/test fetches.
std::filesystem::path smollm();
/// Readies the environment for runs of the program on that model and real sentences.
/// @return what is missing for them; empty: nothing is.
std::string missing_for_small_runs();
/// Its tokenizer, kept to the end of the process.
const ChatTokenizer& small_tokenizer();

/// One message, to be answered in up to 12 tokens.
Request question(std::string text);
/// The same, to be answered by the best of the options.
Request choice(std::string text, std::vector<std::string> options);

}  // namespace theta
