#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "experiments/report/report.hpp"
#include "experiments/report/report_tables.hpp"
#include "experiments/report/text_table.hpp"

namespace theta {
namespace {

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

std::string trials_table(const Report& report) {
  Table table = trials_of(report);
  if (table.rows.empty()) return "";
  table.columns.pop_back();
  for (auto& row : table.rows) row.pop_back();
  return text_table(table) + kTrialsLegend + '\n';
}

}  // namespace theta
