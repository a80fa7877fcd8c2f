#include "experiments/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/json_text.hpp"
#include "core/json_value.hpp"
#include "core/result.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// A file's text, without a byte order mark. Of more than `first_bytes` that many, cut anywhere.
std::string read_file(const std::filesystem::path& file, std::size_t first_bytes, bool& is_cut) {
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file)) {
    throw UserError(fmt::format("cannot read {}", file.string()));
  }
  is_cut = first_bytes > 0 && std::filesystem::file_size(file) > first_bytes;
  std::string text;
  if (is_cut) {
    text.resize(first_bytes);
    in.read(text.data(), static_cast<std::streamsize>(first_bytes));
    text.resize(static_cast<std::size_t>(in.gcount()));
  } else {
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

/// What stands before the last line end outside quotes (`quotes`: of cells) of a text that was cut.
std::string_view whole_lines(std::string_view text, bool quotes) {
  std::size_t end = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (quotes && text[at] == '"') quoted = !quoted;
    if (text[at] == '\n' && !quoted) end = at + 1;
  }
  return text.substr(0, end);
}

/// A JSON text that was cut, up to its last comma, and then closed. Its last row may lack something.
std::string closed_json(std::string_view text) {
  std::string open, open_at_end;  // the brackets that close what is open
  std::size_t end = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string && c == '\\') {
      ++at;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      open += c == '[' ? ']' : '}';
    } else if (!in_string && (c == ']' || c == '}') && !open.empty()) {
      open.pop_back();
    } else if (!in_string && c == ',') {
      end = at;
      open_at_end = open;
    }
  }
  return std::string(text.substr(0, end)) + std::string(open_at_end.rbegin(), open_at_end.rend());
}

auto count_lines(std::string_view text) { return std::count(text.begin(), text.end(), '\n'); }

/// What pandas and Python write for a float that is no number, and JSON does not have.
constexpr std::array<std::string_view, 3> kNoNumbers = {"NaN", "-Infinity", "Infinity"};

/// The text with null in their place.
std::string null_for_no_number(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto found = std::ranges::find_if(
        kNoNumbers, [&](std::string_view word) { return text.substr(at).starts_with(word); });
    if (!in_string && found != kNoNumbers.end()) {
      out += "null";
      at += found->size() - 1;
      continue;
    }
    if (text[at] == '"') in_string = !in_string;
    if (in_string && text[at] == '\\') out += text[at++];
    if (at < text.size()) out += text[at];
  }
  return out;
}

/// @param first_line  the line of the file at which `text` begins
Json parse_text(std::string_view text, const std::string& file, std::ptrdiff_t first_line) {
  std::string repaired;
  const auto holds = [&](std::string_view word) { return text.find(word) != text.npos; };
  if (std::ranges::any_of(kNoNumbers, holds)) text = repaired = null_for_no_number(text);
  try {
    return parse_json(text);
  } catch (const Json::parse_error& e) {
    // The message is `[json...] parse error at line 1, column 5: what is wrong`; its line is the
    // text's own.
    const std::string_view message = e.what();
    const std::size_t what = message.find(": ", message.find("column"));
    const std::string_view before = text.substr(0, e.byte == 0 ? 0 : e.byte - 1);
    throw UserError(
        fmt::format("{}:{}: not JSON: {}", file, first_line + count_lines(before),
                    what == std::string_view::npos ? message : message.substr(what + 2)));
  } catch (const Json::out_of_range& e) {
    const auto [at, why] = json_fault(text, e);
    throw UserError(
        fmt::format("{}:{}: {}", file, first_line + count_lines(text.substr(0, at)), why));
  }
}

void visit_object(const std::string& where, const Json& row, const VisitRow& visit) {
  if (!row.is_object()) throw UserError(where + ": a row must be an object of columns");
  visit(where, row);
}

void for_each_jsonl(const std::string& file, std::string_view text, const VisitRow& visit) {
  for (std::ptrdiff_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    visit_object(fmt::format("{}:{}", file, number), parse_text(line, file, number), visit);
  }
}

/// @param is_cut  the last row may lack something
void for_each_json(const std::string& file, std::string_view text, std::string_view path,
                   const VisitRow& visit, bool is_cut) {
  const Json root = parse_text(text, file, 1);
  const Json* rows = path.empty() ? &root : find_path(root, path);
  if (rows == nullptr) {
    throw UserError(fmt::format("{}: nothing at `{}`; there are {}", file, path, key_list(root)));
  }
  if (!rows->is_structured()) {
    throw UserError(fmt::format("{}: `{}` holds no rows", file, path));
  }
  std::size_t left = rows->size();
  for (const auto& [key, row] : rows->items()) {
    if (--left == 0 && is_cut) break;
    visit_object(fmt::format("{}: {}{}{}", file, path, path.empty() ? "" : ".", key), row, visit);
  }
}

/// Reads the records of a CSV text one by one. RFC 4180, lines ending in LF or CRLF.
class CsvReader {
 public:
  CsvReader(const std::string& file, std::string_view text) : file_(file), rest_(text) {}

  /// The next record, blank lines skipped.   @return false at the end.
  bool next(std::vector<std::string>& cells) {
    while (rest_.starts_with('\n') || rest_.starts_with("\r\n")) end_line();
    if (rest_.empty()) return false;
    record_line_ = line_;
    cells.clear();
    do {
      cells.push_back(rest_.starts_with('"') ? quoted() : plain());
    } while (take_comma());
    end_line();
    return true;
  }

