#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/report/table.hpp"
#include "experiments/report/word_diff.hpp"

namespace theta {

std::string html_escaped(std::string_view text);

std::string html_table(const Table& table);
/// A table whose cells are HTML; its titles are text.
std::string html_table_of_cells(const Table& table);

/// A drawing with what it shows in words, for who cannot see it.   @param svg  an element
std::string html_figure(const std::string& svg, const std::string& words);

/// As `<ins>` and `<del>`.
std::string diff_html(const std::vector<DiffPiece>& pieces);

/// The styles of every page.
std::string_view html_style();

/// A self-contained page.   @param body  HTML
std::string html_page(const std::string& title, const std::string& subtitle,
                      const std::string& body);

}  // namespace theta
