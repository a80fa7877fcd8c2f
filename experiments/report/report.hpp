#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/records/store.hpp"
#include "core/statistics.hpp"
#include "experiments/report/table.hpp"
#include "optimizers/gate.hpp"
#include "optimizers/pareto.hpp"

namespace theta {

/// Everything that a run has to show, computed from its store alone.
///
/// What the experiment keeps under these meta keys is used: `config_hash` and `seed` (required),
/// `name`, `note` (shown wherever users are: that they are simulated), `config` (the resolved
/// YAML), `rows` (JSON list of methods, the order wanted), `comparisons` (JSON list of [method,
/// against]), `prompts` (JSON list of [title, text]), `proposals` (JSON list of [search, [[what,
/// count], ..]]), `options` (JSON list of [method, model, [[option, chosen, right], ..]]),
/// `remarks` (JSON list of lines), `lost` (JSON list of [stage, role, requests, why,
/// measures]), `fronts`
/// (JSON list of [search, [[prompt tokens, score, sd, candidate], ..]]), `gates` (JSON list of
/// [search, gate_json()]), `student` (what searches start from, in words).
struct Report {
  /// One method under one model.
  struct Row {
    std::string method, model;
    std::optional<double> accuracy;   ///< mean score of all but the failed; none if all failed
    std::optional<double> low, high;  ///< its 95 % interval
    std::string interval;   ///< how it was computed: `wilson`, `wilson by users`, `wilson by items`
    std::size_t users = 0;  ///< with a score, as the interval rests on; without users, items
    std::size_t judgements = 0;  ///< failed ones included
    /// Share of the items scored in both orders that each order alone answers alike.
    std::optional<double> order_consistency;
    /// Share of the users of known taste whose persona states it.
    std::optional<double> persona_match;
    std::size_t unparsable = 0;
    std::size_t refused = 0;
    std::size_t failed = 0;
    std::string why_unparsable, why_refused, why_failed;  ///< of the first of them
    /// Where the answer is one of a few options: how often each was chosen, and how often it is
    /// right, over all items but the failed. Far apart, they tell of a love of one label.
    struct Option {
      std::string option;
      std::size_t chosen = 0, right = 0;
    };
    std::vector<Option> options;
    Usage usage;
  };
  /// Mean difference of two methods under one model, over the judgements that both have: what could
  /// not be parsed or was refused is one, with a score of 0.
  struct Paired {
    std::string method, against, model;
    std::size_t users = 0, judgements = 0;
    /// Judgements that the method, or the other, was asked and this one has no score for: not
    /// answered, or not asked at all.
    std::size_t missing = 0, missing_against = 0;
    double difference = 0;
    Difference estimate;       ///< paired_difference(), where interval and test come from
    double low = 0, high = 0;  ///< 95 %
    double p = 1;              ///< two-sided; below .05 where the interval does not hold 0
    std::string interval;      ///< how both were computed: `jackknife t by users`, `.. by items`
  };

  /// Requests that a service left without an answer.
  struct Loss {
    std::string stage, role;
    std::int64_t requests = 0;
    std::string why;        ///< of the first
    bool measures = false;  ///< of a row's test, by which nothing is decided
  };

  std::string name, note, config_hash, config;
  std::vector<std::string> remarks;  ///< what was decided for the user, a line each
  std::string stopped;               ///< why the run ended early: a budget; empty: it did not
  std::string incomplete;            ///< what a service failed to answer; empty: nothing
  std::vector<Loss> lost;            ///< the same by stage and role
  std::vector<std::pair<std::string, std::string>> models;  ///< name, how it was run
  std::uint64_t seed = 0;
  std::vector<Row> rows;
  std::vector<Paired> paired;
  std::vector<TrialRecord> trials;
  std::vector<PersonaRecord> personas;
  std::vector<UsageRecord> usage_by_role;  ///< by role (as `method`) and model, rows included
  std::vector<std::pair<std::string, std::string>> prompts;
  /// What came of the instructions that each search had written: how many were asked for, and why
  /// how many of them were not tried.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::int64_t>>>> proposals;
  /// The best that each search knows for every length of prompt, the shortest first.
  std::vector<std::pair<std::string, std::vector<Tradeoff>>> fronts;
  std::string student = "the untouched program";  ///< what the searches started from
  /// What the gate said of each search's winner.
  std::vector<std::pair<std::string, Decision>> gates;
  std::vector<std::pair<std::string, double>> timing;  ///< the only part that differs between runs
};

/// @throws RunError if the run ended before it kept its seed and config hash.
Report make_report(const Store& store);

/// The contract that other programs read. Numbers are rounded to 6 significant digits, those under
/// `timing` excepted; all but `timing` is the same bytes for the same outcomes.
std::string to_json(const Report& report);

/// One self-contained page. Plots are drawn by gnuplot; without it the page says so.
std::string to_html(const Report& report);

/// For a terminal: the models side by side, or below one another where that takes more than
/// `columns`.
std::string to_table(const Report& report, std::size_t columns = 140);

/// The trials of a run's searches but for the minibatches that left the best what it was.
Table trials_of(const Report& report);
/// The same for a terminal, without the candidates; empty if there were none.
std::string trials_table(const Report& report);
/// What the rows are.
inline constexpr const char* kTrialsLegend =
    "minibatches only where another candidate became the best; score: of the trial; best: what is "
    "known of\nthe best candidate so far, and its 95 % interval; report.json has every trial";

/// Writes report.json and report.html into `directory`.
/// @throws RunError if they cannot be written.
void write_report(const Report& report, const std::filesystem::path& directory);

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
nlohmann::ordered_json usage_json(const std::vector<UsageRecord>& by_role);
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
nlohmann::ordered_json gate_json(const Decision& gate);
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
/// The models in the order of their first rows, and the methods likewise.
std::vector<std::string> models_of(const Report& report);
std::vector<std::string> methods_of(const Report& report);
/// nullptr if the method was not run under the model.
const Report::Row* find_row(const Report& report, const std::string& method,
                            const std::string& model);

}  // namespace theta
