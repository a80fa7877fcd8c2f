#include "experiments/runs/search_record.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_tables.hpp"

namespace theta {
namespace {

std::string prompt_text(const Module& program) {
  std::string out;
  for (const Predictor* predictor : program.predictors()) {
    out += predictor->name + ": " + predictor->signature.instructions + "\n";
    if (predictor->format) out += "  (asked: " + form_text(*predictor) + ")\n";
    if (predictor->nearest)
      out += fmt::format("  (with the {} of {} examples most like the input)\n",
                         predictor->nearest->k(), predictor->nearest->pool().size());
    for (const Demo& demo : predictor->demos) {
      for (const auto& [name, value] : demo.fields)
        out += "  " + name + ": " + to_text(value) + "\n";
      out += "\n";
    }
  }
  return out;
}

}  // namespace

SearchRecord::SearchRecord(RunContext& run, std::string student)
    : run_(run), student_(std::move(student)) {
  put(run_.store, part::kStudent, student_);
}

void SearchRecord::add_row(const std::string& method) {
  if (std::ranges::find(rows_, method) == rows_.end()) rows_.push_back(method);
}

void SearchRecord::compare(const std::string& method, const std::string& against) {
  const auto is_it = [&](const Comparison& one) {
    return one.method == method && one.against == against;
  };
  if (std::ranges::none_of(comparisons_, is_it)) comparisons_.push_back({method, against});
}

void SearchRecord::add_prompt(const std::string& title, const Module& program,
                              std::optional<std::string> from) {
  prompts_.push_back({title, prompt_text(program), std::move(from)});
}

void SearchRecord::put_proposals(const std::string& search,
                                 std::vector<std::pair<std::string, std::int64_t>> counts) {
  const auto known = std::ranges::find(proposals_, search, &SearchProposals::search);
  if (known == proposals_.end())
    proposals_.push_back({search, std::move(counts)});
  else
    known->counts = std::move(counts);
}

Compiled SearchRecord::compile(const OptimizerConfig& config, const std::string& search,
                               const Module& student, Task task) {
  task.max_evaluations = config.max_evaluations;
  task.gate = config.gate;
  task.on_trial = [&](TrialRecord trial) {
    trial.search = search;
    run_.store.put_trial(trial);
    run_.show_trial(trial);
  };
  Compiled compiled = make_optimizer(config.options)->compile(student, task);
  run_.progress.note("");
  gates_.push_back({search, compiled.gate});
  if (!compiled.stopped) remark_on(search, compiled.gate, config.gate);
  if (compiled.proposals.asked > 0) put_proposals(search, compiled.proposals.list());
  if (!compiled.front.empty()) fronts_.push_back({search, compiled.front});
  return compiled;
}

void SearchRecord::remark_on(const std::string& search, const Decision& gate,
                             const GateOptions& options) const {
  if (!gate.saved) run_.remark(search + ": " + verdict_text(gate, student_));
  if (options.fresh == 0)
    run_.remark(search + ": judged by the search's own belief, as `fresh: 0` keeps no example");
  else if (gate.found && gate.n_fresh == 0 && gate.estimate > 0)
    run_.remark(search + ": judged by the search's own belief, as no fresh example was scored");
}

void SearchRecord::keep() const {
  put(run_.store, part::kRows, rows_);
  put(run_.store, part::kComparisons, comparisons_);
  put(run_.store, part::kPrompts, prompts_);
  put(run_.store, part::kProposals, proposals_);
  put(run_.store, part::kFronts, fronts_);
  put(run_.store, part::kGates, gates_);
}

}  // namespace theta
