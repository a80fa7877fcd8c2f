#pragma once

#include "experiments/data/rows.hpp"
#include "experiments/data/text_file.hpp"

namespace theta {

/// The rows of JSON lines or of a JSON document, see for_each_row().
/// @param lines  its name says that it has an object a line, which is believed where it can be both
void for_each_json_row(TextFile& text, const RowFormat& format, bool lines, const VisitRow& visit);

}  // namespace theta
