#include "experiments/data/table_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/ascii.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// What a table's text breaks RFC 4180 with, and where.
struct TableFault {
  std::size_t at;
  std::size_t cell;  ///< from 1
  const char* what;
};

/// Whether the quote at `at` of a table that tabs part opens a cell in quotes: it is closed before
/// the next tab. Many of these files quote nothing, and their cells may begin with a quote.
bool opens_between_tabs(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at + 1);
  const std::string_view cell = rest.substr(0, rest.find('\t'));
  for (std::size_t quote = cell.find('"'); quote != cell.npos; quote = cell.find('"', quote + 1)) {
    if (cell.substr(quote + 1).starts_with('"')) {
      ++quote;
      continue;
    }
    const std::string_view behind = cell.substr(quote + 1);
    return behind.empty() || behind.starts_with('\n') || behind.starts_with("\r\n");
  }
  return false;
}

/// Reads the record at the beginning of a text. A quote behind a backslash, which would leave text
/// behind a closing quote, is part of the cell: some programs write `\"` for the `""` of RFC 4180.
/// @param is_all  nothing follows the text
/// @return its bytes with its line end; nullopt: it is not whole in the text
/// @throws TableFault
std::optional<std::size_t> read_record(std::string_view text, bool is_all, char delimiter,
                                       std::vector<std::string>& cells) {
  std::size_t at = 0, n = 0;
  const auto ends_line = [&] {
    return at == text.size() || text[at] == '\n' || text.substr(at).starts_with("\r\n");
  };
  for (;; ++at) {
    if (cells.size() == n) cells.emplace_back();
    std::string& cell = cells[n++];
    cell.clear();
    const bool quoted =
        at < text.size() && text[at] == '"' && (delimiter != '\t' || opens_between_tabs(text, at));
    if (quoted) {
      const std::size_t opened = at++;
      for (bool backslashes = false;;) {
        const std::size_t quote = text.find('"', at);
        if (quote == text.npos && is_all)
          throw TableFault{opened, n, "opens a quote that is never closed"};
        if (quote == text.npos || (quote + 2 >= text.size() && !is_all)) return std::nullopt;
        cell.append(text, at, quote - at);
        at = quote + 1;
        const bool closes = ends_line() || text[at] == delimiter;
        const bool escaped = cell.ends_with('\\') && !cell.ends_with("\\\\");
        backslashes = backslashes || (escaped && !closes && text[at] != '"');
        if (backslashes && escaped) {
          cell.back() = '"';
          continue;
        }
        if (closes || text[at] != '"') break;
        cell += text[at++];
      }
      if (!ends_line() && text[at] != delimiter)
        throw TableFault{at, n,
                         "has text behind its closing quote: a quote within a cell is written "
                         "twice"};
    } else {
      std::size_t end = at;
      while (end < text.size() && text[end] != delimiter && text[end] != '\n') ++end;
      if (end == text.size() && !is_all) return std::nullopt;
      const bool carriage =
          end > at && end < text.size() && text[end] == '\n' && text[end - 1] == '\r';
      cell.assign(text, at, end - at - (carriage ? 1 : 0));
      at = end - (carriage ? 1 : 0);
    }
    if (at < text.size() && text[at] == delimiter) continue;
    cells.resize(n);
    if (at < text.size() && text[at] == '\r') ++at;
    return std::min(at + 1, text.size());
  }
}

/// Reads the records of a table one by one.
class TableReader {
 public:
  TableReader(TextFile& text, char delimiter) : text_(text), delimiter_(delimiter) {}

  /// The next record, blank lines skipped.   @return false at the end.
  bool next(std::vector<std::string>& cells) {
    skip_line_ends();
    if (text_.rest().empty()) return false;
    line_ = text_.line();
    for (;;) {
      std::optional<std::size_t> bytes;
      try {
        bytes = read_record(text_.rest(), text_.at_end(), delimiter_, cells);
      } catch (const TableFault& fault) {
        text_.drop(fault.at);
        throw UserError(
            fmt::format("{}:{}: cell {} {}", text_.name(), text_.line(), fault.cell, fault.what));
      }
      if (bytes) {
        text_.drop(*bytes);
        return true;
      }
      text_.more();
    }
  }

