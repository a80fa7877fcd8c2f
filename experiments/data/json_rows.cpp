#include "experiments/data/json_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "experiments/data/parse_row.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostWhole = 64UL << 20;  // of an object that is held whole

/// The end of the JSON value at the beginning of a text; nullopt: it goes on behind the text.
std::optional<std::size_t> end_of_value(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
      if (at >= text.size()) return std::nullopt;
      if (depth == 0) return at + 1;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (c == ',' || c == '\n' || c == ' ')) {
      return at;
    }
  }
  return std::nullopt;
}

/// Whether one of the keys is a column that is read, or that one of the paths goes through.
bool has_read_key(const Json& object, const RowFormat& format) {
  return std::ranges::any_of(format.read, [&](const std::string& path) {
    return find_path(object, path) != nullptr || object.contains(path.substr(0, path.find('.')));
  });
}

/// The row within `{"row_idx": 0, "row": {..}}`, as Hugging Face's datasets-server gives rows; any
/// other object itself.
const Json& unwrapped(const Json& row, const RowFormat& format) {
  const auto inner = row.find("row");
  const bool wrapped = inner != row.end() && inner->is_object() && row.contains("row_idx");
  return wrapped && !has_read_key(row, format) ? *inner : row;
}

/// Turns JSON values into rows, of which it counts and visits those that are wanted.
class RowVisitor {
 public:
  RowVisitor(TextFile& text, const RowFormat& format, const VisitRow& visit)
      : text_(text), format_(format), visit_(visit) {}

  /// Whether the next row is wanted, which is then counted.
  bool wants_next() {
    const std::size_t mine = number_++;
    return !format_.wanted || format_.wanted(mine);
  }
  void visit(const std::string& where, const Json& row) const {
    if (row.is_object()) return visit_(where, unwrapped(row, format_));
    if (!row.is_array()) throw UserError(where + ": a row must be an object of columns");
    if (format_.columns.empty())
      throw UserError(where + ": a row is a list: name its columns with `columns: [..]`");
    if (row.size() != format_.columns.size())
      throw UserError(fmt::format("{}: {} values where `columns` names {}", where, row.size(),
                                  format_.columns.size()));
    Json named = Json::object();
    for (std::size_t i = 0; i < row.size(); ++i) named[format_.columns[i]] = row[i];
    visit_(where, named);
  }
  bool has_enough() const {
    return format_.first_bytes > 0 && text_.position() >= format_.first_bytes;
  }
  /// What is at the beginning of the text that is left.
  Json parse(std::string_view text) const {
    return parse_row(text, file(), text_.line(), !format_.read.empty());
  }
  TextFile& text() const { return text_; }
  const std::string& file() const { return text_.name(); }
  const RowFormat& format() const { return format_; }

 private:
  TextFile& text_;
  const RowFormat& format_;
  const VisitRow& visit_;
  std::size_t number_ = 0;
};

void for_each_line(RowVisitor& rows) {
  std::string_view line;
  for (; peek_line(rows.text(), line) && !rows.has_enough(); drop_line(rows.text(), line)) {
    if (line.find_first_not_of(" \t\r") == line.npos || !rows.wants_next()) continue;
    const std::ptrdiff_t number = rows.text().line();
    rows.visit(fmt::format("{}:{}", rows.file(), number), rows.parse(line));
  }
}

/// The value at the beginning of what is left, read whole, or `most` of it.
std::string_view whole_value(TextFile& text, std::size_t most = std::string_view::npos) {
  for (;;) {
    if (const auto end = end_of_value(text.rest())) return text.rest().substr(0, *end);
    if (text.rest().size() > most || !text.more()) return text.rest();
  }
}

/// Objects side by side, each of any number of lines.
void for_each_value(RowVisitor& rows) {
  TextFile& text = rows.text();
  while (skip_blanks(text) && !rows.has_enough()) {
    const std::string_view value = whole_value(text);
    if (rows.wants_next())
      rows.visit(fmt::format("{}:{}", rows.file(), text.line()), rows.parse(value));
    text.drop(std::max<std::size_t>(value.size(), 1));
  }
}

