#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/gnuplot.hpp"
#include "experiments/report/html.hpp"
#include "experiments/report/html_body.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/report_tables.hpp"
#include "experiments/report/word_diff.hpp"

namespace theta {
namespace {

/// The columns that tell something of some row; accuracy always.
std::vector<std::size_t> telling_columns(const Report& report) {
  std::vector<std::size_t> columns{0};
  for (std::size_t c = 1; c < column_titles().size(); ++c)
    if (std::ranges::any_of(report.rows, [&](const Report::Row& row) {
          const std::string text = column_texts(row)[c];
          return text != "-" && text != "0";
        }))
      columns.push_back(c);
  return columns;
}

std::string result_table(const Report& report) {
  const auto models = models_of(report);
  const auto columns = telling_columns(report);
  std::string out =
      "<div class=\"wide\"><table>\n<tr><th rowspan=\"2\" class=\"method\">method</th>";
  for (const auto& model : models) {
    out += fmt::format("<th class=\"first\" colspan=\"{}\">{}</th>", columns.size(),
                       html_escaped(model));
  }
  out += "</tr>\n<tr>";
  const auto cells = [&](std::string_view tag, const std::vector<std::string>& texts) {
    for (const std::size_t c : columns) {
      out += fmt::format("<{} class=\"n{}\">{}</{}>", tag, c == 0 ? " first" : "",
                         html_escaped(texts[c]), tag);
    }
  };
  const std::vector<std::string> titles = column_titles();
  for (std::size_t m = 0; m < models.size(); ++m) cells("th", titles);
  out += "</tr>\n";
  for (const auto& method : methods_of(report)) {
    out += "<tr><td class=\"method\">" + html_escaped(method) + "</td>";
    for (const auto& model : models) {
      const auto* row = find_row(report, method, model);
      cells("td", row != nullptr ? column_texts(*row) : std::vector<std::string>(titles.size()));
    }
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

/// Every row's accuracy and interval, the models of a method below one another.
std::string forest_script(const Report& report) {
  const auto models = models_of(report);
  const auto methods = methods_of(report);
  std::string data;
  std::string plots;
  for (std::size_t m = 0; m < models.size(); ++m) {
    data += fmt::format("$model{} << END\n", m);
    for (std::size_t i = 0; i < methods.size(); ++i) {
      const auto* row = find_row(report, methods[i], models[m]);
      if (row == nullptr || !row->accuracy) continue;
      const auto y = static_cast<double>(i) + 0.22 * static_cast<double>(m);
      data += fmt::format("{} {} {} {}\n", *row->accuracy, *row->low, *row->high, y);
    }
    data += "END\n";
    plots += fmt::format("{} $model{} using 1:4:2:3 with xerrorbars pt 7 ps 0.7 lw 2 title {}",
                         m == 0 ? "plot" : ",", m, gnuplot_quoted(models[m]));
  }
  std::string ticks;
  for (std::size_t i = 0; i < methods.size(); ++i) {
    ticks += fmt::format("{}{} {}", i == 0 ? "" : ", ", gnuplot_quoted(methods[i]), i);
  }
  return data + fmt::format(
                    "set ytics ({})\nset yrange [{}:-0.6]\nset xlabel 'accuracy, 95 % interval'\n"
                    "set grid x\nset key outside top center horizontal\n{}\n",
                    ticks, static_cast<double>(methods.size()) - 0.2, plots);
}

/// What is known of the best candidate so far over the evaluations spent, a curve a search; the
/// gate's are no part of the search.
std::string trajectory_script(const Report& report) {
  std::vector<std::string> searches;
  for (const auto& trial : report.trials) {
    if (std::find(searches.begin(), searches.end(), trial.search) == searches.end()) {
      searches.push_back(trial.search);
    }
  }
  std::string data;
  std::string plots;
  for (std::size_t s = 0; s < searches.size(); ++s) {
    data += fmt::format("$search{} << END\n", s);
    for (const auto& trial : report.trials) {
      if (trial.search != searches[s] || trial.kind == TrialKind::kGate) continue;
      data += fmt::format("{} {}\n", trial.evaluations, trial.best);
    }
    data += "END\n";
    plots += fmt::format("{} $search{} with steps lw 2 title {}", s == 0 ? "plot" : ",", s,
                         gnuplot_quoted(searches[s]));
  }
  return data +
         "set xlabel 'evaluations'\nset ylabel 'best score so far'\nset xrange [0:]\n"
         "set grid\nset key outside top center horizontal\n" +
         plots + "\n";
}

std::string drawn(const Report& report) {
  const bool has_accuracy =
      std::any_of(report.rows.begin(), report.rows.end(),
                  [](const Report::Row& row) { return row.accuracy.has_value(); });
  std::string out;
  const auto add = [&](const char* title, const std::string& script, int height,
                       const char* words) {
    const auto svg = gnuplot_svg(script, 900, height);
    if (svg) out += fmt::format("<h2>{}</h2>\n{}", title, html_figure(*svg, words));
    return svg.has_value();
  };
  const int forest_height = 120 + 34 * static_cast<int>(methods_of(report).size());
  if ((has_accuracy && !add("Accuracy", forest_script(report), forest_height,
                            "Accuracy and interval of every row of the table of results.")) ||
      (!report.trials.empty() && !add("Searches", trajectory_script(report), 380,
                                      "The best score of every search over its evaluations, as the "
                                      "table of trials has it."))) {
    return "<p class=\"muted\">No plots: gnuplot is not installed or failed.</p>\n";
  }
  return out;
}

/// A prompt, with what changed in the one that it was searched for from.
std::string prompt_details(const Report& report, const PromptText& prompt) {
  const auto start =
      std::ranges::find(report.prompts, prompt.from.value_or(""), &PromptText::title);
  const std::string from = prompt.from && start != report.prompts.end() ? start->text : prompt.text;
  return fmt::format("<details><summary>{}</summary><pre>{}</pre></details>\n",
                     html_escaped(prompt.title), diff_html(word_diff(from, prompt.text)));
}

std::string details(std::string_view title, std::string_view text) {
  return fmt::format("<details><summary>{}</summary><pre>{}</pre></details>\n", html_escaped(title),
                     html_escaped(text));
}

std::string note_of(const Report& report) {
  return report.note.empty() ? "" : "<p class=\"note\">" + html_escaped(report.note) + "</p>\n";
}

std::string warning(const std::string& line) {
  return "<p class=\"note\">" + html_escaped(line) + "</p>\n";
}

/// A table under its title, if it has rows.
std::string section(std::string_view title, const Table& table, std::string_view legend = "") {
  if (table.rows.empty()) return "";
  std::string out = fmt::format("<h2>{}</h2>\n", title);
  if (!legend.empty()) out += fmt::format("<p class=\"muted\">{}.</p>\n", legend);
  return out + html_table(table);
}

Table paired_table(const Report& report) {
  Table table{{{"method"},
               {"against"},
               {"model"},
               {"users", true},
               {"judgements", true},
               {"difference [95 %]", true},
               {"interval"},
               {""}}};
  for (const auto& paired : report.paired)
    table.rows.push_back({paired.method, paired.against, paired.model, std::to_string(paired.users),
                          std::to_string(paired.judgements),
                          difference_text(paired.difference, paired.low, paired.high, paired.p),
                          paired.interval, missing_text(paired.missing, paired.missing_against)});
  return table;
}

std::string personas(const Report& report) {
  if (report.personas.empty()) return "";
  Table table{
      {{"user"}, {"method"}, {"model"}, {"persona"}, {"source"}, {"true taste"}, {"stated taste"}}};
  for (const auto& p : report.personas)
    table.rows.push_back({p.user, p.method, p.model, p.persona, p.source, p.taste, p.matched});
  return "<h2>Personas</h2>\n" + note_of(report) + html_table(table);
}

Table proposals_table(const Report& report) {
  Table table{{{"search"}, {"what came of them"}, {"", true}}};
  for (const auto& [search, counts] : report.proposals)
    for (const auto& [what, count] : counts)
      table.rows.push_back({search, what, std::to_string(count)});
  return table;
}

Table fronts_table(const Report& report) {
  Table table{{{"search"}, {"prompt tokens", true}, {"score ± sd", true}, {"candidate"}}};
  for (const auto& [search, points] : report.fronts)
    for (const Tradeoff& one : points)
      table.rows.push_back({search, std::to_string(one.prompt_tokens),
                            fmt::format("{:.3f} ± {:.3f}", one.score, one.sd),
                            to_json(one.candidate)});
  return table;
}

/// What was measured, and how far it is to be trusted.
std::string results(const Report& report) {
  std::string out;
  for (const auto& [name, how] : report.models)
    out += fmt::format("<p class=\"muted\">{}: {}</p>\n", html_escaped(name), html_escaped(how));
  if (!report.stopped.empty()) out += warning("Stopped early: " + report.stopped + ".");
  if (!report.incomplete.empty()) out += warning("Incomplete: " + report.incomplete + ".");
  for (const auto& remark : report.remarks) out += warning(remark);
  out += "<h2>Results</h2>\n" + note_of(report) + result_table(report);
  out += fmt::format("<p class=\"muted\">{}.</p>\n", kLegend);
  if (const std::string few = few_users_of(report); !few.empty()) out += warning(few + ".");
  for (const Table& table : {missing_answers(report), option_counts(report)})
    if (!table.rows.empty()) out += html_table(table);
  return out;
}

}  // namespace

std::string html_body(const Report& report, Plots plots) {
  std::string out = results(report);
  out += section("Paired differences", paired_table(report));
  out += section("Gate", gates_table(report), kGateLegend);
  if (plots == Plots::kDrawn) out += drawn(report);
  out += personas(report);
  if (!report.prompts.empty()) out += "<h2>Prompts</h2>\n";
  for (const PromptText& prompt : report.prompts) out += prompt_details(report, prompt);
  out += section("Instructions and personas that models wrote", proposals_table(report));
  out += section("Accuracy against prompt tokens", fronts_table(report));
  out += section("Trials", trials_of(report), kTrialsLegend);
  out += section("Usage by role", usage_table(report.usage_by_role));
  out += section("Timing", timing_table(report.timing));
  if (!report.config.empty()) out += "<h2>Config</h2>\n" + details("resolved", report.config);
  return out;
}

std::string to_html(const Report& report) {
  return html_page(report.name.empty() ? "Theta run" : report.name,
                   fmt::format("config {}, seed {}", report.config_hash, report.seed),
                   html_body(report));
}

}  // namespace theta
