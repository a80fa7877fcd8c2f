#include "experiments/report/report.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <set>

#include "experiments/files.hpp"
#include "experiments/report/paired_outcomes.hpp"

namespace theta {
namespace {

template <typename T>
T required(const Store& store, const RecordPart<T>& part) {
  auto value = find(store, part);
  if (!value)
    throw RunError(
        fmt::format("the run's record has no {}: the run ended before it began", part.name));
  return *std::move(value);
}

std::optional<double> order_consistency(const std::vector<Outcome>& outcomes) {
  std::map<std::string, std::vector<double>> margins;  // by item, of what was scored
  for (const auto& outcome : outcomes) {
    if (outcome.status == Outcome::Status::kScored) margins[outcome.item].push_back(outcome.margin);
  }
  int both = 0;
  int same = 0;
  for (const auto& [item, of_item] : margins) {
    if (of_item.size() != 2) continue;
    ++both;
    same += (of_item[0] > 0) == (of_item[1] > 0);
  }
  if (both == 0) return std::nullopt;
  return static_cast<double>(same) / both;
}

std::optional<double> persona_match(const std::vector<PersonaRecord>& personas,
                                    const std::string& method, const std::string& model) {
  int known = 0;
  int matched = 0;
  for (const auto& persona : personas) {
    if (persona.method != method || persona.model != model || persona.taste.empty()) continue;
    ++known;
    matched += persona.matched == persona.taste;
  }
  if (known == 0) return std::nullopt;
  return static_cast<double>(matched) / known;
}

Report::Row make_row(const std::vector<Outcome>& outcomes, const UsageRecord& usage,
                     const std::vector<PersonaRecord>& personas) {
  Report::Row row;
  row.method = usage.method;
  row.model = usage.model;
  row.usage = usage.usage;
  row.judgements = outcomes.size();
  std::vector<double> scores;
  std::vector<std::string> clusters;
  for (const auto& outcome : outcomes) {
    if (outcome.status == Outcome::Status::kUnparsable && row.unparsable++ == 0)
      row.why_unparsable = outcome.why;
    if (outcome.status == Outcome::Status::kRefused && row.refused++ == 0)
      row.why_refused = outcome.why;
    if (outcome.status == Outcome::Status::kFailed) {
      if (row.failed++ == 0) row.why_failed = outcome.why;
      continue;
    }
    scores.push_back(outcome.score);
    clusters.push_back(cluster_of(outcome));
  }
  row.users = distinct_of(clusters);
  if (!scores.empty()) {
    row.accuracy = mean(scores);
    const auto [low, high] = score_interval(scores, clusters);
    row.low = low;
    row.high = high;
    row.interval = is_plain(scores, clusters, {0, 1})
                       ? "wilson"
                       : fmt::format("wilson {}", clustering(outcomes));
  }
  row.order_consistency = order_consistency(outcomes);
  row.persona_match = persona_match(personas, row.method, row.model);
  return row;
}

std::vector<std::string> distinct(const Report& report, std::string Report::Row::*member) {
  std::vector<std::string> names;
  for (const auto& row : report.rows) {
    if (std::find(names.begin(), names.end(), row.*member) == names.end()) {
      names.push_back(row.*member);
    }
  }
  return names;
}

/// Outcomes by row: method and model.
using Outcomes = std::map<std::pair<std::string, std::string>, std::vector<Outcome>>;

/// The rows that have outcomes, in the order that the run wanted, and the usage of everything else.
void add_rows(const Store& store, const Outcomes& outcomes, Report& report) {
  for (const UsageRecord& usage : store.usage()) {
    const auto found = outcomes.find({usage.method, usage.model});
    if (found == outcomes.end())
      report.usage_by_role.push_back(usage);
    else
      report.rows.push_back(make_row(found->second, usage, report.personas));
  }
  for (auto& [method, model, options] : get(store, part::kOptions))
    for (auto& row : report.rows)
      if (row.method == method && row.model == model) row.options = options;
  std::ranges::sort(report.usage_by_role, {},
                    [](const UsageRecord& usage) { return std::pair(usage.method, usage.model); });
  const auto wanted = get(store, part::kRows);
  std::ranges::stable_sort(report.rows, {}, [&](const Report::Row& row) {
    return std::ranges::find(wanted, row.method) - wanted.begin();
  });
}

void add_comparisons(const Store& store, const Outcomes& outcomes, Report& report) {
  for (const auto& [method, against] : get(store, part::kComparisons))
    for (const auto& model : models_of(report)) {
      const auto mine = outcomes.find({method, model});
      const auto other = outcomes.find({against, model});
      if (mine == outcomes.end() || other == outcomes.end()) continue;
      auto paired = compare(mine->second, other->second);
      if (!paired) {
        spdlog::warn("{} and {} have no judgement in common under {}: not compared", method,
                     against, model);
        continue;
      }
      paired->method = method;
      paired->against = against;
      paired->model = model;
      report.paired.push_back(*std::move(paired));
    }
}

}  // namespace

Report make_report(const Store& store) {
  Report report;
  report.config_hash = required(store, part::kConfigHash);
  report.seed = required(store, part::kSeed);
  report.name = get(store, part::kName);
  report.note = get(store, part::kNote);
  report.config = get(store, part::kConfig);
  report.remarks = get(store, part::kRemarks);
  report.stopped = get(store, part::kStopped);
  report.incomplete = get(store, part::kIncomplete);
  report.lost = get(store, part::kLost);
  report.models = get(store, part::kModels);
  report.trials = store.trials();
  report.personas = get(store, part::kPersonas);
  report.prompts = get(store, part::kPrompts);
  report.proposals = get(store, part::kProposals);
  report.fronts = get(store, part::kFronts);
  report.gates = get(store, part::kGates);
  report.timing = store.timing();
  if (auto student = find(store, part::kStudent)) report.student = *std::move(student);
  Outcomes outcomes;
  for (auto& outcome : store.outcomes())
    outcomes[{outcome.method, outcome.model}].push_back(std::move(outcome));
  add_rows(store, outcomes, report);
  add_comparisons(store, outcomes, report);
  return report;
}

void write_report(const Report& report, const std::filesystem::path& directory) {
  write_whole(directory / "report.json", to_json(report));
  write_whole(directory / "report.html", to_html(report));
}

std::vector<std::string> models_of(const Report& report) {
  return distinct(report, &Report::Row::model);
}

std::vector<std::string> methods_of(const Report& report) {
  return distinct(report, &Report::Row::method);
}

const Report::Row* find_row(const Report& report, const std::string& method,
                            const std::string& model) {
  for (const auto& row : report.rows) {
    if (row.method == method && row.model == model) return &row;
  }
  return nullptr;
}

}  // namespace theta
