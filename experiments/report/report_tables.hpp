#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "experiments/report/report.hpp"
#include "experiments/report/table.hpp"

namespace theta {

// What a run's report and a sweep's show alike, for a terminal and on a page.

/// The trials of a run's searches but for the minibatches that left the best what it was.
Table trials_of(const Report& report);
/// What the rows are.
inline constexpr const char* kTrialsLegend =
    "minibatches only where another candidate became the best; score: of the trial; best: what is "
    "known of\nthe best candidate so far, and its 95 % interval; report.json has every trial";

/// What the columns of the tables mean.
inline constexpr const char* kLegend =
    "accuracy: mean score and its 95 % interval (Wilson's, by users where there are some); order: "
    "items that\nboth orders answer alike; match: users whose persona states their taste; unp.: "
    "answers that could not be\nparsed, ref.: prompts that were refused, both scored 0; fail: no "
    "answer, left out of the accuracy";

/// The columns of a row as every table shows them, and their titles.
std::vector<std::string> column_titles();
std::vector<std::string> column_texts(const Report::Row& row);
/// How many answers of which row are missing or could not be parsed, and why the first of them.
Table missing_answers(const Report& report);
/// How often the rows' options were chosen and are right, a line a row.
Table option_counts(const Report& report);
/// What each role asked for, as every report shows it.
Table usage_table(const std::vector<UsageRecord>& by_role);
/// Host counters.
Table timing_table(const std::vector<std::pair<std::string, double>>& timing);
/// What the gate said of every search's winner, beside the search's own claim.
Table gates_table(const Report& report);
/// What it holds.
inline constexpr const char* kGateLegend =
    "expected gain: of the winner over the untouched program in the same format and calibration, "
    "shrunk for\nthe best of many being picked, and its 95 % interval; claimed: the search's own, "
    "the best validation score\nless the untouched program's; fresh: examples that both were "
    "scored on and the search never saw";
/// `saved: P(better) = .97` or `kept the untouched program: P(better) = .63`
/// @param student  what was kept where the winner was not saved
std::string verdict_text(const Decision& gate,
                         const std::string& student = "the untouched program");
/// `+.021 [-.010, +.052]` and the verdict.
std::string gate_text(const Decision& gate);
/// `+.040 [+.010, +.070], p = .012`
std::string difference_text(double difference, double low, double high, double p);
/// `missing: 2, 1 of the other`; empty if none is.
std::string missing_text(std::size_t missing, std::size_t against);
/// A sentence where an interval rests on fewer users than say much of others, else empty.
std::string few_users(std::size_t fewest);
/// The same of the rows and paired differences of a run's report or a sweep's.
template <typename R>
std::string few_users_of(const R& report) {
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (const auto& row : report.rows)
    if (row.users > 0) fewest = std::min(fewest, row.users);
  for (const auto& paired : report.paired) fewest = std::min(fewest, paired.users);
  return few_users(fewest);
}
}  // namespace theta
