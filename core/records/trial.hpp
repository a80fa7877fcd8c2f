#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace theta {

/// A point of a search: for each variable the index of its choice.
using Combination = std::vector<int>;

/// A program that a search tried.
struct Candidate {
  /// What one predictor was given.
  struct Part {
    std::string predictor, instruction;
    std::size_t demos = 0;
    std::string format = {};  ///< in words; empty: it has none of its own
    std::size_t nearest = 0;  ///< demos that every input picks for itself

    bool operator==(const Part&) const = default;
  };
  Combination combination = {};  ///< empty where the search is of none
  std::vector<Part> parts = {};

  bool operator==(const Candidate&) const = default;
};

/// As JSON, in one line, for a record and a report:
///
///     {"combination": [0, 3], "predictors": {"NAME": {"instruction": "..", "demos": 2, "format": ".."}}}
///
/// without what is empty; bytes that are not UTF-8 are replaced.
std::string to_json(const Candidate& candidate);
/// Reads to_json() back.   @throws RunError if it is none.
Candidate candidate_of(std::string_view json);

/// What an evaluation is to its search.
enum class TrialKind {
  kDefault,    ///< the student, on all that the search sees
  kMinibatch,  ///< some of the examples
  kFull,       ///< all that the search sees
  kGate        ///< those that it did not see
};

/// `default`, `minibatch`, `full` or `gate`.
std::string_view name_of(TrialKind kind);

/// One evaluation of a search, as it is kept.
struct TrialRecord {
  std::string search;  ///< `theta-teacher`
  int number = 0;
  TrialKind kind = TrialKind::kDefault;
  Candidate candidate = {};
  double score = 0;
  std::int64_t evaluations = 0;  ///< of the program on an example, so far, this trial included
  bool improved = false;         ///< another candidate is the best from here on
  /// Score of the best candidate so far and its 95 % interval: what a surrogate believes, else as
  /// measured.
  double best = 0, low = 0, high = 0;
};

}  // namespace theta
