#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <variant>

#include "core/config.hpp"
#include "core/example.hpp"
#include "core/signature.hpp"
#include "experiments/data/example_file.hpp"
#include "experiments/data/hutto.hpp"
#include "experiments/data/split.hpp"

namespace theta {

/// One file, split by a seeded rule. Groups stay together; where there is a group column the sizes
/// count groups. Where Columns::split says the split of each row, the sizes are as in SplitFiles.
struct WholeFile {
  std::filesystem::path file;
  SplitSizes sizes;
  std::uint64_t seed = 0;
};

/// A file a split. Empty: the split has no rows of its own.
struct SplitFiles {
  std::filesystem::path train = {}, validation = {}, test = {};
  /// How many rows of each are used, drawn by the seed; 0: all. Those of validation are drawn from
  /// train where it has none of its own.
  SplitSizes sizes = {};
  std::uint64_t seed = 0;
  /// Where validation has no rows and no size: a fifth of train's.
  bool always_validates = false;
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
///     file: reviews.csv
///     split: {column: subset, train: 500, validation: 100, test: 500, seed: 0}
///
///     files: {train: train.jsonl, test: test.jsonl}
///     split: {validation: 100}
///
///     splits: {train: train.jsonl, validation: validation.jsonl, test: test.jsonl}
///
/// and beside a file what read_columns() reads. `splits` is `files` that draw no validation rows
/// unasked. Relative paths start at the folder of the config that names them.
/// @throws UserError with the position of what is wrong or does not fit the signature.
DataOptions read_data_options(const Config& data, const Signature& signature);

/// Loads, splits and checks. Rows whose content stands in an earlier split are remarked with their
/// number. A file is read twice, for the splits and for what is in them: only that is held.
/// @throws UserError `file:line: message`.
Dataset load_dataset(const DataOptions& options, const Signature& signature);

}  // namespace theta
