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

/// The rule of a value as it stands in a prompt: one of the above, or `text` or `list`, which the
/// grammar then has to define.
std::string value(const Type& type);

/// The rule `list`: a JSON array of texts on one line. Needs kChars.
inline constexpr std::string_view kList =
    R"(list ::= "[" ( "\"" chars "\"" ( ", \"" chars "\"" )* )? "]"
)";
/// The rule `chars`: what stands between a JSON text's quotes. Half a surrogate pair is no text.
inline constexpr std::string_view kChars =
    R"(chars ::= ( [^"\\\x00-\x1F] | "\\" ( ["\\/bfnrt] | "u" ( [0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2} ) ) )*
)";

}  // namespace theta::gbnf
