#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "experiments/data/users.hpp"
#include "experiments/embedder.hpp"
#include "experiments/runs/run_context.hpp"
#include "experiments/runs/search_record.hpp"

namespace theta {

/// A row of a report that predicts people's choices without a language model.
enum class RewardRow { kLength, kMajority, kPooled, kHierarchical, kTestTime, kLowRank };

/// How people's choices become features.
struct RewardDataOptions {
  bool context = true;          ///< what was asked stands before an answer that is embedded
  bool demographics = false;    ///< what is known of people tells of their weights
  std::size_t directions = 64;  ///< of embeddings that are kept; 0: all
  /// What others chose between the very texts that test people are asked about is learnt from.
  bool shared_pairs = false;
};

/// A config's `rewards`.
struct RewardOptions {
  std::vector<RewardRow> rows;     ///< empty: no row, and nothing is embedded
  std::vector<std::size_t> given;  ///< further rows of the personal ones: given so many choices
  std::filesystem::path people;    ///< a file of pairs of further people to fit on; may be empty
  RewardDataOptions data;
  std::optional<EmbedderOptions> embedder;  ///< none: texts are alike by their words
};

/// Rewards alone: an experiment on people that asks no language model.
struct RewardExperiment {
  UsersOptions users;
  RewardOptions rewards;
};

/// `reward: hierarchical`
std::string name_of(RewardRow row);

/// Reads `rewards` and `embedder`; without `rewards` there are no rows.
RewardOptions read_rewards(const Config& config);
RewardExperiment read_reward_experiment(const Config& config);

/// Names the rows, and what each is compared with: a personal row with itself given another's choices
/// and given its own reversed, and with the pooled one.
/// @param judge  a further row that each is compared with; may be empty
void describe_rewards(const RewardOptions& options, const std::string& judge, SearchRecord& record);

/// Fits every reward on the choices of training and validation people, and scores it on those of test
/// people, who are newcomers to it: their context choices are what it is given of them. A row that
/// does not lose significantly by another person's choices, and by the person's own reversed, is
/// remarked to be not shown to be personal. What a fit decided, and what stops one, is a remark.
/// @param model  the report's column
void put_rewards(const RewardOptions& options, const Users& users, const std::string& model,
                 const RunContext& run);

void run_reward_experiment(const RewardExperiment& experiment, RunContext& run);

/// For a dry run: how many texts would be embedded by what; empty: none.
std::string embedding_cost(const RewardOptions& options, const UsersOptions& users);

}  // namespace theta
