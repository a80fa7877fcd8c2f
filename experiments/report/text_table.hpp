#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/report/table.hpp"

namespace theta {

/// Characters of a text, each taken as one column wide.
std::size_t text_width(std::string_view text);

/// The text in `columns` columns, at the left or at the right.
std::string padded(const std::string& text, std::size_t columns, bool right);

/// A text as a cell on a terminal, without control characters; of a long one the beginning and the
/// end, by which labels differ.
std::string cell_text(const std::string& text, std::size_t widest = 60);

/// As a line of its own, without spaces at its end.
std::string line_of(std::string text);

/// What is said of one thing, below its name: `  over      untouched`. Empty if nothing is.
std::string labelled_line(std::string_view what, const std::string& text);

/// A table for a terminal: every column as wide as its widest text.
std::string text_table(const Table& table);

/// Without the zero before the point: `.53`, `1.00`, `-.040`.
std::string fraction(double value, int digits, bool sign = false);
/// `.53`, or `-` for none.
std::string fraction_or_dash(std::optional<double> value);
/// `.53 [.41, .65]`
std::string interval_text(double value, double low, double high);

}  // namespace theta
