#include "experiments/runs/population.hpp"

#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace theta {
namespace {

/// Context, and both texts in alphabetical order.
using Choice = std::tuple<std::string, std::string, std::string>;

Choice choice_of(const PreferencePair& pair) {
  const bool in_order = pair.chosen < pair.rejected;
  return {pair.context, in_order ? pair.chosen : pair.rejected,
          in_order ? pair.rejected : pair.chosen};
}

/// By choice and person: how often the first text was chosen less how often the second was.
using Votes = std::map<Choice, std::map<std::string, int>>;

}  // namespace

std::vector<Outcome> population_outcomes(const Users& users, const std::string& method,
                                         const std::string& model) {
  Votes votes;
  for (const auto* split : {&users.train, &users.validation, &users.test})
    for (const User& user : *split)
      for (const auto* pairs : {&user.context, &user.test})
        for (const PreferencePair& pair : *pairs)
          votes[choice_of(pair)][user.id] += pair.chosen < pair.rejected ? 1 : -1;
  bool shared = false;
  std::vector<Outcome> outcomes;
  for (const User& user : users.test)
    for (const PreferencePair& pair : user.test) {
      int others = 0;
      for (const auto& [id, vote] : votes.at(choice_of(pair)))
        if (id != user.id) others += vote > 0 ? 1 : vote < 0 ? -1 : 0;
      shared = shared || votes.at(choice_of(pair)).size() > 1;
      const int with_user = pair.chosen < pair.rejected ? others : -others;
      const double score = with_user > 0 ? 1 : with_user < 0 ? 0 : 0.5;
      for (const int variant : {0, 1})
        outcomes.push_back({method, model, pair.id, user.id, variant, score,
                            static_cast<double>(with_user), Outcome::Status::kScored});
    }
  return shared ? outcomes : std::vector<Outcome>{};
}

}  // namespace theta
