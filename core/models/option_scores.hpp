#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace theta {

/// One token that the server lists as the answer's first, with log P in nats.
struct TokenLogprob {
  std::string token;
  double logprob = 0;
};

struct OptionScores {
  std::vector<double> logprobs;  ///< one an option
  std::string note;              ///< how they were got
};

/// Scores options by the first token of each. An option's probability is the sum over the listed
/// tokens that begin this option and no other, however they are spelt (spaces, quotes, capitals
/// unless they tell options apart); an option with no such token gets the smallest listed
/// log-probability less 1.
/// @return an error that says why if no option is listed, if the options hold less than half of
///   what is listed, or if tokens that begin several options hold so much that they could decide.
Result<OptionScores> score_options(const std::vector<TokenLogprob>& listed,
                                   const std::vector<std::string>& options);

/// The option that a text begins with, the longest such. One further behind is not taken for the
/// answer: it may be denied.
std::optional<std::size_t> named_option(std::string_view text,
                                        const std::vector<std::string>& options);

}  // namespace theta
