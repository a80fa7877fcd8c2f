#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace theta {

/// Of labels that name a value of every axis of a sweep.
inline constexpr std::size_t kWidestLabel = 200;

/// Texts for a terminal (text_table) or a page (html_table).
struct Table {
  struct Column {
    std::string title;
    bool number = false;      ///< right-aligned
    std::size_t widest = 60;  ///< characters on a terminal
  };

  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows = {};
};

}  // namespace theta
