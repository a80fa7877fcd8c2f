#pragma once

#include <cstdint>
#include <filesystem>

namespace theta {

/// Copies what one run was answered into the record of another, as if it had come from a cache: the
/// other asks for none of it again, and has paid for none. Safe to repeat.
/// @param into  a record that is there, and that nobody but the caller writes
/// @param from  one that may still be written
/// @return how many answers were new
/// @throws RunError if either is no record or cannot be read.
std::int64_t adopt_answers(const std::filesystem::path& into, const std::filesystem::path& from);

}  // namespace theta
