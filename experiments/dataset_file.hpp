#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "core/example.hpp"
#include "core/result.hpp"
#include "core/signature.hpp"
#include "experiments/hutto.hpp"
#include "experiments/split.hpp"

namespace theta {

/// How the rows of a data file become examples. Columns of JSON rows are dotted paths.
struct Columns {
  /// Signature field and its column; a field not named here is a column of its own name.
  std::vector<std::pair<std::string, std::string>> fields = {};
  std::string rows = {};   ///< path to the rows inside a .json file; empty: its root
  std::string id = {};     ///< column; empty: rows are numbered from 1
  std::string group = {};  ///< column; empty: every row is a group of its own
  /// 0: of all rows. Else of those in so many bytes of the file, see for_each_row().
  std::size_t first_bytes = 0;
};

/// One file, split by a seeded rule. Groups stay together; where there is a group column the sizes
/// count groups.
struct WholeFile {
  std::filesystem::path file;
  SplitSizes sizes;
  std::uint64_t seed = 0;
};

/// A file a split. Empty: the split has no rows.
struct SplitFiles {
  std::filesystem::path train, validation, test;
};

/// Rows lack a column, which a config names, or a field of its signature does.
struct MissingColumn : UserError {
  MissingColumn(const std::string& message, std::string name)
      : UserError(message), column(std::move(name)) {}
  std::string column;
};

/// Rows that say nothing, for a look at what a program asks where its data are not at hand.
struct MadeUpRows {
  SplitSizes sizes = {8, 8, 8};
};

struct DataOptions {
  std::variant<SentimentOptions, WholeFile, SplitFiles, MadeUpRows> source;
  Columns columns;  ///< not for SentimentOptions
};

/// Reads the `data:` section of a task, strictly, and opens no file. One of
///
///     sentiment: {threshold: 1.5, agreement: 0.9, max_words: 25, train: 40, validation: 60,
///                 test: 100, seed: 0}
///
///     file: reviews.csv
///     split: {train: 75, validation: 75, test: 100, seed: 0}
///
///     splits: {train: train.jsonl, validation: validation.jsonl, test: test.jsonl}
///
/// and beside a file `fields: {question: input, answer: target}`, `rows: examples`, `id: column`,
/// `group: column`. Relative paths start at the folder of the config that names them.
/// @throws UserError with the position of what is wrong or does not fit the signature.
DataOptions read_data_options(const Config& data, const Signature& signature);

/// Loads, splits and checks. Rows whose content stands in an earlier split are remarked with their
/// number.   @throws UserError `file:line: message`.
Dataset load_dataset(const DataOptions& options, const Signature& signature);

/// The rows of one file as examples of a signature, in order; ids are `prefix` and the row's number
/// where no column holds them. Where an output is no list but its column is (of acceptable answers),
/// the first counts. For `theta eval` and `theta predict`, which know no splits.
/// @param remarks  gets a line for each column whose texts look like data that were to be read
/// @throws UserError `file:line: message`, naming a missing column and those there are.
std::vector<Example> read_examples(const std::filesystem::path& file, const Columns& columns,
                                   const Signature& signature, std::vector<std::string>& remarks,
                                   const std::string& prefix = "");

}  // namespace theta
