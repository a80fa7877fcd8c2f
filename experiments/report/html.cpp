#include "experiments/report/html.hpp"

#include <fmt/format.h>

namespace theta {
namespace {

constexpr const char* kStyle = R"(
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem } h3 { font-size: 1rem; margin-bottom: 0 }
table { border-collapse: collapse; font-size: .9em } .wide { overflow-x: auto }
h1, h2, h3, p, summary, th, td { overflow-wrap: anywhere }
th, td { min-width: 8em; padding: .25em .6em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td.n, th.n { min-width: 3em; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.method { min-width: 12em } .first { border-left: 2px solid #bbb } .note { color: #8a4b00 } .muted { color: #666 }
pre { background: #f6f6f6; padding: .8em; white-space: pre-wrap; overflow-wrap: anywhere }
ins { background: #d9f2dc; text-decoration: none } del { background: #fbe0dd }
figure { margin: 0; overflow-x: auto } svg { max-width: 100%; min-width: 34rem; height: auto }
)";

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_table_of_cells(const Table& table) {
  const auto& [columns, rows] = table;
  const auto cell = [&](std::string_view tag, std::size_t c, std::string_view html) {
    return fmt::format("<{}{}>{}</{}>", tag,
                       columns[c].number                   ? " class=\"n\""
                       : columns[c].widest >= kWidestLabel ? " class=\"method\""
                                                           : "",
                       html, tag);
  };
  std::string out = "<div class=\"wide\"><table>\n<tr>";
  for (std::size_t c = 0; c < columns.size(); ++c)
    out += cell("th", c, html_escaped(columns[c].title));
  out += "</tr>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) out += cell("td", c, row[c]);
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string html_table(const Table& table) {
  Table cells{table.columns};
  for (const auto& row : table.rows) {
    auto& escaped = cells.rows.emplace_back();
    for (const std::string& text : row) escaped.push_back(html_escaped(text));
  }
  return html_table_of_cells(cells);
}

std::string html_figure(const std::string& svg, const std::string& words) {
  return fmt::format("<figure role=\"img\" aria-label=\"{}\">{}</figure>\n", html_escaped(words),
                     svg);
}

std::string diff_html(const std::vector<DiffPiece>& pieces) {
  std::string out;
  for (const auto& [kind, text] : pieces) {
    const char* tag = kind == DiffPiece::Kind::kAdded ? "ins" : "del";
    out += kind == DiffPiece::Kind::kSame ? html_escaped(text)
                                          : fmt::format("<{0}>{1}</{0}>", tag, html_escaped(text));
  }
  return out;
}

std::string_view html_style() { return kStyle; }

std::string html_page(const std::string& title, const std::string& subtitle,
                      const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; img-src data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n"
      "<p class=\"muted\">{2}</p>\n{3}</body>\n</html>\n",
      html_escaped(title), kStyle, html_escaped(subtitle), body);
}

}  // namespace theta
