#pragma once

#include "experiments/data/rows.hpp"
#include "experiments/data/text_file.hpp"

namespace theta {

/// Whether the first line of a text names one of the columns that are read, by some delimiter.
bool names_columns(const TextFile& text, const RowFormat& format);

/// The rows of a table, see for_each_row().
/// @param tabs  its name says that tabs part the cells, which is believed where nothing else tells
void for_each_table_row(TextFile& text, const RowFormat& format, bool tabs, const VisitRow& visit);

}  // namespace theta
