#include "optimizers/prompt_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace theta {

std::size_t prompt_tokens(const Module& program, const LanguageModel& model) {
  std::size_t sum = 0;
  for (const auto* predictor : program.predictors()) {
    Request request;
    request.messages = {{"system", predictor->signature.instructions}};
    for (const auto& demo : predictor->demos) {
      Message shown{"user", ""};
      for (const auto& [name, value] : demo.fields)
        shown.content += name + ": " + to_text(value) + "\n";
      request.messages.push_back(std::move(shown));
    }
    sum += model.count_tokens(request).value_or(prompt_bytes(request) / kBytesPerToken);
  }
  return sum;
}

void PromptLimits::check(const Module& student) const {
  std::set<std::string> known{"instruction", "demos"};
  for (const auto* predictor : student.predictors())
    known.insert({predictor->name + ".instruction", predictor->name + ".demos"});
  for (const auto& part : frozen)
    if (!known.contains(part))
      throw UserError(fmt::format("the program has no `{}` to freeze", part));
}

bool PromptLimits::freezes(const Predictor& predictor, std::string_view part) const {
  return std::ranges::find(frozen, part) != frozen.end() ||
         std::ranges::find(frozen, fmt::format("{}.{}", predictor.name, part)) != frozen.end();
}

bool PromptLimits::admits(const Module& program, const LanguageModel& model) const {
  return max_prompt_tokens == 0 || prompt_tokens(program, model) <= max_prompt_tokens;
}

}  // namespace theta
