#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace theta {

/// Reads JSON as data files hold it: NaN and the infinities are null, what is no UTF-8 and half a
/// surrogate pair are kUnreadable, a comma behind the value is none of it, and the text may be
/// Python's.
/// @param first_line  the line of the file at which `text` begins
/// @param lenient     a number that no double holds may be in a column that nobody reads: it is text
/// @throws UserError `file:line: message`
nlohmann::ordered_json parse_row(std::string_view text, const std::string& file,
                                 std::ptrdiff_t first_line, bool lenient);

}  // namespace theta
