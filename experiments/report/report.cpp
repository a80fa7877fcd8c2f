#include "experiments/report/report.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "experiments/files.hpp"
#include "experiments/report/text_table.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// Rows with outcomes by method and model, in the order in which they were put.
using Outcomes = std::vector<std::vector<Outcome>>;

std::string required_meta(const Store& store, std::string_view key) {
  auto value = store.meta(key);
  if (!value) {
    throw RunError("the run's record has no " + std::string(key) +
                   ": the run ended before it began");
  }
  return *std::move(value);
}

Json json_meta(const Store& store, std::string_view key) {
  auto json = Json::parse(store.meta(key).value_or("[]"), nullptr, false);
  if (json.is_discarded())
    throw RunError(fmt::format("the run's record is damaged: its {} cannot be read", key));
  return json;
}

/// Whom an outcome is clustered by: an item that belongs to no user stands for itself.
const std::string& cluster_of(const Outcome& outcome) {
  return outcome.group.empty() ? outcome.item : outcome.group;
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

/// What a row's outcomes are clustered by.
const char* clustering(const std::vector<Outcome>& outcomes) {
  const bool users =
      std::ranges::any_of(outcomes, [](const Outcome& outcome) { return !outcome.group.empty(); });
  return users ? "by users" : "by items";
}

std::size_t distinct_of(const std::vector<std::string>& clusters) {
  return std::set<std::string_view>(clusters.begin(), clusters.end()).size();
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

/// None if there is no judgement that both have.
std::optional<Report::Paired> compare(const std::vector<Outcome>& outcomes,
                                      const std::vector<Outcome>& against) {
  using Key = std::pair<std::string_view, int>;
  const auto failed = [](const Outcome& o) { return o.status == Outcome::Status::kFailed; };
  std::map<Key, const Outcome*> others;
  for (const auto& other : against) others[{other.item, other.variant}] = &other;
  Report::Paired paired;
  std::vector<double> differences;
  std::vector<std::string> clusters;
  for (const auto& outcome : outcomes) {
    const auto other = others.find({outcome.item, outcome.variant});
    const bool has_other = other != others.end() && !failed(*other->second);
    paired.missing += failed(outcome);
    paired.missing_against += !has_other;
    if (!failed(outcome) && has_other) {
      differences.push_back(outcome.score - other->second->score);
      clusters.push_back(cluster_of(outcome));
    }
    if (other != others.end()) others.erase(other);
  }
  for (const auto& [key, other] : others) {  // that only the other was asked
    ++paired.missing;
    paired.missing_against += failed(*other);
  }
  if (differences.empty()) return std::nullopt;
  paired.judgements = differences.size();
  paired.users = distinct_of(clusters);
  paired.difference = mean(differences);
  paired.estimate = paired_difference(differences, clusters);
  const auto [low, high] = paired.estimate.interval();
  paired.low = low;
  paired.high = high;
  paired.p = paired.estimate.p();
  paired.interval = fmt::format("jackknife t {}", clustering(outcomes));
  return paired;
}

/// `positive 150 / 100, negative 50 / 100`; of many options those that are furthest off.
std::string options_text(std::vector<Report::Row::Option> options) {
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

std::vector<std::string> distinct(const Report& report, std::string Report::Row::*member) {
  std::vector<std::string> names;
  for (const auto& row : report.rows) {
    if (std::find(names.begin(), names.end(), row.*member) == names.end()) {
      names.push_back(row.*member);
    }
  }
  return names;
}

/// 6 significant digits; no negative zero.
Json number(std::optional<double> value) {
  if (!value) return nullptr;
  return std::strtod(fmt::format("{:.6g}", *value).c_str(), nullptr) + 0.0;
}

/// `+.021 [-.010, +.052]`
std::string gain_text(const Decision& gate) {
  return fmt::format("{} [{}, {}]", fraction(gate.estimate, 3, true), fraction(gate.low, 3, true),
                     fraction(gate.high, 3, true));
}

/// Text that is no JSON stays what it is.
Json candidate_json(const std::string& candidate) {
  const auto json = Json::parse(candidate, nullptr, false);
  return json.is_discarded() ? Json(candidate) : json;
}

std::size_t widest(const std::string& text) {
  std::istringstream lines(text);
  std::size_t most = 0;
  for (std::string line; std::getline(lines, line);) most = std::max(most, text_width(line));
  return most;
}

/// The table of some of the models side by side.
std::string block(const Report& report, const std::vector<std::string>& models) {
  const auto titles = column_titles();
  std::vector<std::vector<std::string>> lines = {{"method"}};
  for (std::size_t m = 0; m < models.size(); ++m) {
    lines[0].insert(lines[0].end(), titles.begin(), titles.end());
  }
  for (const auto& method : methods_of(report)) {
    std::vector<std::string> line = {method};
    bool any = false;
    for (const auto& model : models) {
      const auto* row = find_row(report, method, model);
      any = any || row != nullptr;
      const auto texts =
          row != nullptr ? column_texts(*row) : std::vector<std::string>(titles.size());
      line.insert(line.end(), texts.begin(), texts.end());
    }
    if (any) lines.push_back(std::move(line));
  }
  std::vector<std::size_t> widths(lines[0].size());
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c)
      widths[c] = std::max(widths[c], text_width(line[c]));
  }

  const auto begins_model = [&](std::size_t c) { return (c - 1) % titles.size() == 0; };
  std::string head(widths[0], ' ');
  for (std::size_t m = 0; m < models.size(); ++m) {
    std::size_t span = titles.size() - 1;
    for (std::size_t t = 0; t < titles.size(); ++t) span += widths[1 + m * titles.size() + t];
    head += " | " + padded(models[m], span, false);
  }
  std::string out = line_of(std::move(head));
  for (const auto& line : lines) {
    auto text = padded(line[0], widths[0], false);
    for (std::size_t c = 1; c < line.size(); ++c) {
      text += (begins_model(c) ? " | " : " ") + padded(line[c], widths[c], true);
    }
    out += line_of(std::move(text));
  }
  return out;
}

}  // namespace

