#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "modules/module.hpp"

namespace theta {

/// Tokens of all that a program asks beside its row, in the format that it is asked in, as the model
/// counts them; where only its server could, an estimate of four bytes each.
std::size_t prompt_tokens(const Module& program, const LanguageModel& model);

/// Whether a config means this predictor: by its own name (`verdict.predict`), or by that of the
/// step that it is of (`verdict`).
bool is_called(const Predictor& predictor, std::string_view name);

/// What an optimiser may not do to a program.
struct PromptLimits {
  /// What stays as the student has it: `instruction`, `demos` or `format` everywhere, as
  /// `NAME.demos` in one predictor, or in all of a step of that name.
  std::vector<std::string> frozen = {};
  /// Phrases of the student's instructions that stay: what is written in place of an instruction that
  /// holds one gets it at its end, unless it holds it itself.
  std::vector<std::string> keep = {};
  /// Most tokens of a candidate, as prompt_tokens() has them of the task model; 0: no limit. The student itself is exempt.
  std::size_t max_prompt_tokens = 0;

  /// @throws UserError if `frozen` or `keep` name what the student does not have.
  void check(const Module& student) const;
  /// @param part  `instruction`, `demos` or `format`
  bool freezes(const Predictor& predictor, std::string_view part) const;
  /// A new instruction in place of `own`, with what is to be kept of that.
  std::string keeping(std::string_view own, std::string instruction) const;
  /// Whether a candidate keeps to the token limit.
  bool admits(const Module& program, const LanguageModel& model) const;
};

}  // namespace theta
