#include "experiments/report/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/utf8.hpp"
#include "core/visible.hpp"

namespace theta {

std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t columns, bool right) {
  const std::string space(columns - std::min(columns, text_width(text)), ' ');
  return right ? space + text : text + space;
}

std::string line_of(std::string text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text + '\n';
}

std::string labelled_line(std::string_view what, const std::string& text) {
  return text.empty() ? "" : fmt::format("  {:<10}{}\n", what, text);
}

std::string cell_text(const std::string& text, std::size_t widest) {
  constexpr std::size_t kEnd = 20;
  std::string out = visible(text);
  if (text_width(out) <= widest) return out;
  std::size_t end = out.size() - kEnd;
  while ((out[end] & 0xC0) == 0x80) ++end;
  return out.substr(0, utf8_prefix(out.substr(0, widest - kEnd))) + ".." + out.substr(end);
}

std::string text_table(const Table& given) {
  Table table = given;
  constexpr std::size_t kSentence = 400;  // behind the last column nothing is out of place
  for (Table::Column& column : table.columns) column.title = cell_text(column.title);
  for (auto& row : table.rows)
    for (std::size_t c = 0; c < row.size(); ++c)
      row[c] = cell_text(row[c], c + 1 < row.size() ? table.columns[c].widest : kSentence);
  const auto& [columns, rows] = table;
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    widths.push_back(text_width(columns[c].title));
    for (const auto& row : rows) widths[c] = std::max(widths[c], text_width(row[c]));
  }
  std::string out;
  const auto add = [&](const auto& text_of) {
    std::string line;
    for (std::size_t c = 0; c < columns.size(); ++c)
      line += (c == 0 ? "" : "  ") + padded(text_of(c), widths[c], columns[c].number);
    out += line_of(std::move(line));
  };
  add([&](std::size_t c) { return columns[c].title; });
  for (const auto& row : rows) add([&](std::size_t c) { return row[c]; });
  return out;
}

std::string fraction(double value, int digits, bool sign) {
  auto text = sign ? fmt::format("{:+.{}f}", value, digits) : fmt::format("{:.{}f}", value, digits);
  const auto zero = text.find("0.");
  if (zero == 0 || (zero == 1 && (text[0] == '+' || text[0] == '-'))) text.erase(zero, 1);
  return text;
}

std::string fraction_or_dash(std::optional<double> value) {
  return value ? fraction(*value, 2) : "-";
}

std::string interval_text(double value, double low, double high) {
  return fmt::format("{} [{}, {}]", fraction(value, 2), fraction(low, 2), fraction(high, 2));
}

}  // namespace theta
