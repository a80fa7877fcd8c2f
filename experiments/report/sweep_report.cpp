#include "experiments/report/sweep_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/files.hpp"
#include "experiments/report/axis_effects.hpp"
#include "experiments/report/html.hpp"
#include "experiments/report/report_json.hpp"
#include "experiments/report/report_tables.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/run_record.hpp"
#include "experiments/runs/sweep_worker.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kSeedsLegend =
    "accuracy: mean over seeds and its 95 % interval over seeds and items; unp.: answers that "
    "could not\nbe parsed, ref.: prompts that were refused, both scored 0; fail: no answer, left "
    "out "
    "of the accuracy";

/// Of a mean of scores, which are in [0, 1].
Interval within_scores(Interval interval) {
  return {std::max(0.0, interval.low), std::min(1.0, interval.high)};
}

/// The row of a list that `is_it` finds, else a new one at its end.
template <typename T, typename F>
T& find_or_add(std::vector<T>& rows, T fresh, const F& is_it) {
  const auto found = std::ranges::find_if(rows, is_it);
  return found == rows.end() ? rows.emplace_back(std::move(fresh)) : *found;
}

/// What is known of the best candidate of a search; none where the row was not searched for.
std::optional<double> validation_of(const Report& run, const std::string& search) {
  std::optional<double> best;
  for (const TrialRecord& trial : run.trials)
    if (trial.search == search && trial.kind != TrialKind::kGate) best = trial.best;
  return best;
}

void add_run(SweepReport& out, const ListedRun& listed, const Report& run) {
  const std::string& setting = listed.setting;
  for (const Report::Row& row : run.rows) {
    if (!row.accuracy) continue;
    SweepReport::Row& mine =
        find_or_add(out.rows,
                    {setting,
                     row.method,
                     row.model,
                     listed.values,
                     {},
                     {},
                     0,
                     {},
                     row.users,
                     0,
                     0,
                     0,
                     {},
                     {},
                     {}},
                    [&](const auto& r) {
                      return r.setting == setting && r.method == row.method && r.model == row.model;
                    });
    mine.accuracies.push_back(*row.accuracy);
    mine.run_intervals.push_back({*row.low, *row.high});
    mine.users = std::min(mine.users, row.users);
    mine.unparsable += row.unparsable;
    mine.refused += row.refused;
    mine.failed += row.failed;
    mine.usage += row.usage;
    if (const auto best = validation_of(run, row.method)) mine.validations.push_back(*best);
  }
  for (const Report::Paired& paired : run.paired) {
    SweepReport::Paired& mine = find_or_add(
        out.paired,
        {setting, paired.method, paired.against, paired.model, {}, {}, 0, {}, paired.users, 0, 0},
        [&](const auto& p) {
          return p.setting == setting && p.method == paired.method && p.against == paired.against &&
                 p.model == paired.model;
        });
    mine.differences.push_back(paired.difference);
    mine.run_estimates.push_back(paired.estimate);
    mine.users = std::min(mine.users, paired.users);
    mine.missing += paired.missing;
    mine.missing_against += paired.missing_against;
  }
  for (const UsageRecord& one : run.usage_by_role)
    find_or_add(out.usage_by_role, {one.method, one.model, {}}, [&](const auto& u) {
      return u.method == one.method && u.model == one.model;
    }).usage += one.usage;
}

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push_back(rounded(value));
  return out;
}

Json json_of(const SweepReport::Effect& effect) {
  const SweepReport::Effect::Best best = effect.best.value_or(SweepReport::Effect::Best{});
  const auto known = [&](double value) { return effect.best ? rounded(value) : Json(nullptr); };
  return {{"axis", effect.axis},
          {"value", effect.value},
          {"method", effect.method},
          {"model", effect.model},
          {"runs", effect.accuracies.size()},
          {"accuracy", rounded(effect.mean)},
          {"accuracies", numbers(effect.accuracies)},
          {"best", best.setting},
          {"best_validation", known(best.validation)},
          {"best_accuracy", known(best.mean)},
          {"best_low", known(best.interval.low)},
          {"best_high", known(best.interval.high)}};
}

