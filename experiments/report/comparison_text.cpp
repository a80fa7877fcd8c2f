#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/report/comparison.hpp"
#include "experiments/report/html.hpp"
#include "experiments/report/html_body.hpp"
#include "experiments/report/report_json.hpp"
#include "experiments/report/report_tables.hpp"
#include "experiments/report/text_table.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kComparisonLegend =
    "A, B: mean score in each run and its 95 % interval; B - A: over the items that both scored, "
    "its 95 %\ninterval and p by one t (jackknife over users, or items without one); better, "
    "worse: "
    "items that B\nscores higher, lower; calls: A, then B";

std::string text_of(const RunComparison::Side& side) {
  return fmt::format("{}: {}, config {}, seed {}", side.folder, side.name, side.config_hash,
                     side.seed);
}

std::string either(const std::string& a, const std::string& b) {
  return a == b ? a : a + ", then " + b;
}

std::string accuracy_of(const Report::Row& row) {
  return row.accuracy ? interval_text(*row.accuracy, *row.low, *row.high) : "-";
}

std::int64_t n_better(const RunComparison::Row& row) {
  return std::ranges::count_if(row.turned, [](const auto& one) { return one.score > one.against; });
}

Table row_table(const RunComparison& comparison) {
  Table table{{{"method"},
               {"model"},
               {"A", true},
               {"B", true},
               {"B - A [95 %]", true},
               {"judgements", true},
               {"users", true},
               {"better", true},
               {"worse", true},
               {"calls", true},
               {""}}};
  for (const auto& row : comparison.rows) {
    const Report::Paired& paired = row.paired;
    const auto better = n_better(row);
    table.rows.push_back({either(row.a.method, row.b.method), either(row.a.model, row.b.model),
                          accuracy_of(row.a), accuracy_of(row.b),
                          difference_text(paired.difference, paired.low, paired.high, paired.p),
                          std::to_string(paired.judgements), std::to_string(paired.users),
                          std::to_string(better), std::to_string(std::ssize(row.turned) - better),
                          fmt::format("{}, {}", row.a.usage.calls, row.b.usage.calls),
                          missing_text(paired.missing, paired.missing_against)});
  }
  return table;
}

Table config_table(const RunComparison& comparison) {
  Table table{{{"config"}, {"A"}, {"B"}}};
  for (const auto& [key, a, b] : comparison.config) table.rows.push_back({key, a, b});
  return table;
}

Table turned_table(const RunComparison::Row& row) {
  Table table{{{"item"}, {"user"}, {"A", true}, {"B", true}}};
  for (const TurnedItem& one : row.turned)
    table.rows.push_back({one.item, one.group, fraction(one.against, 2), fraction(one.score, 2)});
  return table;
}

/// A sentence where an interval rests on few users.
std::string few_users_of(const RunComparison& comparison) {
  std::size_t fewest = comparison.rows.front().paired.users;
  for (const auto& row : comparison.rows) fewest = std::min(fewest, row.paired.users);
  return few_users(fewest);
}

/// What the reader must know beside the table, a line each.
std::vector<std::string> notes_of(const RunComparison& comparison) {
  std::vector<std::string> notes = comparison.remarks;
  for (std::string& note : notes)
    if (note.ends_with('.')) note.pop_back();  // as every line here
  if (const std::string few = few_users_of(comparison); !few.empty()) notes.push_back(few);
  for (const auto& [side, name] : {std::pair(&comparison.a, "A"), std::pair(&comparison.b, "B")})
    if (!side->alone.empty())
      notes.push_back(fmt::format("in {} alone: {}", name, fmt::join(side->alone, "; ")));
  if (!comparison.a.alone.empty() && !comparison.b.alone.empty())
    notes.push_back("--row and --with compare two rows of other names");
  return notes;
}

std::string title_of(const RunComparison::Row& row) {
  return either(row.a.method, row.b.method) + ", " + either(row.a.model, row.b.model);
}

Json json_of(const RunComparison::Side& side, const char* run) {
  return {{"run", run},        {"folder", side.folder},
          {"name", side.name}, {"config_hash", side.config_hash},
          {"seed", side.seed}, {"alone", side.alone}};
}

Json json_of(const Report::Row& row) {
  return {{"method", row.method},
          {"model", row.model},
          {"accuracy", rounded(row.accuracy)},
          {"low", rounded(row.low)},
          {"high", rounded(row.high)},
          {"calls", row.usage.calls},
          {"prompt_tokens", row.usage.prompt_tokens},
          {"generated_tokens", row.usage.generated_tokens}};
}

