#include "experiments/runs/rewards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "core/reliability.hpp"
#include "core/statistics.hpp"
#include "experiments/data/data_config.hpp"
#include "experiments/report/report_tables.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/population.hpp"
#include "experiments/runs/reward_data.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

const std::vector<std::pair<std::string, RewardRow>> kNames = {
    {"length", RewardRow::kLength},  {"majority", RewardRow::kMajority},
    {"pooled", RewardRow::kPooled},  {"hierarchical", RewardRow::kHierarchical},
    {"p_ttt", RewardRow::kTestTime}, {"low_rank", RewardRow::kLowRank}};

constexpr const char* kSwapped = ", users swapped";
constexpr const char* kReversed = ", labels reversed";

bool is_personal(RewardRow row) {
  return row == RewardRow::kHierarchical || row == RewardRow::kTestTime ||
         row == RewardRow::kLowRank;
}

std::string given_name(RewardRow row, std::size_t given) {
  return fmt::format("{}, given {}", name_of(row), given);
}

/// Only how long a text is.
RewardData length_alone(RewardData data) {
  const Index at = data.fitted.first_block;  // the first of the styles
  const auto keep = [&](MatrixXd& D) { D = MatrixXd(D.col(at)); };
  keep(data.fitted.D);
  for (Newcomer& one : data.newcomers) keep(one.own);
  for (MatrixXd& asked : data.asked) keep(asked);
  data.fitted.first_block = 0;
  return data;
}

std::unique_ptr<RewardModel> fit(RewardRow row, const RewardData& data) {
  switch (row) {
    case RewardRow::kHierarchical:
      return fit_reward(Reward::kHierarchical, data.fitted);
    case RewardRow::kTestTime:
      return fit_reward(Reward::kTestTime, data.fitted);
    case RewardRow::kLowRank:
      return fit_reward(Reward::kLowRank, data.fitted);
    default:
      return fit_reward(Reward::kPooled, data.fitted);
  }
}

/// What a row says of every test pair, and its outcomes: in both orders, as a judge is asked.
struct Said {
  std::vector<Outcome> outcomes;
  std::vector<double> probabilities;  ///< of what was chosen
};

/// @param given  by test person
Said say(const RewardModel& reward, const RewardData& data, const std::vector<Newcomer>& given,
         const Users& users, const std::string& name, const std::string& model) {
  Said said;
  for (std::size_t u = 0; u < users.test.size(); ++u) {
    const auto forecasts = reward.predict(given[u], data.asked[u]);
    for (std::size_t i = 0; i < forecasts.size(); ++i) {
      const auto& [margin, variance, probability] = forecasts[i];
      const double score = margin > 0 ? 1 : margin < 0 ? 0 : .5;
      const double log_odds = std::log(probability) - std::log1p(-probability);
      said.probabilities.push_back(probability);
      for (const int variant : {0, 1})
        said.outcomes.push_back({name, model, users.test[u].test[i].id, users.test[u].id, variant,
                                 score, log_odds, Outcome::Status::kScored});
    }
  }
  return said;
}

/// By how much the first scores better.
Difference difference(const Said& one, const Said& other) {
  std::vector<double> differences;
  std::vector<std::string> people;
  for (std::size_t i = 0; i < one.outcomes.size(); ++i) {
    differences.push_back(one.outcomes[i].score - other.outcomes[i].score);
    people.push_back(one.outcomes[i].group);
  }
  return paired_difference(differences, people);
}

std::string text_of(const Difference& difference) {
  const auto [low, high] = difference.interval();
  return difference_text(difference.center, low, high, difference.p());
}

std::string reliability_text(const std::vector<double>& probabilities) {
  const auto [log_loss, brier, error] = reliability(probabilities);
  return fmt::format("log loss {}, Brier {}, calibration error {}", fraction(log_loss, 3),
                     fraction(brier, 3), fraction(error, 3));
}

/// Those whose choices are fitted are among the training people.
Users with_further_people(Users users, const RewardOptions& options) {
  if (options.people.empty()) return users;
  std::set<std::string> tested;
  for (const User& user : users.test) tested.insert(user.id);
  LoadedPairs further = read_pairs({.file = options.people});
  for (User& user : further.users.test) {
    if (tested.contains(user.id))
      throw UserError(fmt::format("{}: '{}' is a test person: nobody is fitted on and tested",
                                  options.people.string(), user.id));
    users.train.push_back(std::move(user));
  }
  return users;
}

/// A run's rewards.
struct Work {
  const RewardOptions& options;
  const Users& users;
  const std::string& model;
  const RunContext& run;
  const RewardData& data;

  Said put(const RewardModel& reward, const RewardData& of, const std::vector<Newcomer>& given,
           const std::string& name) const {
    Said said = say(reward, of, given, users, name, model);
    run.put_row(name, model, said.outcomes, {});
    return said;
  }

  /// The rows by which a row is shown to be personal, or not.
  void put_placebos(const RewardModel& reward, RewardRow row, const Said& own) const {
    std::vector<Newcomer> swapped = data.newcomers, reversed = data.newcomers;
    for (std::size_t u = 0; u < swapped.size(); ++u)
      swapped[u].own = data.newcomers[(u + 1) % swapped.size()].own;
    for (Newcomer& one : reversed) one.own *= -1;
    const std::string name = name_of(row);
    const Difference swap = difference(own, put(reward, data, swapped, name + kSwapped));
    const Difference reversal = difference(own, put(reward, data, reversed, name + kReversed));
    const auto gains = [](const Difference& one) { return one.p() < .05 && one.center > 0; };
    run.remark(name + " is ",
               fmt::format("{}: over another's choices it gains {}, over its own reversed {}",
                           gains(swap) && gains(reversal) ? "personal" : "not shown to be personal",
                           text_of(swap), text_of(reversal)));
    for (const std::size_t count : options.given) {
      std::vector<Newcomer> few = data.newcomers;
      for (Newcomer& one : few)
        one.own = MatrixXd(one.own.topRows(std::min(static_cast<Index>(count), one.own.rows())));
      put(reward, data, few, given_name(row, count));
    }
  }