[[noreturn]] void fail_in_document(const TextFile& text, const char* expected) {
  throw UserError(
      fmt::format("{}:{}: not JSON: {} is expected", text.name(), text.line(), expected));
}

/// The items of the array at which the text stands: the whole file, or what is at `path` in it.
void for_each_item(RowVisitor& rows, const std::string& path) {
  TextFile& text = rows.text();
  const std::string place = fmt::format("{}: {}{}", rows.file(), path, path.empty() ? "" : ".");
  text.drop(1);
  for (std::size_t number = 0;; ++number) {
    if (rows.has_enough()) return;
    if (!skip_blanks(text)) fail_in_document(text, "']'");
    if (text.rest().starts_with(']')) break;  // of an empty list, or behind a comma too many
    const std::string_view item = whole_value(text);
    if (rows.wants_next()) rows.visit(place + std::to_string(number), rows.parse(item));
    text.drop(item.size());
    if (!skip_blanks(text)) fail_in_document(text, "',' or ']'");
    if (text.rest().starts_with(']')) break;
    if (!text.rest().starts_with(',')) fail_in_document(text, "',' or ']'");
    text.drop(1);
  }
  text.drop(1);
  if (path.empty() && skip_blanks(text)) fail_in_document(text, "the end of the file");
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

bool is_index(const std::string& key) {
  return !key.empty() && key.find_first_not_of("0123456789") == key.npos;
}

template <typename Test>
bool all_values(const Json& object, const Test& test) {
  return !object.empty() && std::all_of(object.begin(), object.end(), test);
}

/// Whether an object of objects holds columns of rows, as pandas writes by default, not rows.
bool is_columns_first(const Json& object, const RowFormat& format) {
  const Json& first = object.front();
  const bool alike =
      all_values(object, [&](const Json& one) { return one.size() == first.size(); });
  if (!alike || first.empty()) return false;
  const bool outer = has_read_key(object, format), inner = has_read_key(first, format);
  if (outer != inner) return outer;
  return std::ranges::all_of(keys_of(first), is_index) &&
         !std::ranges::all_of(keys_of(object), is_index);
}

void visit_all(const Json& list, const std::string& path, RowVisitor& rows) {
  for (const auto& [key, row] : list.items())
    if (rows.wants_next())
      rows.visit(fmt::format("{}: {}{}{}", rows.file(), path, path.empty() ? "" : ".", key), row);
}

/// Columns of equally many values, in objects or lists.
void visit_columns(const Json& columns, RowVisitor& rows) {
  std::vector<Json::const_iterator> next;
  for (const Json& column : columns) next.push_back(column.begin());
  for (std::size_t n = 0; n < columns.front().size(); ++n) {
    const bool wanted = rows.wants_next();
    Json row = Json::object();
    std::size_t i = 0;
    for (const auto& [name, column] : columns.items()) {
      if (wanted) row[name] = *next[i];
      ++next[i++];
    }
    if (wanted) rows.visit(fmt::format("{}: row {}", rows.file(), n), row);
  }
}

/// pandas' `split`: the columns' names beside lists of values.
void visit_split(const Json& table, RowVisitor& rows) {
  for (const auto& [key, row] : table["data"].items()) {
    if (!rows.wants_next()) continue;
    const std::string where = fmt::format("{}: data.{}", rows.file(), key);
    if (!row.is_array() || row.size() != table["columns"].size())
      throw UserError(where + ": as many values as `columns` has are expected");
    Json named = Json::object();
    for (std::size_t i = 0; i < row.size(); ++i) {
      const Json& name = table["columns"][i];
      named[name.is_string() ? name.get<std::string>() : name.dump()] = row[i];
    }
    rows.visit(where, named);
  }
}

bool is_list_of_rows(const Json& value) {
  return value.is_array() && !value.empty() && value.front().is_object();
}

void visit_object(const Json& object, const std::string& path, RowVisitor& rows) {
  const auto is_list = [&](const char* key) {
    return object.contains(key) && object[key].is_array();
  };
  if (is_list("data") && is_list("columns")) return visit_split(object, rows);
  if (is_list("data") && object.contains("schema")) return visit_all(object["data"], "data", rows);
  const auto is_object = [](const Json& one) { return one.is_object(); };
  if (all_values(object, is_object))
    return is_columns_first(object, rows.format()) ? visit_columns(object, rows)
                                                   : visit_all(object, path, rows);
  const auto as_long = [&](const Json& one) {
    return one.is_array() && one.size() == object.front().size();
  };
  const bool known = has_read_key(object, rows.format());
  if (known && all_values(object, as_long)) return visit_columns(object, rows);
  std::vector<std::string> lists;
  for (const auto& [key, value] : object.items())
    if (!known && is_list_of_rows(value)) lists.push_back(key);
  std::vector<std::string> read;
  std::ranges::copy_if(lists, std::back_inserter(read), [&](const std::string& key) {
    return has_read_key(unwrapped(object[key].front(), rows.format()), rows.format());
  });
  if (read.size() == 1) lists = read;
  if (lists.size() == 1) return visit_all(object[lists[0]], lists[0], rows);
  if (!lists.empty())
    throw UserError(fmt::format("{}: rows stand at {}: choose with `rows: {}`", rows.file(),
                                name_list(lists), lists[0]));
  if (!path.empty()) return visit_all(object, path, rows);
  if (rows.wants_next()) rows.visit(rows.file() + ": the only row", object);
}

void visit_rows(const Json& list, const std::string& path, RowVisitor& rows) {
  list.is_array() ? visit_all(list, path, rows) : visit_object(list, path, rows);
}

/// Goes through the document's objects to the value at a path, as far as keys lead.
/// @param keys  gets those of the object in which the way ends
/// @return the rest of the path: empty at the value, else at a list or where nothing is found
std::string_view go_to(TextFile& text, std::string_view path, std::vector<std::string>& keys) {
  while (!path.empty() && skip_blanks(text) && text.rest().starts_with('{')) {
    text.drop(1);
    keys.clear();
    for (bool found = false; !found;) {
      if (!skip_blanks(text)) fail_in_document(text, "'}'");
      if (text.rest().starts_with('}')) return path;
      if (text.rest().starts_with(',')) {
        text.drop(1);
        continue;
      }
      const std::string key(whole_value(text));
      text.drop(key.size());
      if (key.size() < 2 || key[0] != '"' || !skip_blanks(text) || !text.rest().starts_with(':'))
        fail_in_document(text, "a key in quotes and ':'");
      text.drop(1);
      if (!skip_blanks(text)) fail_in_document(text, "a value");
      keys.push_back(key.substr(1, key.size() - 2));
      found = path == keys.back() || path.starts_with(keys.back() + ".");
      if (found)
        path.remove_prefix(std::min(keys.back().size() + 1, path.size()));
      else
        text.drop(whole_value(text).size());
    }
  }
  return path;
}

/// The rows at a path of a document, of which only they are held: one of them, if they are a list.
void visit_path(RowVisitor& rows) {
  TextFile& text = rows.text();
  const std::string& path = rows.format().rows;
  std::vector<std::string> keys;
  const std::string_view rest = go_to(text, path, keys);
  const char first = text.rest().empty() ? ' ' : text.rest().front();
  if (rest.empty() && first == '[') return for_each_item(rows, path);
  if (!rest.empty() && first != '[')
    throw UserError(
        fmt::format("{}: nothing at `{}`; there are {}", rows.file(), path, name_list(keys)));
  const Json value = rows.parse(whole_value(text));
  const Json* list = rest.empty() ? &value : find_path(value, rest);
  if (list == nullptr || !list->is_structured())
    throw UserError(fmt::format("{}: `{}` holds no rows", rows.file(), path));
  visit_rows(*list, path, rows);
}

/// The most keys of one object. A key of an ordered object is looked for among all before it.
std::size_t most_keys(std::string_view text) {
  std::vector<std::size_t> open = {0};
  std::size_t most = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
    } else if (c == '{') {
      open.push_back(0);
    } else if (c == '}' && open.size() > 1) {
      open.pop_back();
    } else if (c == ':') {
      most = std::max(most, ++open.back());
    }
  }
  return most;
}

