#pragma once

#include <filesystem>
#include <string>

namespace theta {

/// The weights of a GGUF file in another quantisation, made at the first call and kept in `folder`
/// under the source's hash and the type. Reads and writes of a layout that suits the host are up to
/// three times as fast (Q4_0 and Q8_0 are repacked for wide vectors); the answers are those of
/// slightly different weights.
/// @param hash  hex SHA-256 of `source`
/// @param type  `q4_0` or `q8_0`
/// @return the converted file. It is written under another name first: it is whole or not there,
///   and what a process left that was killed is removed by the next.
/// @throws UserError for another type.   @throws RunError if it cannot be made.
std::filesystem::path converted_weights(const std::filesystem::path& source,
                                        const std::string& hash, const std::string& type,
                                        const std::filesystem::path& folder, int threads);

}  // namespace theta