  void put_row(RewardRow row) const {
    const std::string name = name_of(row);
    if (row == RewardRow::kMajority) {
      const auto outcomes = population_outcomes(users, name, model);
      if (outcomes.empty())
        run.remark("no row `" + name +
                   "`: no two people were asked to choose between the same texts");
      else
        run.put_row(name, model, outcomes, {});
      return;
    }
    try {
      const RewardData of = row == RewardRow::kLength ? length_alone(data) : data;
      const auto reward = fit(row, of);
      const Said own = put(*reward, of, of.newcomers, name);
      run.remark(name + ": ", reward->decided() + "; " + reliability_text(own.probabilities));
      if (is_personal(row)) put_placebos(*reward, row, own);
    } catch (const RunError& e) {
      run.remark("no row `" + name + "`: ", e.what());
    }
  }
};

}  // namespace

std::string name_of(RewardRow row) {
  return "reward: " +
         std::ranges::find(kNames, row, &std::pair<std::string, RewardRow>::second)->first;
}

RewardOptions read_rewards(const Config& config) {
  RewardOptions options;
  const auto rewards = config.find("rewards");
  if (!rewards) return options;
  if (const auto rows = rewards->find("rows")) {
    for (const Config& row : rows->items()) {
      const auto known =
          std::ranges::find(kNames, row.text(), &std::pair<std::string, RewardRow>::first);
      if (known == kNames.end())
        row.fail("there is no reward '" + row.text() +
                 "': choose length, majority, pooled, hierarchical, p_ttt or low_rank");
      if (std::ranges::find(options.rows, known->second) != options.rows.end())
        row.fail("the reward '" + row.text() + "' stands here twice");
      options.rows.push_back(known->second);
    }
    if (options.rows.empty()) rows->fail("`rewards` without rows say nothing: take them out");
  } else {
    for (const auto& [name, row] : kNames) options.rows.push_back(row);
  }
  if (const auto given = rewards->find("given"))
    for (const Config& count : given->items()) {
      if (count.integer() < 0) count.fail("a number of choices is 0 or more");
      options.given.push_back(static_cast<std::size_t>(count.integer()));
    }
  if (const auto people = rewards->find("people")) options.people = path_of(*people);
  options.data.shared_pairs = rewards->boolean("shared_pairs", options.data.shared_pairs);
  options.data.context = rewards->boolean("context", options.data.context);
  options.data.demographics = rewards->boolean("demographics", options.data.demographics);
  options.data.directions = read_size(*rewards, "directions", options.data.directions);
  options.embedder = read_embedder(config);
  return options;
}

RewardExperiment read_reward_experiment(const Config& config) {
  return {read_users_options(config.at("data")), read_rewards(config)};
}

void describe_rewards(const RewardOptions& options, const std::string& judge,
                      SearchRecord& record) {
  const auto has = [&](RewardRow row) {
    return std::ranges::find(options.rows, row) != options.rows.end();
  };
  for (const RewardRow row : options.rows) {
    const std::string name = name_of(row);
    record.add_row(name);
    if (!judge.empty()) record.compare(name, judge);
    if (row != RewardRow::kLength && has(RewardRow::kLength))
      record.compare(name, name_of(RewardRow::kLength));
    if (!is_personal(row)) continue;
    if (has(RewardRow::kPooled)) record.compare(name, name_of(RewardRow::kPooled));
    for (const char* placebo : {kSwapped, kReversed}) {
      record.add_row(name + placebo);
      record.compare(name, name + placebo);
    }
    for (const std::size_t count : options.given) record.add_row(given_name(row, count));
  }
}

void put_rewards(const RewardOptions& options, const Users& users, const std::string& model,
                 const RunContext& run) {
  if (options.rows.empty() || run.models.made_up()) return;  // a dry run embeds nothing
  const RewardData data =
      make_reward_data(with_further_people(users, options), options.data,
                       options.embedder ? make_embed(*options.embedder, run) : Embed());
  if (data.left_out > 0)
    run.remark("rewards are fitted",
               fmt::format(" on {} choices of {} people; {} more are left out, as test "
                           "people are asked to choose between the same texts",
                           data.fitted.D.rows(), data.fitted.people(), data.left_out));
  if (users.test.size() < 2) run.remark("rewards: one test person has nobody to be swapped with");
  const Work work{options, users, model, run, data};
  for (const RewardRow row : options.rows) work.put_row(row);
}

void run_reward_experiment(const RewardExperiment& experiment, RunContext& run) {
  const Users users = load_users(experiment.users);
  for (const std::string& line : users.remarks) run.remark(line);
  if (users.test.empty()) throw UserError("an experiment on people needs test users");
  SearchRecord record(run, "");
  describe_rewards(experiment.rewards, "", record);
  record.keep();
  run.stage("rewards", /*measures=*/true);
  const auto& embedder = experiment.rewards.embedder;
  put_rewards(experiment.rewards, users, embedder ? embedder->name() : "words", run);
}

std::string embedding_cost(const RewardOptions& options, const UsersOptions& users) {
  if (options.rows.empty() || !options.embedder) return "";
  return fmt::format(
      "{} texts are read by the embedder {}",
      texts_to_embed(with_further_people(load_users(users), options), options.data).size(),
      options.embedder->name());
}

}  // namespace theta
