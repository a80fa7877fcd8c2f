#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/records/store.hpp"
#include "core/statistics.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {

/// Everything that a run has to show, computed from its store alone.
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
    std::vector<OptionCount> options;
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

  std::string name, note, config_hash, config;
  std::vector<std::string> remarks;  ///< what was decided for the user, a line each
  std::string stopped;               ///< why the run ended early: a budget; empty: it did not
  std::string incomplete;            ///< what a service failed to answer; empty: nothing
  std::vector<Loss> lost;            ///< the same by stage and role
  std::vector<DescribedModel> models;
  std::uint64_t seed = 0;
  std::vector<Row> rows;
  std::vector<Paired> paired;
  std::vector<TrialRecord> trials;
  std::vector<PersonaRecord> personas;
  std::vector<UsageRecord> usage_by_role;  ///< by role (as `method`) and model, rows included
  std::vector<PromptText> prompts;
  std::vector<SearchProposals> proposals;
  std::vector<SearchFront> fronts;
  std::string student = "the untouched program";  ///< what the searches started from
  std::vector<SearchVerdict> gates;
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

/// The trials of a run's searches for a terminal, without the candidates; empty if there were none.
std::string trials_table(const Report& report);

/// Writes report.json and report.html into `directory`.
/// @throws RunError if they cannot be written.
void write_report(const Report& report, const std::filesystem::path& directory);

/// The models in the order of their first rows, and the methods likewise.
std::vector<std::string> models_of(const Report& report);
std::vector<std::string> methods_of(const Report& report);
/// nullptr if the method was not run under the model.
const Report::Row* find_row(const Report& report, const std::string& method,
                            const std::string& model);

}  // namespace theta
