#include "experiments/report/why.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "core/nearest.hpp"
#include "experiments/report/paired_outcomes.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/report_tables.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/report/word_diff.hpp"

namespace theta {
namespace {

/// The items of which one method's score is higher, and those of which the other's is.
std::string turned(const std::vector<Outcome>& all, const Report::Paired& paired) {
  const auto of = [&](const std::string& method) { return outcomes_of(all, method, paired.model); };
  return turned_text(turned_items(of(paired.method), of(paired.against)));
}

/// What its search believed, and what it took.
std::string searched(const Report& report, const std::string& search) {
  std::string out;
  for (const auto& [name, gate] : report.gates)
    if (name == search)
      out += labelled_line(
          "search", gate_text(gate) + fmt::format(", on {} fresh rows; it claimed {}", gate.n_fresh,
                                                  fraction(gate.claimed, 3, true)));
  std::int64_t evaluations = 0, since = 0;
  int winner = 0;
  for (const TrialRecord& trial : report.trials) {
    if (trial.search != search) continue;
    evaluations = trial.evaluations;
    if (trial.improved) since = trial.evaluations;
    if (trial.kind == TrialKind::kFull) winner = trial.number;
  }
  if (evaluations > 0)
    out += labelled_line(
        "", fmt::format("{} evaluations; its best leads from {} on{}", evaluations, since,
                        winner > 0 ? fmt::format(" (--trial {})", winner) : ""));
  return out;
}

/// What a prompt became of the one that its search started from.
std::string changed(const Report& report, const std::string& title) {
  const auto found = std::ranges::find(report.prompts, title, &PromptText::title);
  if (found == report.prompts.end() || !found->from) return "";
  const auto start = std::ranges::find(report.prompts, *found->from, &PromptText::title);
  if (start == report.prompts.end()) return "";
  if (start->text == found->text) return labelled_line("prompt", "that of " + start->title);
  return labelled_line("prompt", "against that of " + start->title + ":") + "\n" +
         diff_text(word_diff(start->text, found->text)) + "\n";
}

}  // namespace

std::string candidate_text(const Candidate& candidate) {
  std::string out;
  for (const Candidate::Part& part : candidate.parts)
    out +=
        fmt::format("{}: {}\n{} demos{}{}\n", part.predictor, part.instruction, part.demos,
                    part.nearest > 0 ? fmt::format(", {} that suit the input", part.nearest) : "",
                    part.format.empty() ? "" : ", " + part.format);
  return out;
}

std::string why_text(const Store& store, const std::string& row) {
  const Report report = make_report(store);
  const std::vector<Outcome> outcomes = store.outcomes();
  const std::vector<std::string> methods = methods_of(report);
  if (!row.empty() && std::ranges::find(methods, row) == methods.end())
    throw UserError(fmt::format("there is no row `{}`{}; there are {}", row,
                                did_you_mean(row, methods), fmt::join(methods, ", ")));
  std::string out;
  for (const Report::Row& one : report.rows) {
    if (!row.empty() && one.method != row) continue;
    std::string text;
    for (const Report::Paired& paired : report.paired)
      if (paired.method == one.method && paired.model == one.model)
        text += labelled_line("over", fmt::format("{}: {}", paired.against,
                                                  difference_text(paired.difference, paired.low,
                                                                  paired.high, paired.p))) +
                turned(outcomes, paired);
    text += searched(report, one.method);
    if (text.empty() && row.empty()) continue;
    text += labelled_line(
        "asked", fmt::format("{} calls, {} prompt tokens, {} generated for this row",
                             one.usage.calls, one.usage.prompt_tokens, one.usage.generated_tokens));
    text += changed(report, one.method);
    out +=
        fmt::format("{}{}, {}: {}\n{}", out.empty() ? "" : "\n", one.method, one.model,
                    one.accuracy ? interval_text(*one.accuracy, *one.low, *one.high) : "-", text);
  }
  return out.empty() ? "no row is compared with another\n" : out;
}

std::string trial_text(const Store& store, const std::string& search, int number) {
  const std::vector<TrialRecord> trials = store.trials();
  std::vector<const TrialRecord*> own;
  std::vector<std::string> searches;
  for (const TrialRecord& trial : trials) {
    if (std::ranges::find(searches, trial.search) == searches.end())
      searches.push_back(trial.search);
    if (search.empty() ? trial.search == searches.front() : trial.search == search)
      own.push_back(&trial);
  }
  if (own.empty())
    throw UserError(searches.empty()
                        ? "this run has no search"
                        : fmt::format("there is no search `{}`{}; there are {}", search,
                                      did_you_mean(search, searches), fmt::join(searches, ", ")));
  const auto found = std::ranges::find(own, number, &TrialRecord::number);
  if (found == own.end())
    throw UserError(fmt::format("{} has the trials {} to {}, and no {}", own.front()->search,
                                own.front()->number, own.back()->number, number));
  const TrialRecord& trial = **found;
  std::string out = fmt::format("{}, trial {}, {}: scored {}\n", trial.search, trial.number,
                                name_of(trial.kind), fraction(trial.score, 3));
  out += labelled_line(
      "then", fmt::format("the best was {}{}, after {} evaluations",
                          interval_text(trial.best, trial.low, trial.high),
                          trial.improved ? ", and this became it" : "", trial.evaluations));
  const std::string start = candidate_text(own.front()->candidate),
                    now = candidate_text(trial.candidate);
  if (start == now) return out + labelled_line("prompt", "as the search started");
  return out + labelled_line("prompt", "against what the search started from:") + "\n" +
         diff_text(word_diff(start, now)) + "\n";
}

}  // namespace theta
