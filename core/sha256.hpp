#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

namespace theta {

/// Hex SHA-256 (FIPS 180-4).
std::string sha256(std::string_view bytes);
/// Of the parts joined, which are not copied for it.
std::string sha256(std::initializer_list<std::string_view> parts);
/// Of a file's content, read in pieces.   @throws RunError if it cannot be read.
std::string sha256_file(const std::filesystem::path& file);
/// Of a file's size and of 2 MiB of its content, in 8 pieces from its first byte to its last: tells
/// files of gigabytes apart in milliseconds, unless they differ between the pieces alone. Of a file
/// that is not larger, of all of it. Empty where there is no file to read.
std::string sha256_sample(const std::filesystem::path& file);

}  // namespace theta
