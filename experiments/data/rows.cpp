#include "experiments/data/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/python_literal.hpp"
#include "core/utf8.hpp"
#include "experiments/data/json_rows.hpp"
#include "experiments/data/table_rows.hpp"
#include "experiments/data/text_file.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestName = 40;
constexpr std::size_t kLongestList = 110;

enum class Named { kLines, kDocument, kTable, kTabs, kOther };

/// What the name of a file says that it is.
Named named(const std::filesystem::path& file) {
  const bool packed = file.extension() == ".gz";
  const std::string ending = (packed ? file.stem() : file).extension().string();
  if (ending == ".jsonl" || ending == ".ndjson") return Named::kLines;
  if (ending == ".json") return Named::kDocument;
  if (ending == ".csv") return Named::kTable;
  return ending == ".tsv" ? Named::kTabs : Named::kOther;
}

/// Whether a text is JSON, whatever its name says: no table's first cell begins like that.
bool begins_with_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || (text[first] != '{' && text[first] != '[')) return false;
  const std::size_t next = text.find_first_not_of(" \t\r\n", first + 1);
  if (next == text.npos) return false;
  return text[first] == '{' ? text[next] == '"' || text[next] == '\'' : text[next] == '{';
}

}  // namespace

void for_each_row(const std::filesystem::path& file, const RowFormat& format,
                  const VisitRow& visit) {
  TextFile text(file, format.encoding);
  const Named name = named(file);
  const bool by_name = name == Named::kTable || name == Named::kTabs;
  const std::size_t first = text.rest().find_first_not_of(" \t\r\n");
  const bool bracketed =
      first != std::string_view::npos && (text.rest()[first] == '{' || text.rest()[first] == '[');
  const bool json = begins_with_json(text.rest()) || (bracketed && !by_name);
  if (json || (!by_name && name != Named::kOther && !names_columns(text, format)))
    return for_each_json_row(text, format, name != Named::kDocument, visit);
  if (name == Named::kOther && !names_columns(text, format))
    throw UserError(text.name() +
                    ": a data file ends in .jsonl, .ndjson, .json, .csv or .tsv, or in one of them "
                    "and .gz");
  if (!format.rows.empty())
    throw UserError(text.name() + ": only a .json file has `rows` at a path");
  for_each_table_row(text, format, name == Named::kTabs, visit);
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

const Json* find_cell(const Json& row, std::string_view path, Json& made) {
  if (const Json* cell = find_path(row, path)) return cell;
  for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', dot + 1)) {
    const Json* head = find_path(row, path.substr(0, dot));
    const std::string_view rest = path.substr(dot + 1);
    if (head == nullptr) continue;
    if (head->is_string()) {
      auto data = read_container(head->get_ref<const std::string&>());
      if (!data) return nullptr;
      Json inside;
      const Json* cell = find_cell(*data, rest, inside);
      if (cell == nullptr) return nullptr;
      Json found = *cell;  // of `data` or `inside`, which go
      made = std::move(found);
      return &made;
    }
    if (head->is_array() && rest.starts_with('*') && (rest.size() == 1 || rest[1] == '.')) {
      Json items = Json::array();
      for (const Json& item : *head) {
        Json inside;
        const Json* cell = rest.size() == 1 ? &item : find_cell(item, rest.substr(2), inside);
        if (cell != nullptr) items.push_back(*cell);
      }
      made = std::move(items);
      return &made;
    }
  }
  return nullptr;
}

std::string dotted_path(std::string_view path) {
  if (!path.starts_with("$.") && !path.starts_with("$[")) return std::string(path);
  std::string out;
  for (std::size_t at = 1; at < path.size();) {
    std::size_t end = path.find_first_of(".[", at + 1);
    std::string_view step = path.substr(at, end - at);
    if (step.starts_with('[')) {
      end = path.find(']', at);
      end += end == path.npos ? 0 : 1;
      step = path.substr(at, end - at);
      step.remove_prefix(1);
      if (step.ends_with(']')) step.remove_suffix(1);
      if (step.size() > 1 && (step[0] == '\'' || step[0] == '"') && step.back() == step[0])
        step = step.substr(1, step.size() - 2);
    } else {
      step.remove_prefix(1);
    }
    if (!step.empty()) out.append(out.empty() ? "" : ".").append(step);
    at = std::min(end, path.size());
  }
  return out;
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

std::string name_list(const std::vector<std::string>& names) {
  std::string out;
  std::size_t listed = 0;
  for (; listed < names.size(); ++listed) {
    const std::string name = '`' + shortened(names[listed], kLongestName) + '`';
    if (listed > 0 && out.size() + name.size() > kLongestList) break;
    out += (listed > 0 ? ", " : "") + name;
  }
  if (listed < names.size()) out += fmt::format(" and {} more", names.size() - listed);
  return out;
}

std::string key_list(const Json& object) {
  std::vector<std::string> keys;
  if (object.is_object())
    for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys.empty() ? "no keys" : name_list(keys);
}

std::string shortened(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, text.size() > most ? utf8_prefix(text.substr(0, most)) : most));
  for (char& c : out)
    if (c >= 0 && c < ' ') c = ' ';
  return text.size() > most ? out + ".." : out;
}

}  // namespace theta
