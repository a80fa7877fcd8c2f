#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace theta {

/// Whether a text is bracketed like a list or an object of JSON or Python, blanks around it aside.
bool is_bracketed(std::string_view text);

/// The list or object that a whole text is, in JSON or as Python and its data frames print it: `'a'`
/// and `"a"` with Python's escapes, True, False, None and nan (null), tuples, a comma before the
/// end; numpy's `array([..], dtype=object)`, and its items that only blanks part. Texts that stand
/// side by side are one, as in Python, but the items of a list, as in numpy. Numbers stay to the
/// digit.
/// @return nullopt for any other text.
std::optional<nlohmann::ordered_json> read_container(std::string_view text);

/// JSON as Python's repr() prints what json.loads() makes of it: `{'a': [1, True, None]}`.
std::string python_repr(const nlohmann::ordered_json& value);

/// The items of a list as DSPy shows them in a str field (dspy 3.4.1, adapters/utils.py
/// _format_blob): texts as they stand, others by their repr().
std::vector<std::string> python_texts(const nlohmann::ordered_json& list);

}  // namespace theta