Json json_of(const RunComparison::Row& row) {
  const Report::Paired& paired = row.paired;
  Json turned = Json::array();
  for (const TurnedItem& one : row.turned)
    turned.push_back({{"item", one.item},
                      {"user", one.group},
                      {"a", rounded(one.against)},
                      {"b", rounded(one.score)}});
  return {{"a", json_of(row.a)},
          {"b", json_of(row.b)},
          {"difference", rounded(paired.difference)},
          {"low", rounded(paired.low)},
          {"high", rounded(paired.high)},
          {"p", rounded(paired.p)},
          {"interval", paired.interval},
          {"judgements", paired.judgements},
          {"users", paired.users},
          {"missing", paired.missing},
          {"missing_against", paired.missing_against},
          {"turned", std::move(turned)}};
}

const char* name_of(DiffPiece::Kind kind) {
  if (kind == DiffPiece::Kind::kSame) return "same";
  return kind == DiffPiece::Kind::kRemoved ? "removed" : "added";
}

}  // namespace

std::string to_json(const RunComparison& comparison) {
  Json json = {{"schema", 1},
               {"runs", {json_of(comparison.a, "a"), json_of(comparison.b, "b")}},
               {"remarks", comparison.remarks},
               {"config", Json::array()},
               {"rows", Json::array()},
               {"prompts", Json::array()}};
  for (const auto& [key, a, b] : comparison.config)
    json["config"].push_back({{"key", key}, {"a", a}, {"b", b}});
  for (const auto& row : comparison.rows) json["rows"].push_back(json_of(row));
  for (const auto& [title, diff] : comparison.prompts) {
    Json pieces = Json::array();
    for (const auto& [kind, text] : diff)
      pieces.push_back({{"kind", name_of(kind)}, {"text", text}});
    json["prompts"].push_back({{"title", title}, {"diff", std::move(pieces)}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string html_body(const RunComparison& comparison) {
  std::string out;
  for (const std::string& note : notes_of(comparison))
    out += "<p class=\"note\">" + html_escaped(note) + ".</p>\n";
  out += "<h2>Paired differences</h2>\n" + html_table(row_table(comparison));
  out += fmt::format("<p class=\"muted\">{}.</p>\n", html_escaped(kComparisonLegend));
  if (!comparison.config.empty())
    out += "<h2>What differs in the configs</h2>\n" + html_table(config_table(comparison));
  if (std::ranges::any_of(comparison.rows, [](const auto& row) { return !row.turned.empty(); }))
    out += "<h2>Items that turned</h2>\n";
  for (const auto& row : comparison.rows)
    if (!row.turned.empty())
      out += fmt::format("<details><summary>{}: {} better, {} worse</summary>{}</details>\n",
                         html_escaped(title_of(row)), n_better(row),
                         std::ssize(row.turned) - n_better(row), html_table(turned_table(row)));
  if (!comparison.prompts.empty()) out += "<h2>Prompts, from A to B</h2>\n";
  for (const auto& [title, diff] : comparison.prompts)
    out += fmt::format("<details open><summary>{}</summary><pre>{}</pre></details>\n",
                       html_escaped(title), diff_html(diff));
  return out;
}

std::string to_html(const RunComparison& comparison) {
  return html_page(fmt::format("{} and {}", comparison.a.name, comparison.b.name),
                   fmt::format("A: {}. B: {}", text_of(comparison.a), text_of(comparison.b)),
                   html_body(comparison));
}

std::string to_table(const RunComparison& comparison) {
  std::string out = fmt::format("A  {}\nB  {}\n\n", text_of(comparison.a), text_of(comparison.b));
  out += text_table(row_table(comparison)) + kComparisonLegend + "\n";
  for (const std::string& note : notes_of(comparison)) out += note + "\n";
  if (!comparison.config.empty()) out += "\n" + text_table(config_table(comparison));
  for (const auto& row : comparison.rows)
    if (!row.turned.empty()) out += fmt::format("\n{}\n{}", title_of(row), turned_text(row.turned));
  for (const auto& [title, diff] : comparison.prompts)
    out += fmt::format("\nprompt of {}, from A to B\n\n{}\n", title, diff_text(diff));
  return out;
}

}  // namespace theta
