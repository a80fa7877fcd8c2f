#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace theta {

/// The first list or object of a text, as far as it can be made out: what models write where they
/// were asked for JSON. Taken in: words and fences around it; comments (`//`, `#`, `/* */`); single
/// and curly quotes, and none; Python's True, None and tuples; line breaks and quotes within a text;
/// a comma too many or too few; an end that is missing. Numbers stay to the digit, and one that is
/// none, such as `1,000`, is a text. As the Python library json_repair does, which DSPy reads
/// answers with, but for the quirks of either.
/// @param opening  the brackets that it may begin with: `{` for an object alone
/// @return nullopt where there is none.
std::optional<nlohmann::ordered_json> repaired_json(std::string_view text,
                                                    std::string_view opening = "[{");

}  // namespace theta