/// The rows of a document that is read whole.
void visit_document(RowVisitor& rows) {
  constexpr std::size_t kMostKeys = 50'000;
  TextFile& text = rows.text();
  while (text.rest().size() <= kMostWhole && text.more()) {
  }
  const bool long_one = text.rest().size() > kMostWhole;
  if (long_one || most_keys(text.rest()) > kMostKeys)
    throw UserError(fmt::format(
        "{}: an object that {} is too large to be read whole: name the list of its rows with "
        "`rows: KEY`, or save it with a row a line (pandas: orient='records', lines=True)",
        rows.file(),
        long_one ? fmt::format("has more than {} MiB", kMostWhole >> 20)
                 : fmt::format("has more than {} keys", kMostKeys)));
  const Json root = rows.parse(text.rest());
  if (!root.is_structured()) throw UserError(rows.file() + ": it holds no rows");
  visit_rows(root, "", rows);
}

enum class Layout { kLines, kValues, kItems, kDocument };

/// What a text that begins with `[` or `{` is.
Layout layout_of(TextFile& text, bool lines) {
  constexpr std::size_t kLongestLine = 16UL << 20;  // a longer one is a whole document
  while (text.rest().find('\n') == std::string_view::npos && text.rest().size() < kLongestLine &&
         text.more()) {
  }
  const std::string_view line = text.rest().substr(0, text.rest().find('\n'));
  const auto end = end_of_value(line);
  const bool whole_line = end && line.find_first_not_of(" \t\r,", *end) == line.npos;
  const bool more_lines =
      whole_line && line.size() < text.rest().size() &&
      text.rest().find_first_not_of(" \t\r\n", line.size()) != std::string_view::npos;
  const bool array = text.rest().starts_with('[');
  if (whole_line && more_lines) return Layout::kLines;
  if (array) return Layout::kItems;
  if (whole_line) return lines ? Layout::kLines : Layout::kDocument;
  // An object of several lines: the whole document, or the first of several.
  const std::size_t size = whole_value(text, kMostWhole).size();
  if (!end_of_value(text.rest())) return lines ? Layout::kLines : Layout::kDocument;
  while (text.rest().find_first_not_of(" \t\r\n", size) == std::string_view::npos && text.more()) {
  }
  const std::size_t next = text.rest().find_first_not_of(" \t\r\n", size);
  const bool several = next != std::string_view::npos && text.rest()[next] == '{';
  return several ? Layout::kValues : Layout::kDocument;
}

}  // namespace

void for_each_json_row(TextFile& text, const RowFormat& format, bool lines, const VisitRow& visit) {
  RowVisitor rows(text, format, visit);
  if (!skip_blanks(text)) return;
  const char first = text.rest().front();
  if (first != '[' && first != '{') return lines ? for_each_line(rows) : visit_document(rows);
  const Layout layout = layout_of(text, lines);
  const bool one_each = layout == Layout::kLines || layout == Layout::kValues;
  if (!format.rows.empty()) {
    if (!one_each) return visit_path(rows);
    throw UserError(text.name() +
                    ": only a JSON document has `rows` at a path, and this has an "
                    "object a line");
  }
  switch (layout) {
    case Layout::kLines:
      return for_each_line(rows);
    case Layout::kValues:
      return for_each_value(rows);
    case Layout::kItems:
      return for_each_item(rows, "");
    case Layout::kDocument:
      return visit_document(rows);
  }
}

}  // namespace theta
