#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/models/language_model.hpp"

namespace theta {

/// Prompt tokens of a run of the program with SmolLM2-135M in every role.
struct RunTokens {
  std::size_t requests = 0;
  std::int64_t computed = 0;  ///< passed to llama_decode, whatever was computed again included
  std::int64_t needed = 0;    ///< the fewest: see needed_tokens()
  double ratio() const { return static_cast<double>(computed) / static_cast<double>(needed); }
};

/// Of the run in `folder`.   @throws UserError if there is none.
RunTokens read_run_tokens(const std::filesystem::path& folder);

/// What was asked of each model of the run in `folder`, in order.
/// @throws UserError if there is none.
std::map<std::string, std::vector<Request>> asked_in(const std::filesystem::path& folder);

/// The fewest prompt tokens that any engine passes to the model for these requests: the nodes of
/// the trie of all that is read, and one token a request.
std::int64_t needed_tokens(const std::vector<Request>& requests);

}  // namespace theta