Report make_report(const Store& store) {
  Report report;
  report.config_hash = required_meta(store, "config_hash");
  report.seed = std::stoull(required_meta(store, "seed"));
  report.name = store.meta("name").value_or("");
  report.note = store.meta("note").value_or("");
  report.config = store.meta("config").value_or("");
  report.stopped = store.meta("stopped").value_or("");
  report.incomplete = store.meta("incomplete").value_or("");
  report.trials = store.trials();
  report.personas = store.personas();
  report.timing = store.timing();
  for (const auto& model : json_meta(store, "models")) {
    report.models.emplace_back(model.at(0), model.at(1));
  }
  for (const auto& prompt : json_meta(store, "prompts")) {
    report.prompts.emplace_back(prompt.at(0), prompt.at(1));
  }
  for (const auto& loss : json_meta(store, "lost"))
    report.lost.push_back({loss.at(0), loss.at(1), loss.at(2), loss.at(3), loss.at(4)});
  for (const auto& remark : json_meta(store, "remarks")) report.remarks.push_back(remark);
  for (const auto& search : json_meta(store, "proposals")) {
    std::vector<std::pair<std::string, std::int64_t>> counts;
    for (const auto& count : search.at(1)) counts.emplace_back(count.at(0), count.at(1));
    report.proposals.emplace_back(search.at(0), std::move(counts));
  }

  for (const auto& search : json_meta(store, "fronts")) {
    std::vector<Tradeoff> front;
    for (const auto& one : search.at(1))
      front.push_back({.candidate = one.at(3),
                       .score = one.at(1),
                       .sd = one.at(2),
                       .prompt_tokens = one.at(0)});
    report.fronts.emplace_back(search.at(0), std::move(front));
  }

  report.student = store.meta("student").value_or(report.student);
  for (const auto& search : json_meta(store, "gates")) {
    const auto& gate = search.at(1);
    report.gates.emplace_back(search.at(0), Decision{.estimate = gate.at("estimate"),
                                                     .low = gate.at("low"),
                                                     .high = gate.at("high"),
                                                     .p_better = gate.at("p_better"),
                                                     .claimed = gate.at("claimed"),
                                                     .n_fresh = gate.at("n_fresh"),
                                                     .found = gate.at("found"),
                                                     .saved = gate.at("saved")});
  }

  std::map<std::pair<std::string, std::string>, std::vector<Outcome>> outcomes;
  for (auto& outcome : store.outcomes()) {
    outcomes[{outcome.method, outcome.model}].push_back(std::move(outcome));
  }
  for (const auto& usage : store.usage()) {
    const auto found = outcomes.find({usage.method, usage.model});
    if (found == outcomes.end()) {
      report.usage_by_role.push_back(usage);
    } else {
      report.rows.push_back(make_row(found->second, usage, report.personas));
    }
  }

  for (const auto& counted : json_meta(store, "options"))
    for (auto& row : report.rows) {
      if (row.method != counted.at(0) || row.model != counted.at(1)) continue;
      for (const auto& one : counted.at(2))
        row.options.push_back({one.at(0), one.at(1), one.at(2)});
    }

  std::ranges::sort(report.usage_by_role, {},
                    [](const UsageRecord& usage) { return std::pair(usage.method, usage.model); });

  const auto wanted = json_meta(store, "rows").get<std::vector<std::string>>();
  const auto place = [&](const Report::Row& row) {
    return std::find(wanted.begin(), wanted.end(), row.method) - wanted.begin();
  };
  std::stable_sort(report.rows.begin(), report.rows.end(),
                   [&](const Report::Row& a, const Report::Row& b) { return place(a) < place(b); });

  for (const auto& comparison : json_meta(store, "comparisons")) {
    const std::string method = comparison.at(0);
    const std::string against = comparison.at(1);
    for (const auto& model : models_of(report)) {
      if (!outcomes.contains({method, model}) || !outcomes.contains({against, model})) continue;
      auto paired = compare(outcomes[{method, model}], outcomes[{against, model}]);
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
  return report;
}

std::string to_json(const Report& report) {
  Json json = {{"schema", 1},
               {"name", report.name},
               {"note", report.note},
               {"config_hash", report.config_hash},
               {"seed", report.seed},
               {"stopped", report.stopped},
               {"incomplete", report.incomplete},
               {"lost", Json::array()},
               {"remarks", report.remarks},
               {"models", Json::object()},
               {"rows", Json::array()},
               {"paired", Json::array()},
               {"proposals", Json::object()},
               {"fronts", Json::object()},
               {"gates", Json::object()},
               {"trials", Json::array()},
               {"personas", Json::array()},
               {"usage_by_role", usage_json(report.usage_by_role)},
               {"timing", Json::object()}};
  for (const auto& [stage, role, requests, why, measures] : report.lost)
    json["lost"].push_back({{"stage", stage},
                            {"role", role},
                            {"requests", requests},
                            {"why", why},
                            {"measures", measures}});
  for (const auto& [name, how] : report.models) json["models"][name] = how;
  for (const auto& [search, counts] : report.proposals)
    for (const auto& [what, count] : counts) json["proposals"][search][what] = count;
  for (const auto& row : report.rows) {
    json["rows"].push_back({{"method", row.method},
                            {"model", row.model},
                            {"accuracy", number(row.accuracy)},
                            {"low", number(row.low)},
                            {"high", number(row.high)},
                            {"interval", row.interval},
                            {"users", row.users},
                            {"judgements", row.judgements},
                            {"order_consistency", number(row.order_consistency)},
                            {"persona_match", number(row.persona_match)},
                            {"unparsable", row.unparsable},
                            {"refused", row.refused},
                            {"failed", row.failed},
                            {"why_unparsable", row.why_unparsable},
                            {"why_refused", row.why_refused},
                            {"why_failed", row.why_failed},
                            {"calls", row.usage.calls},
                            {"prompt_tokens", row.usage.prompt_tokens},
                            {"generated_tokens", row.usage.generated_tokens}});
    if (row.options.empty()) continue;
    Json& options = json["rows"].back()["options"];
    for (const auto& one : row.options)
      options.push_back({{"option", one.option}, {"chosen", one.chosen}, {"right", one.right}});
  }
  for (const auto& paired : report.paired) {
    json["paired"].push_back({{"method", paired.method},
                              {"against", paired.against},
                              {"model", paired.model},
                              {"users", paired.users},
                              {"judgements", paired.judgements},
                              {"missing", paired.missing},
                              {"missing_against", paired.missing_against},
                              {"difference", number(paired.difference)},
                              {"low", number(paired.low)},
                              {"high", number(paired.high)},
                              {"p", number(paired.p)},
                              {"interval", paired.interval}});
  }
  for (const auto& [search, front] : report.fronts)
    for (const Tradeoff& one : front)
      json["fronts"][search].push_back({{"prompt_tokens", one.prompt_tokens},
                                        {"score", number(one.score)},
                                        {"sd", number(one.sd)},
                                        {"candidate", candidate_json(one.candidate)}});
  for (const auto& [search, gate] : report.gates) json["gates"][search] = gate_json(gate);
  for (const auto& trial : report.trials) {
    json["trials"].push_back({{"search", trial.search},
                              {"number", trial.number},
                              {"kind", trial.kind},
                              {"candidate", candidate_json(trial.candidate)},
                              {"score", number(trial.score)},
                              {"evaluations", trial.evaluations},
                              {"improved", trial.improved},
                              {"best", number(trial.best)},
                              {"low", number(trial.low)},
                              {"high", number(trial.high)}});
  }
  for (const auto& persona : report.personas) {
    json["personas"].push_back({{"method", persona.method},
                                {"model", persona.model},
                                {"user", persona.user},
                                {"persona", persona.persona},
                                {"source", persona.source},
                                {"taste", persona.taste},
                                {"matched", persona.matched}});
  }
  for (const auto& [what, amount] : report.timing) json["timing"][what] = amount;
  // What a model wrote can end in the middle of a character; a reader of JSON needs UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string to_table(const Report& given, std::size_t columns) {
  Report report = given;
  for (auto& row : report.rows)
    for (std::string* label : {&row.method, &row.model}) *label = cell_text(*label);
  for (auto& paired : report.paired)
    for (std::string* label : {&paired.method, &paired.against, &paired.model})
      *label = cell_text(*label);
  const auto models = models_of(report);
  std::string out = block(report, models);
  if (models.size() > 1 && widest(out) > columns) {
    out.clear();
    for (const auto& model : models) out += (out.empty() ? "" : "\n") + block(report, {model});
  }
  out += kLegend;
  out += '\n';
  if (const std::string few = few_users_of(report); !few.empty()) out += few + "\n";
  if (const Table missing = missing_answers(report); !missing.rows.empty())
    out += "\n" + text_table(missing);
  if (const Table options = option_counts(report); !options.rows.empty())
    out += "\n" + text_table(options);
  if (!report.paired.empty())
    out += "\npaired differences, 95 % interval and p by one t (jackknife)\n";
  for (const auto& paired : report.paired) {
    const std::string missing = missing_text(paired.missing, paired.missing_against);
    out += fmt::format("  {} - {}, {}: {}{}\n", paired.method, paired.against, paired.model,
                       difference_text(paired.difference, paired.low, paired.high, paired.p),
                       missing.empty() ? "" : "; " + missing);
  }
  if (!report.gates.empty())
    out += "\ngate\n" + text_table(gates_table(report)) + kGateLegend + "\n";
  if (!report.usage_by_role.empty())
    out += "\nusage by role\n" + text_table(usage_table(report.usage_by_role));
  if (!report.remarks.empty()) out += "\nremarks\n";
  constexpr std::size_t kSentence = 400;
  for (const auto& remark : report.remarks) out += "  " + cell_text(remark, kSentence) + "\n";
  if (!report.note.empty()) out += "\n" + report.note + "\n";
  if (!report.stopped.empty()) out += "\nStopped early: " + report.stopped + ".\n";
  if (!report.incomplete.empty()) out += "\nIncomplete: " + report.incomplete + ".\n";
  return out;
}

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
    if (trial.kind != "minibatch" || trial.improved)
      table.rows.push_back({trial.search, std::to_string(trial.number), trial.kind,
                            fraction(trial.score, 3),
                            interval_text(trial.best, trial.low, trial.high),
                            std::to_string(trial.evaluations), trial.candidate});
  return table;
}

std::string trials_table(const Report& report) {
  Table table = trials_of(report);
  if (table.rows.empty()) return "";
  table.columns.pop_back();
  for (auto& row : table.rows) row.pop_back();
  return text_table(table) + kTrialsLegend + '\n';
}

void write_report(const Report& report, const std::filesystem::path& directory) {
  write_whole(directory / "report.json", to_json(report));
  write_whole(directory / "report.html", to_html(report));
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

nlohmann::ordered_json usage_json(const std::vector<UsageRecord>& by_role) {
  Json json = Json::array();
  for (const auto& [role, model, usage] : by_role) {
    json.push_back({{"role", role},
                    {"model", model},
                    {"calls", usage.calls},
                    {"prompt_tokens", usage.prompt_tokens},
                    {"generated_tokens", usage.generated_tokens}});
  }
  return json;
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
  return fmt::format("{}: P(better) = {}", verdict, fraction(gate.p_better, 2));
}

std::string gate_text(const Decision& gate) {
  return gate.found ? gain_text(gate) + ", " + verdict_text(gate) : verdict_text(gate);
}

nlohmann::ordered_json gate_json(const Decision& gate) {
  return {{"estimate", number(gate.estimate)},
          {"low", number(gate.low)},
          {"high", number(gate.high)},
          {"p_better", number(gate.p_better)},
          {"claimed", number(gate.claimed)},
          {"n_fresh", gate.n_fresh},
          {"found", gate.found},
          {"saved", gate.saved}};
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
