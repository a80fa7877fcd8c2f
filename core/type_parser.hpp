#pragma once

#include "core/text_cursor.hpp"
#include "core/type.hpp"

namespace theta {

/// Reads an annotation where `cursor` stands, and moves it behind.
/// @throws UserError `column N: message`.
Type read_type(TextCursor& cursor, const Types& named);

}  // namespace theta
