#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "core/signature.hpp"

namespace theta {

/// What a signature has of an example's fields, in the order of its own.
Record shown_fields(const Example& example, const Signature& signature);

/// Training rows that show what a predictor is to do: they hold all that it reads, and what it is to
/// say last.
struct TrainingRows {
  std::vector<const Example*> rows;  ///< of `train`, which outlives this
  std::vector<std::string> inputs;   ///< (n) as one text each: the value; of several, `name: value`
  std::vector<std::string> answers;  ///< (n) the last output

  TrainingRows(std::span<const Example> train, const Signature& signature);
  /// Indices of the rows of each label, in the order of `labels`.
  std::vector<std::vector<std::size_t>> by_label(std::span<const std::string> labels) const;
  /// The answers, sorted, where they are few: two or more, each given twice on average; else none.
  std::vector<std::string> repeated_answers() const;
};

}  // namespace theta
