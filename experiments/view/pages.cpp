#include "experiments/view/pages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/progress.hpp"
#include "experiments/report/html.hpp"
#include "experiments/report/html_body.hpp"
#include "experiments/report/report_tables.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/report/why.hpp"

namespace theta::view {
namespace {

std::string nav(const std::string& links) {
  return "<nav>" + link("", {}, "all runs") + links + "</nav>\n";
}

std::string of_run(const std::string& run) {
  return nav(link("run", {{"run", run}}, shown(run)) + link("items", {{"run", run}}, "items") +
             link("trials", {{"run", run}}, "trials") + link("answers", {{"run", run}}, "answers") +
             link("prompts", {{"run", run}}, "prompts") +
             link("report", {{"run", run}}, "report with plots"));
}

std::string state_text(const RunStatus& status) {
  const bool bad = status.state == RunState::kFailed || status.state == RunState::kIncomplete ||
                   status.state == RunState::kStopped;
  return fmt::format("<span{}>{}</span>", bad ? " class=\"bad\"" : "", name_of(status.state));
}

/// What it does now, or why it ended.
std::string doing(const RunStatus& status) {
  return shown(status.state == RunState::kRunning ? status.stage : status.error);
}

std::string tokens(const RunStatus& status) {
  return std::to_string(status.kept.prompt_tokens + status.kept.generated_tokens);
}

std::string left(const RunStatus& status) {
  return status.left_s ? clock_text(*status.left_s) : "-";
}

std::string trial_link(const std::string& run, const TrialRecord& trial, const std::string& html) {
  return link("trial",
              {{"run", run},
               {"search", trial.search},
               {"n", std::to_string(trial.number)},
               {"kind", std::string(name_of(trial.kind))}},
              html);
}

std::string trial_facts(const TrialRecord& trial) {
  return fmt::format(
      "<div><h2>{}, trial {}</h2><dl><dt>kind</dt><dd>{}</dd><dt>score</dt><dd>{}</dd>"
      "<dt>evaluations so far</dt><dd>{}</dd><dt>best then</dt><dd>{}</dd>"
      "<dt>became the best</dt><dd>{}</dd></dl>{}</div>\n",
      shown(trial.search), trial.number, name_of(trial.kind), fraction(trial.score, 3),
      trial.evaluations, interval_text(trial.best, trial.low, trial.high),
      trial.improved ? "yes" : "no", shown_block(candidate_text(trial.candidate)));
}

std::vector<Choice> titles_of(const std::vector<PromptText>& prompts) {
  std::vector<Choice> all;
  for (const PromptText& one : prompts) all.push_back({one.title, one.title});
  return all;
}

const PromptText* find_prompt(const std::vector<PromptText>& prompts, const std::string& title) {
  const auto found = std::ranges::find(prompts, title, &PromptText::title);
  return found == prompts.end() ? nullptr : &*found;
}

}  // namespace

Page index_page(const std::string& title, const std::vector<ListedFolder>& listed,
                const Piece& piece, const std::string& above) {
  Page page{title};
  if (!above.empty()) page.form = nav(link("report", {{"run", above}}, "report with plots"));
  Table table{{{"run", false, kWidestLabel},
               {"state"},
               {"best", true},
               {"calls", true},
               {"tokens", true},
               {"left", true},
               {""}}};
  for (const auto& [folder, label, runs, status] : listed) {
    if (runs) {
      table.rows.push_back({link("sweep", {{"run", folder}}, shown(label)),
                            fmt::format("sweep of {}", *runs), "", "", "", "", ""});
      continue;
    }
    page.live |= status.state == RunState::kRunning || status.state == RunState::kWaiting;
    const bool there = status.state != RunState::kWaiting;
    table.rows.push_back({there ? link("run", {{"run", folder}}, shown(label)) : shown(label),
                          state_text(status), fraction_or_dash(status.best),
                          std::to_string(status.kept.calls), tokens(status), left(status),
                          doing(status)});
  }
  const Query query = above.empty() ? Query{} : Query{{"run", above}};
  page.body = html_table_of_cells(table) + pager(above.empty() ? "" : "sweep", query, piece);
  return page;
}

Page run_page(const std::string& run, const RunStatus& status, const std::optional<Report>& report,
              const std::vector<std::string>& others) {
  Page page{.title = report && !report->name.empty() ? report->name : run};
  page.live = status.state == RunState::kRunning;
  page.form = of_run(run);
  if (!others.empty()) {
    std::vector<Choice> choices;
    for (const std::string& other : others) choices.push_back({other, other});
    page.form += form("compare", {{"run", run}}, select_field("compare with", "with", choices, ""),
                      /*filters=*/false);
  }
  page.body = fmt::format("<p>{}{}, best {}, {} calls, {} tokens{}</p>\n", state_text(status),
                          doing(status) == shown("") ? "" : ": " + doing(status),
                          fraction_or_dash(status.best), status.kept.calls, tokens(status),
                          status.left_s ? ", left " + left(status) : "");
  if (!report) return page;
  Table rows{{{"items of", false, kWidestLabel}, {"model"}, {"accuracy [95 %]", true}}};
  for (const Report::Row& row : report->rows)
    rows.rows.push_back({link("items", query_of({run, row.method, row.model}), shown(row.method)),
                         shown(row.model),
                         row.accuracy ? interval_text(*row.accuracy, *row.low, *row.high) : "-"});
  if (!rows.rows.empty()) page.body += html_table_of_cells(rows);
  page.body += html_body(*report, Plots::kNone);
  return page;
}

Page comparison_page(const std::string& a, const std::string& b, const RunComparison& comparison) {
  Page page{.title = comparison.a.name + " and " + comparison.b.name};
  page.form = nav(" A: " + link("run", {{"run", a}}, shown(a)) +
                  " B: " + link("run", {{"run", b}}, shown(b)) +
                  link("prompts", {{"run", a}, {"with", b}}, "prompts"));
  Table rows{{{"item by item", false, kWidestLabel}, {"model"}}};
  for (const auto& row : comparison.rows)
    rows.rows.push_back(
        {link("items",
              query_of({a, row.a.method, row.a.model}, RowName{b, row.b.method, row.b.model}),
              shown(row.a.method)),
         shown(row.a.model)});
  page.body = html_table_of_cells(rows) + html_body(comparison);
  return page;
}

Page trials_page(const TrialsView& view) {
  Page page{.title = "Trials"};
  page.live = view.live;
  page.form = of_run(view.run);
  std::vector<Choice> searches;
  for (const std::string& search : view.searches) searches.push_back({search, search});
  if (searches.size() > 1)
    page.form += form("trials", {{"run", view.run}},
                      select_field("search", "search", searches, view.search));
  Table table{{{"trial", true},
               {"kind"},
               {"score", true},
               {"evaluations", true},
               {"best then [95 %]", true},
               {""},
               {"candidate", false, kWidestLabel}}};
  for (const TrialRecord& trial : view.trials)
    table.rows.push_back(
        {trial_link(view.run, trial, std::to_string(trial.number)),
         std::string(name_of(trial.kind)), fraction(trial.score, 3),
         std::to_string(trial.evaluations), interval_text(trial.best, trial.low, trial.high),
         trial.improved ? "the best" : "", shown_start(candidate_text(trial.candidate), 160)});
  page.body = html_table_of_cells(table) +
              pager("trials", {{"run", view.run}, {"search", view.search}}, view.piece);
  return page;
}

Page trial_page(const std::string& run, const TrialRecord& trial, const TrialRecord& against) {
  Page page{.title = "Two trials"};
  page.form =
      of_run(run) + form("trial",
                         {{"run", run},
                          {"search", trial.search},
                          {"n", std::to_string(trial.number)},
                          {"kind", std::string(name_of(trial.kind))}},
                         text_field("beside trial", "with", std::to_string(against.number)));
  page.body = "<div class=\"sides\">" + trial_facts(against) + trial_facts(trial) + "</div>\n";
  page.body +=
      fmt::format("<h2>What trial {} changed in trial {}</h2>\n{}", trial.number, against.number,
                  shown_diff(candidate_text(against.candidate), candidate_text(trial.candidate)));
  return page;
}

Page prompts_page(const PromptsView& view) {
  Page page{.title = "Prompts"};
  page.form = of_run(view.run);
  page.form += form(
      "prompts", {{"run", view.run}, {"with", view.against_run}},
      select_field("from", "a", titles_of(view.prompts), view.title) +
          select_field(view.against_run.empty() ? "to" : "to one of " + shown(view.against_run),
                       "b", titles_of(view.against_prompts), view.against));
  const PromptText* before = find_prompt(view.prompts, view.title);
  const PromptText* after = find_prompt(view.against_prompts, view.against);
  if (before == nullptr || after == nullptr)
    page.body = "<p class=\"muted\">the record has no such prompts</p>\n";
  else
    page.body = fmt::format("<h2>From {} to {}</h2>\n{}", shown(before->title), shown(after->title),
                            shown_diff(before->text, after->text));
  return page;
}

Page error_page(const std::string& why) {
  return {.title = "Nothing to show",
          .form = nav(""),
          .body = "<p class=\"note\">" + shown(why) + "</p>\n"};
}

}  // namespace theta::view
