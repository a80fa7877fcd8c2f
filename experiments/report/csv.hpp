#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace theta {

/// A table as RFC 4180 has it, its lines ended by a newline.
struct CsvTable {
  std::string name;  ///< `rows`; of what a row of it lists `rows.options`
  std::string text;
};

/// Every table of a report, made of its JSON: whatever lists objects, their values a column each.
/// What names a row stands in the rows of the lists in it too; null is an empty cell, other lists
/// and candidates are JSON.
std::vector<CsvTable> csv_tables(const std::string& report_json);

/// Writes each as NAME.csv into a folder, which it makes.   @throws UserError, RunError
void write_csv(const std::string& report_json, const std::filesystem::path& folder);

}  // namespace theta
