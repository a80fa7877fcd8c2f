#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "core/records/kept_answers.hpp"
#include "core/records/store.hpp"
#include "experiments/program.hpp"

namespace theta::view {

/// One question that a row asked for an item, and what the record holds in answer.
struct Exchange {
  Request request;
  /// Several where several models were asked the same, or one in waves of other company; none
  /// where the record does not have it.
  std::vector<KeptAnswer> answers;
  bool calibrates = false;  ///< it is asked whatever the item is
};

/// The rows of data that a run is tested on, read again, in their order.
/// @throws UserError where they cannot be read, are people's choices, or are others than the run
///   read.
std::vector<Example> test_rows(const Store& store);

/// What a row of the report asked for its items, made again of the record: the row's prompt says
/// the requests, and the answers are those that were kept. No model is asked.
class RowReplay {
 public:
  /// @param rows     test_rows(); outlives this, as `answers` does
  /// @throws UserError if the record keeps no prompt of the row.
  RowReplay(const Store& store, KeptAnswers& answers, const std::vector<Example>& rows,
            const std::string& method, const std::string& model);

  /// What the row's program made of each item, as text; else why it made nothing.
  /// @param items  indices into the rows
  std::vector<Result<std::string>> answers(const std::vector<std::size_t>& items) const;
  /// All that was asked for one item, in its order.
  std::vector<Exchange> exchanges(std::size_t item) const;

 private:
  std::vector<Result<Prediction>> run(const std::vector<std::size_t>& items, LanguageModel& model,
                                      std::optional<std::size_t> changed = {}) const;

  KeptAnswers& answers_;
  const std::vector<Example>& rows_;
  std::unique_ptr<Module> program_;
  /// What is sampled for an item hangs on its place among all that were asked with it.
  bool sampled_ = false;
  bool calibrates_ = false;
};

}  // namespace theta::view