  /// `file:line` of the record that next() read.
  std::string where() const { return fmt::format("{}:{}", text_.name(), line_); }

 private:
  void skip_line_ends() {
    for (;;) {
      if (text_.rest().size() < 2 && text_.more()) continue;
      if (!text_.rest().starts_with('\n') && !text_.rest().starts_with("\r\n")) return;
      text_.drop(text_.rest().find('\n') + 1);
    }
  }

  TextFile& text_;
  const char delimiter_;
  std::ptrdiff_t line_ = 1;
};

std::string trimmed(const std::string& text) { return std::string(ascii::trim(text, " \t")); }

/// Whether a column is read: it is named, or a path goes into what its texts hold.
bool is_read(const std::vector<std::string>& read, const std::string& column) {
  return std::ranges::any_of(read, [&](const std::string& path) {
    return path == column || (!column.empty() && path.starts_with(column + "."));
  });
}

/// The first records of a text, up to five that are whole.
std::vector<std::vector<std::string>> first_records(std::string_view head, bool is_all,
                                                    char delimiter) {
  std::vector<std::vector<std::string>> records;
  try {
    while (records.size() < 5) {
      while (head.starts_with('\n') || head.starts_with("\r\n"))
        head.remove_prefix(head.find('\n') + 1);
      if (head.empty()) break;
      std::vector<std::string> cells;
      const auto bytes = read_record(head, is_all, delimiter, cells);
      if (!bytes) break;
      head.remove_prefix(*bytes);
      records.push_back(std::move(cells));
    }
  } catch (const TableFault&) {
    // Another delimiter, or a fault that the reading names.
  }
  return records;
}

constexpr std::string_view kDelimiters = ",;\t|";

/// How many of the columns that are read a record names; of a table without a header, whether it has
/// as many cells as columns are named.
std::size_t fit(const std::vector<std::string>& record, const RowFormat& format) {
  if (!format.columns.empty()) return record.size() == format.columns.size() ? 1 : 0;
  return static_cast<std::size_t>(std::ranges::count_if(
      record, [&](const std::string& cell) { return is_read(format.read, trimmed(cell)); }));
}

/// The delimiter by which the first record fits best; else one by which the first records have
/// equally many cells.
char told_delimiter(const TextFile& text, const RowFormat& format, bool tabs) {
  const std::string_view candidates = tabs ? "\t,;|" : kDelimiters;
  char best = 0, even = 0;
  std::size_t most = 0;
  for (const char delimiter : candidates) {
    const auto records = first_records(text.rest(), text.at_end(), delimiter);
    if (records.empty()) continue;
    if (const std::size_t n = fit(records[0], format); n > most) {
      most = n;
      best = delimiter;
    }
    const bool is_even = std::ranges::all_of(records, [&](const auto& record) {
      return record.size() > 1 && record.size() == records[0].size();
    });
    if (even == 0 && is_even) even = delimiter;
  }
  return best != 0 ? best : even != 0 ? even : candidates[0];
}

/// The delimiter that a first line `sep=;` gives, which is dropped; 0: there is none.
char said_delimiter(TextFile& text) {
  std::string_view line;
  if (!peek_line(text, line) || !line.starts_with("sep=")) return 0;
  const std::string_view said = line.substr(4, line.find('\r') - 4);
  if (said.size() != 1) return 0;
  const char delimiter = said[0];
  drop_line(text, line);
  return delimiter;
}

