#include "experiments/run_context.hpp"

#include <fmt/format.h>

#include "core/statistics.hpp"
#include "experiments/text_table.hpp"

namespace theta {

void RunContext::show_trial(int number, double best, std::size_t n) const {
  const auto judgements = static_cast<double>(n);
  const Interval interval = wilson(best * judgements, judgements);
  std::int64_t tokens = 0;
  for (const auto& [role, usage] : models.usage())
    tokens += usage.prompt_tokens + usage.generated_tokens;
  progress.note(fmt::format("trial {}, best {}, {} tokens", number,
                            interval_text(best, interval.low, interval.high), tokens));
}

}  // namespace theta
