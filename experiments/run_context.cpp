#include "experiments/run_context.hpp"

#include <fmt/format.h>

#include "experiments/text_table.hpp"

namespace theta {

void RunContext::show_trial(const TrialRecord& trial) const {
  std::int64_t tokens = 0;
  for (const auto& [role, usage] : models.usage())
    tokens += usage.prompt_tokens + usage.generated_tokens;
  progress.note(fmt::format("trial {}, best {}, {} tokens", trial.number,
                            interval_text(trial.best, trial.low, trial.high), tokens));
}

}  // namespace theta
