#include "experiments/report/comparison.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/config.hpp"
#include "core/nearest.hpp"
#include "experiments/runs/run_record.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// A run as it is compared.
struct Read {
  Report report;
  std::vector<Outcome> outcomes;
  std::string data_hash;
};

Read read_run(const fs::path& folder) {
  if (holds_sweep(folder))
    throw UserError(folder.string() + " holds a sweep: name the folder of one of its runs");
  if (!fs::exists(folder / kRecordFile)) throw UserError(folder.string() + " holds no run");
  const Store store(folder / kRecordFile, Store::Access::kRead);
  return {make_report(store), store.outcomes(), get(store, part::kDataHash)};
}

void check_data(const Read& a, const Read& b, RunComparison& out) {
  if (a.data_hash.empty() || b.data_hash.empty())
    out.remarks.push_back(
        "a record does not say what its data held: items are taken for the same by their ids "
        "alone");
  else if (a.data_hash != b.data_hash)
    throw UserError(fmt::format(
        "{} and {} read other data: items of one id are not the same, and cannot be paired",
        out.a.folder, out.b.folder));
}

/// The values of a config by dotted key, variables as they are written.
std::map<std::string, std::string> flat(const std::string& config) {
  std::map<std::string, std::string> out;
  if (config.empty()) return out;
  const auto add = [&](const auto& self, const std::string& key, const Json& value) -> void {
    if (!value.is_structured() || value.empty()) {
      out[key] = value.is_string() ? value.get<std::string>() : value.dump();
      return;
    }
    for (const auto& [name, child] : value.items())
      self(self, key + (key.empty() ? "" : ".") + name, child);
  };
  add(add, "", Json::parse(Config::parse(config, "config").literal().canonical({})));
  return out;
}

std::vector<RunComparison::Key> config_changes(const Read& a, const Read& b) {
  const auto before = flat(a.report.config), after = flat(b.report.config);
  std::map<std::string, RunComparison::Key> keys;
  for (const auto& [key, value] : before) keys[key] = {key, value, "-"};
  for (const auto& [key, value] : after) {
    auto& one = keys.try_emplace(key, RunComparison::Key{key, "-", "-"}).first->second;
    one.b = value;
  }
  std::vector<RunComparison::Key> out;
  for (auto& [key, one] : keys)
    if (one.a != one.b) out.push_back(std::move(one));
  return out;
}

std::vector<const Report::Row*> rows_of(const Report& report, const std::string& method) {
  std::vector<const Report::Row*> rows;
  for (const Report::Row& row : report.rows)
    if (method.empty() || row.method == method) rows.push_back(&row);
  if (rows.empty()) {
    const auto methods = methods_of(report);
    throw UserError(fmt::format("{} has no row `{}`{}; it has {}", report.name, method,
                                did_you_mean(method, methods), fmt::join(methods, ", ")));
  }
  return rows;
}

/// The row of B that belongs to one of A; null if there is none.
const Report::Row* counterpart(const Report::Row& row, const std::vector<const Report::Row*>& of_a,
                               const std::vector<const Report::Row*>& of_b, bool named) {
  std::vector<const Report::Row*> others;
  for (const Report::Row* other : of_b) {
    if (!named && other->method != row.method) continue;
    if (other->model == row.model) return other;
    others.push_back(other);
  }
  const bool alone =
      std::ranges::count_if(of_a, [&](const auto* one) { return one->method == row.method; }) == 1;
  return alone && others.size() == 1 ? others.front() : nullptr;
}

std::string name_of(const Report::Row& row) { return row.method + ", " + row.model; }

void add_rows(const Read& a, const Read& b, const ComparedRows& asked, RunComparison& out) {
  const auto of_a = rows_of(a.report, asked.a), of_b = rows_of(b.report, asked.b);
  const bool named = asked.a != asked.b;
  std::vector<const Report::Row*> met;
  bool any_pair = false;
  for (const Report::Row* row : of_a) {
    const Report::Row* other = counterpart(*row, of_a, of_b, named);
    if (other == nullptr) {
      out.a.alone.push_back(name_of(*row));
      continue;
    }
    met.push_back(other);
    any_pair = true;
    const auto before = outcomes_of(a.outcomes, row->method, row->model);
    const auto after = outcomes_of(b.outcomes, other->method, other->model);
    auto paired = compare(after, before);
    if (!paired) continue;
    paired->method = other->method;
    paired->against = row->method;
    paired->model = other->model;
    out.rows.push_back({*row, *other, *std::move(paired), turned_items(after, before)});
  }
  for (const Report::Row* row : of_b)
    if (std::ranges::find(met, row) == met.end()) out.b.alone.push_back(name_of(*row));
  if (!any_pair)
    throw UserError(
        fmt::format("{} and {} have no row of one name: say with --row and --with "
                    "which to compare ({}; {})",
                    out.a.folder, out.b.folder, fmt::join(methods_of(a.report), ", "),
                    fmt::join(methods_of(b.report), ", ")));
  if (out.rows.empty())
    throw UserError(fmt::format("{} and {} share no item that both scored: nothing can be paired",
                                out.a.folder, out.b.folder));
}

/// The prompts of one title, and those of the rows that were named.
void add_prompts(const Read& a, const Read& b, const ComparedRows& asked, RunComparison& out) {
  const bool named = asked.a != asked.b;
  for (const PromptText& before : a.report.prompts) {
    if (!asked.a.empty() && before.title != asked.a) continue;
    const std::string& title = named ? asked.b : before.title;
    const auto after = std::ranges::find(b.report.prompts, title, &PromptText::title);
    if (after == b.report.prompts.end() || after->text == before.text) continue;
    out.prompts.push_back(
        {named ? asked.a + ", then " + asked.b : title, word_diff(before.text, after->text)});
  }
}

RunComparison::Side side_of(const fs::path& folder, const Report& report) {
  return {folder.string(), report.name, report.config_hash, report.seed};
}

}  // namespace

RunComparison compare_runs(const fs::path& a, const fs::path& b, const ComparedRows& asked) {
  const ComparedRows rows{asked.a, asked.b.empty() ? asked.a : asked.b};
  const Read first = read_run(a), second = read_run(b);
  if (fs::equivalent(a, b)) throw UserError(a.string() + " is compared with itself");
  RunComparison out{side_of(a, first.report), side_of(b, second.report), {}, {}, {}, {}};
  check_data(first, second, out);
  out.config = config_changes(first, second);
  add_rows(first, second, rows, out);
  add_prompts(first, second, rows, out);
  for (const auto& [side, run] : {std::pair(&out.a, &first), std::pair(&out.b, &second)}) {
    const std::string& note = run->report.note;
    if (!note.empty() && std::ranges::find(out.remarks, note) == out.remarks.end())
      out.remarks.push_back(note);
    if (!run->report.stopped.empty())
      out.remarks.push_back(side->folder + " stopped early: " + run->report.stopped);
    if (!run->report.incomplete.empty())
      out.remarks.push_back(side->folder + " is incomplete: " + run->report.incomplete);
  }
  return out;
}

}  // namespace theta