Table result_table(const SweepReport& report) {
  Table table{{{"setting", false, kWidestLabel},
               {"method"},
               {"model"},
               {"seeds", true},
               {"accuracy", true},
               {"unp.", true},
               {"ref.", true},
               {"fail", true},
               {"calls", true},
               {"tokens", true}}};
  for (const auto& row : report.rows)
    table.rows.push_back({row.setting, row.method, row.model, std::to_string(row.accuracies.size()),
                          interval_text(row.mean, row.interval.low, row.interval.high),
                          std::to_string(row.unparsable), std::to_string(row.refused),
                          std::to_string(row.failed), std::to_string(row.usage.calls),
                          std::to_string(row.usage.prompt_tokens + row.usage.generated_tokens)});
  return table;
}

Table paired_table(const SweepReport& report) {
  Table table{{{"setting", false, kWidestLabel},
               {"method"},
               {"against"},
               {"model"},
               {"seeds", true},
               {"difference [95 %]", true},
               {""}}};
  for (const auto& paired : report.paired) {
    const auto [low, high] = paired.estimate.interval();
    table.rows.push_back({paired.setting, paired.method, paired.against, paired.model,
                          std::to_string(paired.differences.size()),
                          difference_text(paired.mean, low, high, paired.estimate.p()),
                          missing_text(paired.missing, paired.missing_against)});
  }
  return table;
}

Table run_table(const SweepReport& report) {
  Table table{{{"run", false, kWidestLabel},
               {"folder"},
               {"state"},
               {"best on validation", true},
               {"calls", true},
               {"tokens", true},
               {""}}};
  for (const auto& [listed, status] : report.runs)
    table.rows.push_back({listed.label, listed.folder, name_of(status.state),
                          fraction_or_dash(status.best), std::to_string(status.kept.calls),
                          std::to_string(status.kept.prompt_tokens + status.kept.generated_tokens),
                          status.error});
  return table;
}

/// What models did for the runs of all workers, but of those that other machines are at.
void add_timing(SweepReport& report, const fs::path& folder) {
  for (std::size_t n = 1; fs::exists(shared_answers(folder, n)); ++n) {
    const fs::path record = shared_answers(folder, n);
    if (look_at_claim(record).held_elsewhere()) continue;
    for (const auto& [what, amount] : Store(record, Store::Access::kRead).timing())
      find_or_add(report.timing, {what, 0.0}, [&](const auto& one) {
        return one.first == what;
      }).second += amount;
  }
}

}  // namespace

SweepReport make_sweep_report(const fs::path& folder) {
  const SweepList list = read_sweep_list(folder);
  SweepReport report;
  report.name = list.name;
  for (const ListedRun& listed : list.runs) {
    const fs::path run = folder / listed.folder;
    report.runs.push_back({listed, read_status(run)});
    if (report.runs.back().status.state == RunState::kDone)
      add_run(report, listed, make_report(Store(run / kRecordFile, Store::Access::kRead)));
  }
  for (auto& row : report.rows) {
    row.mean = mean(row.accuracies);
    if (row.validations.size() == row.accuracies.size()) row.validation = mean(row.validations);
    row.interval = within_scores(over_seeds_and_items(row.accuracies, row.run_intervals));
  }
  for (auto& paired : report.paired) {
    paired.mean = mean(paired.differences);
    paired.estimate = over_seeds_and_items(paired.run_estimates);
  }
  report.effects = axis_effects(report.rows);
  add_timing(report, folder);
  return report;
}

