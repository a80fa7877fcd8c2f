#pragma once

#include <Eigen/Core>
#include <string>
#include <vector>

#include "core/models/embedder.hpp"
#include "experiments/runs/rewards.hpp"
#include "modules/preference.hpp"
#include "modules/reward/reward_model.hpp"

namespace theta {

/// The choices of people as reward models take them.
struct RewardData {
  PreferenceData fitted;  ///< of training and validation people
  std::size_t left_out =
      0;  ///< choices of theirs between the texts that test people are asked about
  /// By test person, in order.
  std::vector<Newcomer> newcomers;
  std::vector<Eigen::MatrixXd> asked;
};

/// The texts whose vectors make_reward_data() asks for, each once.
std::vector<std::string> texts_to_embed(const Users& users, const RewardDataOptions& options);

/// Choices between the same texts as a test person is asked about, with the same context, are no
/// part of what is fitted unless the options say so: a reward would learn how others voted on the
/// very pair.
/// @param embed  none: word_vectors()
/// @throws UserError if no choice of training or validation people is left to fit on.
RewardData make_reward_data(const Users& users, const RewardDataOptions& options,
                            const Embed& embed);

}  // namespace theta
