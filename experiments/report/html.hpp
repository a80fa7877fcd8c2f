#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/report/table.hpp"

namespace theta {

std::string html_escaped(std::string_view text);

std::string html_table(const Table& table);

/// A self-contained page.   @param body  HTML
std::string html_page(const std::string& title, const std::string& subtitle,
                      const std::string& body);

}  // namespace theta
