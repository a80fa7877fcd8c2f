#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace theta {

/// Hex SHA-256 (FIPS 180-4).
std::string sha256(std::string_view bytes);
/// Of a file's content, read in pieces.   @throws RunError if it cannot be read.
std::string sha256_file(const std::filesystem::path& file);

}  // namespace theta
