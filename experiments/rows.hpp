#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace theta {

/// Called for each row of a file: `where` is its place for messages (`file:line`; in a JSON
/// document, which may be one long line, `file: examples.12`), `row` a JSON object.
using VisitRow = std::function<void(const std::string& where, const nlohmann::ordered_json& row)>;

/// Visits the rows of a data file in their order. The format is told by the file's ending:
/// .jsonl: an object a line, blank lines skipped. .json: an array or object of objects, found at
/// the dotted path `rows` from the root. .csv: RFC 4180 with a header; every cell is a text,
/// whose reader has to see that it is UTF-8. UTF-8, with or without a byte order mark. JSON's
/// numbers are as parse_json() reads them; NaN and the infinities, as pandas and Python write them,
/// are null.
/// @param first_bytes  0: all rows. Else those that lie whole in so many bytes of the file: enough
///   to see what rows hold, though a .csv or .json file may be refused for what stands behind.
/// @throws UserError `where: message` for what cannot be read.
void for_each_row(const std::filesystem::path& file, std::string_view rows, const VisitRow& visit,
                  std::size_t first_bytes = 0);

/// A place that a visitor was given, without the folder of the file: for what is kept in a report.
std::string place_in(const std::filesystem::path& file, const std::string& where);

/// The value at a dotted path (`question.text`, `turns.0`); a key that contains dots goes before.
/// @return nullptr if there is none.
const nlohmann::ordered_json* find_path(const nlohmann::ordered_json& value, std::string_view path);

/// Whether a text that cannot be read as data was made of messages, `[{'role': ..`: it is cut off, or
/// quoted badly.
bool looks_like_messages(std::string_view text);

/// The keys of an object as `a`, `b`, `c`.
std::string key_list(const nlohmann::ordered_json& object);

}  // namespace theta