/// The names of a table's columns. @throws UserError where they cannot be told
std::vector<std::string> read_header(TableReader& reader, const RowFormat& format,
                                     const std::string& file) {
  std::vector<std::string> header;
  if (!reader.next(header)) throw UserError(file + ":1: no header");
  for (std::string& name : header)
    if (const std::string bare = trimmed(name); std::ranges::find(header, bare) == header.end())
      name = bare;
  const auto reads = [&](const std::string& name) {
    return format.read.empty() || is_read(format.read, name);
  };
  if (std::ranges::none_of(header, reads))
    throw MissingColumn(
        fmt::format("{}: the first line, {}, names none of the columns {}: say which they are with "
                    "`fields: {{FIELD: COLUMN}}`, or name all with `columns: [..]` where it is no "
                    "header",
                    reader.where(), name_list(header), name_list(format.read)),
        format.read[0], name_list(header));
  for (auto name = header.begin(); name != header.end(); ++name) {
    if (!is_readable(*name) && format.read.empty())
      throw UserError(reader.where() + ": the header is not UTF-8");
    if (std::find(header.begin(), name, *name) != name && reads(*name))
      throw UserError(
          fmt::format("{}: the header names `{}` twice", reader.where(), shortened(*name, 60)));
  }
  return header;
}

/// Which of the cells a row holds. All, where something that is read is in no column: the message
/// lists what there is.
std::vector<bool> kept_cells(const std::vector<std::string>& header, const RowFormat& format) {
  std::vector<bool> keep;
  for (const std::string& name : header)
    keep.push_back(is_readable(name) && (!format.only_read || is_read(format.read, name)));
  const bool all_there = std::ranges::all_of(format.read, [&](const std::string& path) {
    return std::ranges::any_of(header, [&](const auto& name) { return is_read({path}, name); });
  });
  if (!all_there)
    for (std::size_t i = 0; i < header.size(); ++i) keep[i] = is_readable(header[i]);
  return keep;
}

/// Checks that a record has a cell a column; empty ones at its end may be too many.
void check_cells(std::vector<std::string>& cells, std::size_t n, char delimiter,
                 const std::string& where) {
  while (cells.size() > n && cells.back().empty()) cells.pop_back();
  if (cells.size() == n) return;
  const std::string hint =
      cells.size() < n ? ""
                       : fmt::format(": a cell that holds {} stands in quotes",
                                     delimiter == '\t' ? "a tab" : fmt::format("`{}`", delimiter));
  throw UserError(fmt::format("{}: {} cell{} where the header has {}{}", where, cells.size(),
                              cells.size() == 1 ? "" : "s", n, hint));
}

}  // namespace

bool names_columns(const TextFile& text, const RowFormat& format) {
  return std::ranges::any_of(kDelimiters, [&](char delimiter) {
    const auto records = first_records(text.rest(), text.at_end(), delimiter);
    return !records.empty() && format.columns.empty() && fit(records[0], format) > 0;
  });
}

void for_each_table_row(TextFile& text, const RowFormat& format, bool tabs, const VisitRow& visit) {
  const char said = said_delimiter(text);
  const char delimiter = format.delimiter != 0 ? format.delimiter
                         : said != 0           ? said
                                               : told_delimiter(text, format, tabs);
  TableReader reader(text, delimiter);
  const std::vector<std::string> header =
      format.columns.empty() ? read_header(reader, format, text.name()) : format.columns;
  const std::vector<bool> keep = kept_cells(header, format);
  std::vector<std::string> cells;
  for (std::size_t number = 0; reader.next(cells);) {
    if (number == 0 && cells == format.columns) continue;  // it has the header that was given
    const std::size_t mine = number++;
    if (format.wanted && !format.wanted(mine)) continue;
    check_cells(cells, header.size(), delimiter, reader.where());
    Json row = Json::object();
    auto& members = row.get_ref<Json::object_t&>();
    for (std::size_t i = 0; i < cells.size(); ++i)
      if (keep[i]) members.emplace_back(header[i], std::move(cells[i]));
    visit(reader.where(), row);
    if (format.first_bytes > 0 && text.position() >= format.first_bytes) return;
  }
}

}  // namespace theta
