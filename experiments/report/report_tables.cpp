#include "experiments/report/report_tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/text_table.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

/// `positive 150 / 100, negative 50 / 100`; of many options those that are furthest off.
std::string options_text(std::vector<OptionCount> options) {
  constexpr std::size_t kShown = 6;
  const std::size_t hidden = options.size() - std::min(options.size(), kShown);
  if (hidden > 0) {
    std::ranges::stable_sort(options, std::ranges::greater{}, [](const auto& one) {
      return std::max(one.chosen, one.right) - std::min(one.chosen, one.right);
    });
    options.resize(kShown);
  }
  std::vector<std::string> texts;
  for (const auto& one : options)
    texts.push_back(fmt::format("{} {} / {}", one.option, one.chosen, one.right));
  return join(texts, ", ") + (hidden > 0 ? fmt::format(" and {} closer", hidden) : "");
}

/// `+.021 [-.010, +.052]`
std::string gain_text(const Decision& gate) {
  return fmt::format("{} [{}, {}]", fraction(gate.estimate, 3, true), fraction(gate.low, 3, true),
                     fraction(gate.high, 3, true));
}

}  // namespace

Table option_counts(const Report& report) {
  Table table{{{"method"}, {"model"}, {"options: how often chosen / right"}}};
  for (const auto& row : report.rows)
    if (!row.options.empty())
      table.rows.push_back({row.method, row.model, options_text(row.options)});
  return table;
}

Table trials_of(const Report& report) {
  Table table{{{"search"},
               {"trial", true},
               {"kind"},
               {"score", true},
               {"best", true},
               {"evaluations", true},
               {"candidate"}}};
  for (const TrialRecord& trial : report.trials)
    if (trial.kind != TrialKind::kMinibatch || trial.improved)
      table.rows.push_back({trial.search, std::to_string(trial.number),
                            std::string(name_of(trial.kind)), fraction(trial.score, 3),
                            interval_text(trial.best, trial.low, trial.high),
                            std::to_string(trial.evaluations), to_json(trial.candidate)});
  return table;
}

std::vector<std::string> column_titles() {
  return {"accuracy", "order", "match", "unp.", "ref.", "fail", "calls", "tokens"};
}

std::vector<std::string> column_texts(const Report::Row& row) {
  return {row.accuracy ? interval_text(*row.accuracy, *row.low, *row.high) : "-",
          fraction_or_dash(row.order_consistency),
          fraction_or_dash(row.persona_match),
          std::to_string(row.unparsable),
          std::to_string(row.refused),
          std::to_string(row.failed),
          std::to_string(row.usage.calls),
          std::to_string(row.usage.prompt_tokens + row.usage.generated_tokens)};
}

Table missing_answers(const Report& report) {
  constexpr std::size_t kShown = 200;
  Table table{{{"method"}, {"model"}, {"answers"}, {"the first of them"}}};
  for (const Report::Row& row : report.rows) {
    const auto add = [&](std::size_t count, const char* what, const std::string& why) {
      if (count == 0) return;
      table.rows.push_back({row.method, row.model,
                            fmt::format("{} of {} {}", count, row.judgements, what),
                            shorten(replace_all(why, "\n", " "), kShown)});
    };
    add(row.failed, "missing", row.why_failed);
    add(row.refused, "refused", row.why_refused);
    add(row.unparsable, "not parsed", row.why_unparsable);
  }
  return table;
}

Table usage_table(const std::vector<UsageRecord>& by_role) {
  Table table{
      {{"role"}, {"model"}, {"calls", true}, {"prompt tokens", true}, {"generated tokens", true}}};
  for (const auto& [role, model, usage] : by_role)
    table.rows.push_back({role, model, std::to_string(usage.calls),
                          std::to_string(usage.prompt_tokens),
                          std::to_string(usage.generated_tokens)});
  return table;
}

Table timing_table(const std::vector<std::pair<std::string, double>>& timing) {
  Table table{{{"what"}, {"amount", true}}};
  for (const auto& [what, amount] : timing)
    table.rows.push_back({what, fmt::format("{:.6g}", amount)});
  return table;
}

Table gates_table(const Report& report) {
  Table table{
      {{"search"}, {"expected gain", true}, {"claimed", true}, {"fresh", true}, {"verdict"}}};
  for (const auto& [search, gate] : report.gates)
    table.rows.push_back({search, gate.found ? gain_text(gate) : "-",
                          gate.found ? fraction(gate.claimed, 3, true) : "-",
                          std::to_string(gate.n_fresh), verdict_text(gate, report.student)});
  return table;
}

std::string verdict_text(const Decision& gate, const std::string& student) {
  if (!gate.found) return "kept " + student + ": the search found no other";
  const std::string verdict = gate.saved ? "saved" : "kept " + student;
  const std::string broken = gate.broken ? ", but worse on anchor " + *gate.broken : "";
  return fmt::format("{}: P(better) = {}{}", verdict, fraction(gate.p_better, 2), broken);
}

std::string gate_text(const Decision& gate) {
  return gate.found ? gain_text(gate) + ", " + verdict_text(gate) : verdict_text(gate);
}

std::string difference_text(double difference, double low, double high, double p) {
  return fmt::format("{} [{}, {}], p {}", fraction(difference, 3, true), fraction(low, 3, true),
                     fraction(high, 3, true), p < 0.001 ? "< .001" : "= " + fraction(p, 3));
}

std::string missing_text(std::size_t missing, std::size_t against) {
  if (missing == 0 && against == 0) return "";
  return fmt::format("missing: {}, {} of the other", missing, against);
}

std::string few_users(std::size_t fewest) {
  constexpr std::size_t kEnough = 6;
  if (fewest >= kEnough) return "";
  return fmt::format(
      "an interval rests on {} (or items without one): fewer than {} say little of others",
      fewest == 1 ? "1 user" : fmt::format("{} users", fewest), kEnough);
}

}  // namespace theta
