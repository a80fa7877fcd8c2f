#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace theta {

/// Called for each row of a file: `where` is its place for messages (`file:line`; in a JSON
/// document, which may be one long line, `file: examples.12`), `row` a JSON object.
using VisitRow = std::function<void(const std::string& where, const nlohmann::ordered_json& row)>;

/// How a data file is read. What is empty is told from the file.
struct RowFormat {
  std::string rows = {};                  ///< dotted path to the rows of a JSON document
  char delimiter = 0;                     ///< of the cells of a table
  std::vector<std::string> columns = {};  ///< of a table without a header, of rows that are lists
  std::string encoding = {};              ///< see TextFile
  /// The columns that are read, by which a table's delimiter and header are known and rows from
  /// columns. Empty: all.
  std::vector<std::string> read = {};
  bool only_read = false;  ///< a table's rows hold no other columns
  /// 0: all rows. Else the rows that begin in so many bytes; a JSON document is read whole.
  std::size_t first_bytes = 0;
  /// The rows to visit, by their number from 0; the others are not even parsed. Empty: all.
  std::function<bool(std::size_t)> wanted = {};
};

/// Rows lack a column, which a config names, or a field of its signature does.
struct MissingColumn : UserError {
  MissingColumn(const std::string& message, std::string name, std::string others)
      : UserError(message), column(std::move(name)), there_are(std::move(others)) {}
  std::string column;
  std::string there_are;  ///< the columns in its place: `a`, `b`
};

/// Visits the rows of a data file in their order, holding one at a time.
///
/// - .csv, .tsv: RFC 4180 with a header, or without one where `columns` names them; parted by `,`,
///   `;`, tabs or `|`; every cell is a text, whose reader has to see that it is_readable(). A first
///   line `sep=;`, as spreadsheets write it, gives the delimiter. Cells of a .tsv may hold quotes,
///   and a quote within quotes may be `\"`.
/// - .jsonl, .ndjson, .json: an object a line, an array of objects, or a document with the rows at
///   `rows`, in its only list of objects (or of such as hold what is read), or as pandas writes
///   them: `records`, `index`, `columns`, `split`, `table`, and `values` with `columns` given. Of
///   what Hugging Face's datasets-server gives, rows are the objects under `row`. Values are as in
///   parse_row().
///
/// What is plainly the one is read so under the other's ending, or another. Behind each `.gz` may
/// stand. Everything else is as in TextFile.
/// @throws UserError `where: message` for what cannot be read.
void for_each_row(const std::filesystem::path& file, const RowFormat& format,
                  const VisitRow& visit);

/// A place that a visitor was given, without the folder of the file: for what is kept in a report.
std::string place_in(const std::filesystem::path& file, const std::string& where);

/// The value at a dotted path (`question.text`, `turns.0`); a key that contains dots goes before.
/// @return nullptr if there is none.
const nlohmann::ordered_json* find_path(const nlohmann::ordered_json& value, std::string_view path);

/// The same, where `*` stands for every item of a list, and a text that is data is gone into.
/// @param made  holds what the row itself does not
const nlohmann::ordered_json* find_cell(const nlohmann::ordered_json& row, std::string_view path,
                                        nlohmann::ordered_json& made);

/// A JSON path, `$.answers[0]['text']`, as a dotted one; any other text as it stands.
std::string dotted_path(std::string_view path);

/// Whether a text that cannot be read as data was made of messages, `[{'role': ..`: it is cut off, or
/// quoted badly.
bool looks_like_messages(std::string_view text);

/// The keys of an object as `a`, `b`, `c`; of many the first, and how many more there are.
std::string key_list(const nlohmann::ordered_json& object);

/// Names in backticks as key_list() gives them.
std::string name_list(const std::vector<std::string>& names);

/// A text for a message: on one line, and cut behind so many bytes.
std::string shortened(std::string_view text, std::size_t most);

}  // namespace theta
