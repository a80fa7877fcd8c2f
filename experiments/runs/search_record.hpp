#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "experiments/optimizer_config.hpp"
#include "experiments/runs/run_context.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {

/// What an experiment's searches leave for its report: rows and what they are compared with,
/// prompts, what came of proposals, fronts and the gate's verdicts. A stopped run leaves what it
/// had when keep() was called last.
class SearchRecord {
 public:
  /// @param student  what the searches start from, in words: `the untouched program`
  SearchRecord(RunContext& run, std::string student);

  /// The report's next row, of whatever model.
  void add_row(const std::string& method);
  void compare(const std::string& method, const std::string& against);
  /// The instructions and demos of a program.
  /// @param from  title of the prompt that it was searched for from
  void add_prompt(const std::string& title, const Module& program,
                  std::optional<std::string> from = {});
  /// What came of what models were asked to write; replaces what was known of that search.
  void put_proposals(const std::string& search,
                     std::vector<std::pair<std::string, std::int64_t>> counts);

  /// Compiles a program by one of the config's optimisers. Trials are kept as they come; what the
  /// gate said is remarked unless the search was stopped: the same run goes on from there.
  /// @param search  what the report calls it
  /// @param task    but for what the config says: limits, the gate and on_trial
  Compiled compile(const OptimizerConfig& config, const std::string& search, const Module& student,
                   Task task);

  void keep() const;

 private:
  void remark_on(const std::string& search, const Decision& gate, const GateOptions& options) const;

  RunContext& run_;
  const std::string student_;
  std::vector<std::string> rows_;
  std::vector<Comparison> comparisons_;
  std::vector<PromptText> prompts_;
  std::vector<SearchProposals> proposals_;
  std::vector<SearchFront> fronts_;
  std::vector<SearchVerdict> gates_;
};

}  // namespace theta