  /// `file:line` of the record that next() read.
  std::string where() const { return fmt::format("{}:{}", file_, record_line_); }

 private:
  bool at_line_end() const {
    return rest_.empty() || rest_.starts_with('\n') || rest_.starts_with("\r\n");
  }
  bool take_comma() {
    if (!rest_.starts_with(',')) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void end_line() {
    if (rest_.starts_with('\r')) rest_.remove_prefix(1);
    if (!rest_.empty()) rest_.remove_prefix(1);
    ++line_;
  }
  std::string plain() {
    std::size_t n = 0;
    while (n < rest_.size() && rest_[n] != ',' && rest_[n] != '\n' &&
           !rest_.substr(n).starts_with("\r\n")) {
      ++n;
    }
    std::string cell(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return cell;
  }
  std::string quoted() {
    const int opened = line_;
    std::string cell;
    for (rest_.remove_prefix(1); !rest_.empty(); rest_.remove_prefix(1)) {
      if (rest_.starts_with("\"\"")) {
        rest_.remove_prefix(1);
      } else if (rest_.front() == '"') {
        rest_.remove_prefix(1);
        if (at_line_end() || rest_.front() == ',') return cell;
        throw UserError(fmt::format("{}:{}: text after a closing quote", file_, line_));
      }
      line_ += rest_.front() == '\n';
      cell += rest_.front();
    }
    throw UserError(fmt::format("{}:{}: a quote that is never closed", file_, opened));
  }

  const std::string& file_;
  std::string_view rest_;
  int line_ = 1;
  int record_line_ = 1;
};

void for_each_csv(const std::string& file, std::string_view text, const VisitRow& visit) {
  CsvReader reader(file, text);
  std::vector<std::string> header;
  if (!reader.next(header)) throw UserError(file + ":1: no header");
  for (auto name = header.begin(); name != header.end(); ++name) {
    if (!is_utf8(*name)) throw UserError(reader.where() + ": the header is not UTF-8");
    if (std::find(header.begin(), name, *name) != name) {
      throw UserError(fmt::format("{}: the header names `{}` twice", reader.where(), *name));
    }
  }
  std::vector<std::string> cells;
  while (reader.next(cells)) {
    if (cells.size() != header.size()) {
      throw UserError(fmt::format("{}: {} cells where the header has {}", reader.where(),
                                  cells.size(), header.size()));
    }
    Json row = Json::object();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      row[header[i]] = std::move(cells[i]);
    }
    visit(reader.where(), row);
  }
}

}  // namespace

void for_each_row(const std::filesystem::path& file, std::string_view rows, const VisitRow& visit,
                  std::size_t first_bytes) {
  const std::string name = file.string();
  const std::string ending = file.extension().string();
  if (ending != ".jsonl" && ending != ".json" && ending != ".csv") {
    throw UserError(name + ": a data file ends in .jsonl, .json or .csv");
  }
  if (!rows.empty() && ending != ".json") {
    throw UserError(name + ": only a .json file has `rows` at a path");
  }
  bool is_cut = false;
  const std::string text = read_file(file, first_bytes, is_cut);
  if (ending == ".json") {
    for_each_json(name, is_cut ? closed_json(text) : text, rows, visit, is_cut);
    return;
  }
  const bool csv = ending == ".csv";
  const std::string_view whole = is_cut ? whole_lines(text, csv) : text;
  csv ? for_each_csv(name, whole, visit) : for_each_jsonl(name, whole, visit);
}

std::string place_in(const std::filesystem::path& file, const std::string& where) {
  return where.substr(file.string().size() - file.filename().string().size());
}

const Json* find_path(const Json& value, std::string_view path) {
  if (value.is_object()) {
    const auto whole = value.find(path);
    if (whole != value.end()) return &*whole;
  }
  const std::size_t dot = path.find('.');
  const std::string_view head = path.substr(0, dot);
  const Json* child = nullptr;
  if (value.is_object()) {
    const auto found = value.find(head);
    if (found != value.end()) child = &*found;
  } else if (value.is_array()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(head.data(), head.data() + head.size(), index);
    if (error == std::errc{} && end == head.data() + head.size() && index < value.size()) {
      child = &value[index];
    }
  }
  if (child == nullptr || dot == std::string_view::npos) return child;
  return find_path(*child, path.substr(dot + 1));
}

bool looks_like_messages(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return false;
  text.remove_prefix(first);
  if (!text.starts_with('[') && !text.starts_with('{') && !text.starts_with("array(")) return false;
  const auto has_key = [&](std::string_view name) {
    for (std::size_t at = 1; (at = text.find(name, at)) != text.npos; ++at) {
      const char quote = text[at - 1];
      std::string_view rest = text.substr(at + name.size());
      if ((quote != '\'' && quote != '"') || !rest.starts_with(quote)) continue;
      rest.remove_prefix(1);
      rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
      if (rest.starts_with(':')) return true;
    }
    return false;
  };
  return (has_key("role") && has_key("content")) || (has_key("from") && has_key("value"));
}

std::string key_list(const Json& object) {
  std::vector<std::string> keys;
  if (object.is_object()) {
    for (const auto& [key, value] : object.items()) keys.push_back('`' + key + '`');
  }
  return keys.empty() ? "no keys" : fmt::format("{}", fmt::join(keys, ", "));
}

}  // namespace theta
