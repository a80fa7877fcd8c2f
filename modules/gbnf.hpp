#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/signature.hpp"

namespace theta::gbnf {

/// llama.cpp's grammar notation (grammars/README.md there).

/// A text as a literal: quoted, with its quotes, backslashes and control characters escaped.
std::string literal(std::string_view text);
/// `( "a" | "b" )`
std::string one_of(const std::vector<std::string>& texts);

inline constexpr std::string_view kInteger = R"("-"? ( "0" | [1-9] [0-9]{0,17} ))";
inline constexpr std::string_view kNumber =
    R"("-"? ( "0" | [1-9] [0-9]{0,14} ) ( "." [0-9]{1,15} )?)";

/// A value as it stands in a prompt. Where it is of a str, the grammar has to define `text`; where it
/// is JSON, kJson has to be part of it.
std::string value(const Type& type);

/// A value as JSON on one line, or, with a depth, on lines of their own as Python's
/// json.dumps(indent=2) writes it at that depth. Needs kJson.
std::string json(const Type& type, int depth = -1);

/// The rules of JSON on one line, of any value and of `chars`: what stands between a JSON text's quotes. Half a surrogate pair is no text.
inline constexpr std::string_view kJson =
    R"(chars ::= ( [^"\\\x00-\x1F] | "\\" ( ["\\/bfnrt] | "u" ( [0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2} ) ) )*
json ::= "\"" chars "\"" | "-"? ( "0" | [1-9] [0-9]{0,14} ) ( "." [0-9]{1,15} )? | "true" | "false" | "null" | "[" ( json ( ", " json )* )? "]" | "{" ( member ( ", " member )* )? "}"
member ::= "\"" chars "\": " json
)";

}  // namespace theta::gbnf
