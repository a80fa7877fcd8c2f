#include "experiments/commands/dry_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "experiments/report/text_table.hpp"
#include "experiments/runs/run_folder.hpp"

namespace theta {
namespace {

/// Numbers of a dry run, a line a row, and their sum.
class CostTable {
 public:
  /// @param rate  calls a second; 0: no hours are told
  CostTable(std::vector<Table::Column> labels, bool priced, double rate)
      : table_{std::move(labels)}, labels_(table_.columns.size()), priced_(priced), rate_(rate) {
    for (const char* title : {"calls", "prompt tokens", "generated tokens"})
      table_.columns.push_back({title, true});
    if (priced_) table_.columns.push_back({"dollars", true});
    if (rate_ > 0) table_.columns.push_back({"hours", true});
  }

  void add(std::vector<std::string> labels, const Usage& usage, double money) {
    total_ += usage;
    total_money_ += money;
    put(std::move(labels), usage, money);
  }
  std::string text() {
    std::vector<std::string> labels(labels_);
    labels[0] = "in all";
    put(std::move(labels), total_, total_money_);
    return text_table(table_);
  }

 private:
  void put(std::vector<std::string> row, const Usage& usage, double money) {
    for (const auto n : {usage.calls, usage.prompt_tokens, usage.generated_tokens})
      row.push_back(std::to_string(n));
    if (priced_) row.push_back(fmt::format("{:.4f}", money));
    constexpr double kSeconds = 3600;  // in an hour
    if (rate_ > 0)
      row.push_back(fmt::format("{:.2f}", static_cast<double>(usage.calls) / rate_ / kSeconds));
    table_.rows.push_back(std::move(row));
  }

  Table table_;
  const std::size_t labels_;
  const bool priced_;
  const double rate_;
  Usage total_;
  double total_money_ = 0;
};

constexpr const char* kDryRun =
    "Made-up answers were counted, so that real ones can bootstrap more or fewer. What is asked "
    "again and\nprefixes that are shared are computed once: the host reads fewer prompt "
    "tokens.\n";

std::string cost_of_embeddings(const ExperimentOptions& options) {
  const auto* personas = std::get_if<PersonaExperiment>(&options.experiment);
  if (personas) return embedding_cost(personas->rewards, personas->users);
  const auto* rewards = std::get_if<RewardExperiment>(&options.experiment);
  return rewards ? embedding_cost(rewards->rewards, rewards->users) : "";
}

}  // namespace

void dry_run(const ExperimentOptions& options, double rate, Progress& progress,
             std::stop_token stop, const std::function<void(RunContext&)>& work) {
  CostTable table({{"stage"}, {"model"}}, !options.models.prices.empty(), rate);
  progress.stage("counting");
  const auto stages = forecast(
      options, stop, {.purpose = Models::Purpose::kCount, .progress = &progress, .work = work});
  progress.finish();
  for (const auto& [stage, role, usage] : stages)
    table.add({stage, role.name}, usage, options.models.price(role.model).of(usage));
  fmt::print("{} needs about\n{}{}", options.name, table.text(), kDryRun);
  if (const std::string cost = cost_of_embeddings(options); !cost.empty())
    fmt::print("{}.\n", cost);
}

void dry_run(const Sweep& sweep, double rate, Progress& progress, std::stop_token stop) {
  const bool priced = std::ranges::any_of(
      sweep.runs, [](const SweepRun& run) { return !run.options.models.prices.empty(); });
  CostTable table({{"run", false, kWidestLabel}}, priced, rate);
  progress.stage("counting");
  for (const SweepRun& run : sweep.runs) {
    Usage usage;
    double money = 0;
    for (const auto& stage :
         forecast(run.options, stop, {.purpose = Models::Purpose::kCount, .progress = &progress})) {
      usage += stage.usage;
      money += run.options.models.price(stage.role.model).of(stage.usage);
    }
    table.add({run.label()}, usage, money);
  }
  progress.finish();
  fmt::print("{} needs about\n{}{}", sweep.name, table.text(), kDryRun);
  fmt::print("What several runs ask alike is asked once.\n");
}

}  // namespace theta
