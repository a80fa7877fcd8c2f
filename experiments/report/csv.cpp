#include "experiments/report/csv.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "experiments/files.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;
/// A row: its cells by column.
using Cells = std::vector<std::pair<std::string, Json>>;

bool lists_objects(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::ranges::all_of(value, [](const Json& one) { return one.is_object(); });
}

std::string cell_of(const Json& value) {
  if (value.is_null()) return "";
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

class Tables {
 public:
  /// @param named  the cells that tell of which row of another table this is a list
  void add(const std::string& name, const Json& rows, const Cells& named) {
    std::vector<Cells>& table = of(name);
    std::vector<std::pair<std::string, const Json*>> inner;
    std::vector<Cells> added;
    for (const Json& row : rows) {
      Cells cells = named;
      for (const auto& [key, value] : row.items()) put(cells, key, value);
      added.push_back(std::move(cells));
    }
    table.insert(table.end(), added.begin(), added.end());
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (const auto& [key, value] : rows[i].items())
        if (lists_objects(value)) add(name + "." + key, value, names_of(added[i]));
  }

  std::vector<CsvTable> take() const {
    std::vector<CsvTable> out;
    for (const auto& [name, rows] : tables_) out.push_back({name, text_of(rows)});
    return out;
  }

 private:
  std::vector<Cells>& of(const std::string& name) {
    const auto found =
        std::ranges::find(tables_, name, &std::pair<std::string, std::vector<Cells>>::first);
    return found != tables_.end() ? found->second
                                  : tables_.emplace_back(name, std::vector<Cells>{}).second;
  }

  /// A value as a column, that of an object one each; a candidate stays whole.
  static void put(Cells& cells, const std::string& key, const Json& value) {
    if (lists_objects(value)) return;
    if (value.is_object() && key != "candidate" && !value.empty()) {
      for (const auto& [inner, one] : value.items()) put(cells, key + "." + inner, one);
    } else {
      cells.emplace_back(key, value);
    }
  }

  /// Its texts before the first number.
  static Cells names_of(const Cells& row) {
    return {row.begin(),
            std::ranges::find_if(row, [](const auto& cell) { return !cell.second.is_string(); })};
  }

  static std::string text_of(const std::vector<Cells>& rows) {
    std::vector<std::string> columns;
    for (const Cells& row : rows)
      for (const auto& [column, value] : row)
        if (std::ranges::find(columns, column) == columns.end()) columns.push_back(column);
    std::string out;
    for (const auto& column : columns)
      out += (&column == &columns.front() ? "" : ",") + cell_of(column);
    out += '\n';
    for (const Cells& row : rows) {
      for (const auto& column : columns) {
        const auto cell = std::ranges::find(row, column, &Cells::value_type::first);
        out += (&column == &columns.front() ? "" : ",") +
               (cell == row.end() ? "" : cell_of(cell->second));
      }
      out += '\n';
    }
    return out;
  }

  std::vector<std::pair<std::string, std::vector<Cells>>> tables_;
};

/// An object whose values are rows, or lists of them, as such a list: its keys are a column.
Json as_list(const Json& object) {
  Json rows = Json::array();
  for (const auto& [key, value] : object.items()) {
    if (lists_objects(value)) {
      for (const Json& one : value) {
        Json row = {{"name", key}};
        row.update(one);
        rows.push_back(std::move(row));
      }
    } else {
      Json row = {{"name", key}};
      value.is_object() ? row.update(value) : void(row["value"] = value);
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace

std::vector<CsvTable> csv_tables(const std::string& report_json) {
  Tables tables;
  const Json report = Json::parse(report_json);
  for (const auto& [key, value] : report.items()) {
    const Json rows = value.is_object() ? as_list(value) : value;
    if (lists_objects(rows)) tables.add(key, rows, {});
  }
  return tables.take();
}

void write_csv(const std::string& report_json, const std::filesystem::path& folder) {
  make_folder(folder);
  for (const auto& [name, text] : csv_tables(report_json))
    write_whole(folder / (name + ".csv"), text);
}

}  // namespace theta
