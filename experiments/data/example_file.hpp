#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/example.hpp"
#include "core/signature.hpp"
#include "experiments/data/pattern.hpp"
#include "experiments/data/rows.hpp"

namespace theta {

/// What a row has to be like to be used.
struct Condition {
  enum class Kind { kPresent, kAbsent, kOneOf };
  std::string column;
  Kind kind = Kind::kPresent;
  std::vector<std::string> values = {};  ///< for kOneOf
};

/// How the rows of a data file become examples. Columns of JSON rows are dotted paths, see
/// find_cell().
struct Columns {
  /// Signature field and its column; a field not named here is a column of its own name.
  std::vector<std::pair<std::string, std::string>> fields = {};
  std::string rows = {};   ///< path to the rows inside a .json file; empty: its root
  std::string id = {};     ///< column; empty: rows are numbered from 1
  std::string group = {};  ///< column; empty: every row is a group of its own
  std::vector<std::string> optional = {};  ///< outputs that are read where there is a column
  /// 0: of all rows. Else of those that begin in so many bytes of the file.
  std::size_t first_bytes = 0;
  char delimiter = 0;                   ///< 0: told from the file
  std::vector<std::string> names = {};  ///< of a table without a header
  std::string encoding = {};            ///< empty: UTF-8, or told by the file's mark
  std::vector<Condition> where = {};    ///< rows that break one are left out
  /// Signature field and the expression that finds its value in the column's text.
  std::vector<std::pair<std::string, Pattern>> extract = {};
  std::string split = {};  ///< column that says the split of a row; empty: none does
};

/// The keys of a `data:` section, or of a saved prompt, that say how a file is read: `fields`,
/// `rows`, `columns`, `delimiter`, `encoding`, `extract`.
/// @throws UserError with the position of what does not fit the signature.
Columns read_file_format(const Config& mapping, const Signature& signature);
/// The same keys of a config's `data:`, and `id`, `group` and `where`.
Columns read_columns(const Config& data, const Signature& signature);

/// An example, the number of its row from 0, and the split that its row names.
using UseExample = std::function<void(std::size_t row, Example example, const std::string& split)>;

/// Makes the rows of a file into examples of a signature, in order, holding one at a time; ids are
/// `prefix` and the row's number where no column holds them. Where an output is no list but its
/// column is (of acceptable answers), the first counts; a number may stand behind `####`, and an
/// option may be in another case. Rows without an output, and those that `where` excludes, are left out.
/// @param remarks  gets a line for each column whose texts look like data that were to be read, and
///   for the rows that are left out
/// @param wanted   the rows to make, by number; empty: all, which are then checked as a whole
/// @throws UserError `file:line: message`, naming a missing column and those there are.
void for_each_example(const std::filesystem::path& file, const Columns& columns,
                      const Signature& signature, const std::string& prefix,
                      std::vector<std::string>& remarks, const UseExample& use,
                      const std::function<bool(std::size_t)>& wanted = {});

/// All of them. For `theta eval` and `theta predict`, which know no splits.
std::vector<Example> read_examples(const std::filesystem::path& file, const Columns& columns,
                                   const Signature& signature, std::vector<std::string>& remarks,
                                   const std::string& prefix = "");

/// Whether a cell of this type is read as the JSON that it is.
bool is_json(const Type& type);

}  // namespace theta