std::string to_json(const SweepReport& report) {
  Json json = {{"schema", 1},
               {"name", report.name},
               {"runs", Json::array()},
               {"rows", Json::array()},
               {"paired", Json::array()},
               {"axes", Json::array()},
               {"usage_by_role", usage_json(report.usage_by_role)},
               {"timing", Json::object()}};
  for (const auto& [listed, status] : report.runs)
    json["runs"].push_back({{"folder", listed.folder},
                            {"label", listed.label},
                            {"setting", listed.setting},
                            {"seed", listed.seed},
                            {"state", name_of(status.state)},
                            {"best", rounded(status.best)},
                            {"calls", status.kept.calls},
                            {"prompt_tokens", status.kept.prompt_tokens},
                            {"generated_tokens", status.kept.generated_tokens},
                            {"error", status.error}});
  for (const auto& row : report.rows)
    json["rows"].push_back({{"setting", row.setting},
                            {"method", row.method},
                            {"model", row.model},
                            {"seeds", row.accuracies.size()},
                            {"users", row.users},
                            {"accuracy", rounded(row.mean)},
                            {"low", rounded(row.interval.low)},
                            {"high", rounded(row.interval.high)},
                            {"interval", "t over seeds and each run's interval (MOVER)"},
                            {"accuracies", numbers(row.accuracies)},
                            {"validation", rounded(row.validation)},
                            {"unparsable", row.unparsable},
                            {"refused", row.refused},
                            {"failed", row.failed},
                            {"calls", row.usage.calls},
                            {"prompt_tokens", row.usage.prompt_tokens},
                            {"generated_tokens", row.usage.generated_tokens}});
  for (const auto& paired : report.paired) {
    const auto [low, high] = paired.estimate.interval();
    json["paired"].push_back({{"setting", paired.setting},
                              {"method", paired.method},
                              {"against", paired.against},
                              {"model", paired.model},
                              {"seeds", paired.differences.size()},
                              {"users", paired.users},
                              {"difference", rounded(paired.mean)},
                              {"low", rounded(low)},
                              {"high", rounded(high)},
                              {"p", rounded(paired.estimate.p())},
                              {"interval", "t over seeds and items (Satterthwaite)"},
                              {"missing", paired.missing},
                              {"missing_against", paired.missing_against},
                              {"differences", numbers(paired.differences)}});
  }
  for (const auto& effect : report.effects) json["axes"].push_back(json_of(effect));
  for (const auto& [what, amount] : report.timing) json["timing"][what] = amount;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string to_html(const SweepReport& report) {
  std::string body = "<h2>Results</h2>\n" + html_table(result_table(report));
  body += fmt::format("<p class=\"muted\">{}.</p>\n", html_escaped(kSeedsLegend));
  if (const std::string few = few_users_of(report); !few.empty())
    body += "<p class=\"note\">" + html_escaped(few) + ".</p>\n";
  if (!report.paired.empty())
    body += "<h2>Paired differences</h2>\n" + html_table(paired_table(report));
  if (!report.effects.empty())
    body += "<h2>Axes</h2>\n" + html_table(effects_table(report)) +
            fmt::format("<p class=\"muted\">{}.</p>\n", kEffectsLegend);
  body += sweep_plots(report);
  if (!report.usage_by_role.empty())
    body += "<h2>Usage by role</h2>\n" + html_table(usage_table(report.usage_by_role));
  body += "<h2>Runs</h2>\n" + html_table(run_table(report));
  if (!report.timing.empty())
    body += "<h2>Timing of the shared models</h2>\n" + html_table(timing_table(report.timing));
  return html_page(report.name, fmt::format("{} runs", report.runs.size()), body);
}

std::string to_table(const SweepReport& report) {
  std::string out = text_table(result_table(report)) + kSeedsLegend + "\n";
  if (const std::string few = few_users_of(report); !few.empty()) out += few + "\n";
  if (!report.paired.empty()) out += "\npaired differences\n" + text_table(paired_table(report));
  if (!report.effects.empty())
    out += "\naxes\n" + text_table(effects_table(report)) + kEffectsLegend + "\n";
  if (!report.usage_by_role.empty())
    out += "\nusage by role\n" + text_table(usage_table(report.usage_by_role));
  const auto done = std::ranges::count_if(
      report.runs, [](const auto& run) { return run.status.state == RunState::kDone; });
  if (done < std::ssize(report.runs))
    out += fmt::format("\n{} of {} runs are done; theta status says how the others stand\n", done,
                       report.runs.size());
  return out;
}

std::string finish_sweep_report(const fs::path& folder) {
  const SweepReport report = make_sweep_report(folder);
  write_whole(folder / "report.json", to_json(report));
  write_whole(folder / "report.html", to_html(report));
  return to_table(report);
}

}  // namespace theta
