#pragma once

#include <string>
#include <vector>

namespace theta {

/// Texts for a terminal (text_table) or a page (html_table).
struct Table {
  struct Column {
    std::string title;
    bool number = false;  ///< right-aligned
  };

  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows = {};
};

}  // namespace theta
