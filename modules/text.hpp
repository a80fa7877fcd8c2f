#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/value.hpp"

namespace theta {

/// Python's str.strip(): Unicode whitespace at both ends.
std::string_view strip(std::string_view text);

/// The lines of a text without their `\n` or `\r\n`. A final newline opens no further line.
std::vector<std::string_view> split_lines(std::string_view text);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

std::string replace_all(std::string text, std::string_view from, std::string_view to);

/// At most `bytes` bytes of a text, cut between characters; `...` stands for the rest.
std::string shorten(std::string_view text, std::size_t bytes);

/// Fields for a reader: `name: value`, a line each.
std::string field_lines(const Record& fields);

/// A text as JSON with its quotes, non-ASCII kept: Python's json.dumps(ensure_ascii=False).
std::string json_quoted(const std::string& text);

}  // namespace theta
