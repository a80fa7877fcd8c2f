#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace theta {

std::string html_escaped(std::string_view text);

struct HtmlColumn {
  std::string title;
  bool number = false;  ///< right-aligned
};

/// A table of texts, one row of `rows` below the other.
std::string html_table(const std::vector<HtmlColumn>& columns,
                       const std::vector<std::vector<std::string>>& rows);

/// A self-contained page. @param body  HTML
std::string html_page(const std::string& title, const std::string& subtitle,
                      const std::string& body);

}  // namespace theta
