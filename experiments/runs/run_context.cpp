#include "experiments/runs/run_context.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/models/outage.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {

void RunContext::put_row(const std::string& method, const std::string& model,
                         const std::vector<Outcome>& outcomes, const Usage& usage) const {
  store.put_row(method, model, outcomes, usage);
  const auto failed = [](const Outcome& one) { return one.status == Outcome::Status::kFailed; };
  if (!outcomes.empty() && std::ranges::all_of(outcomes, failed))
    throw Outage(fmt::format("{}: none of {} items was answered, the first with: {}", method,
                             outcomes.size(), outcomes[0].why));
}

void RunContext::remark(const std::string& line) const { remark(line, ""); }

void RunContext::remark(const std::string& about, const std::string& rest) const {
  if (add_remark(store, about, rest)) spdlog::warn("{}", about + rest);
}

void RunContext::show_trial(const TrialRecord& trial) const {
  std::int64_t tokens = 0;
  for (const auto& [role, usage] : models.usage())
    tokens += usage.prompt_tokens + usage.generated_tokens;
  progress.note(fmt::format("trial {}, best {}, {} tokens", trial.number,
                            interval_text(trial.best, trial.low, trial.high), tokens));
}

}  // namespace theta
