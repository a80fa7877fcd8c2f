#include "experiments/data/pair_stats.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "core/result.hpp"
#include "experiments/data/pair_rows.hpp"
#include "experiments/data/preference_pairs.hpp"

namespace theta {
namespace {

/// How often each length was seen, or each number of choices.
using Counts = std::map<std::size_t, std::size_t>;

/// The median is the lower of two.
Spread spread_of(const Counts& counts) {
  if (counts.empty()) return {};
  std::size_t n = 0;
  for (const auto& [value, times] : counts) n += times;
  std::size_t before = 0, median = 0;
  for (const auto& [value, times] : counts) {
    if (2 * before < n) median = value;
    before += times;
  }
  return {counts.begin()->first, median, counts.rbegin()->first};
}

/// What users chose between two texts.
struct Votes {
  std::size_t low = 0, high = 0;  ///< for the text that comes first in the alphabet, and the other
};

class Counter {
 public:
  void add(const std::optional<Choice>& choice) {
    ++stats_.rows;
    if (!choice) {
      ++stats_.ties;
    } else if (choice->pair.chosen == choice->pair.rejected) {
      ++stats_.equal_texts;
    } else {
      ++stats_.choices;
      add_texts(choice->pair);
      if (choice->flip) ++stats_.places_said, stats_.first_chosen += *choice->flip;
      Person& person = users_[choice->user];
      ++person.choices;
      person.described = person.described || !choice->demographics.empty();
      add_vote(person, choice->pair);
    }
  }

  PairStats stats() {
    Counts choices;
    for (const auto& [name, person] : users_) {
      ++choices[person.choices];
      stats_.users_with_five += person.choices >= 5;
      stats_.described_users += person.described;
    }
    stats_.users = users_.size();
    stats_.choices_of_user = spread_of(choices);
    stats_.context_letters = spread_of(contexts_);
    stats_.chosen_letters = spread_of(chosen_);
    stats_.rejected_letters = spread_of(rejected_);
    double alike = 0, twos = 0;
    for (const auto& [pair, votes] : votes_) {
      const auto low = static_cast<double>(votes.low), high = static_cast<double>(votes.high);
      if (low + high < 2) continue;
      ++stats_.shared_pairs;
      alike += low * (low - 1) / 2 + high * (high - 1) / 2;
      twos += (low + high) * (low + high - 1) / 2;
    }
    if (twos > 0) stats_.agreement = alike / twos;
    return std::move(stats_);
  }

 private:
  struct Person {
    std::size_t choices = 0;
    bool described = false;
    std::unordered_map<std::size_t, bool> chose_low = {};  ///< by pair, the first time
  };

  void add_texts(const PreferencePair& pair) {
    const std::size_t chosen = pair.chosen.size(), rejected = pair.rejected.size();
    ++contexts_[pair.context.size()];
    ++chosen_[chosen];
    ++rejected_[rejected];
    stats_.no_context += pair.context.empty();
    stats_.longer_chosen += chosen > rejected;
    stats_.shorter_chosen += chosen < rejected;
  }

  /// A user has one vote on a pair.
  void add_vote(Person& person, const PreferencePair& pair) {
    const std::size_t hash = std::hash<std::string>{}(content_of(pair));
    const bool low = pair.chosen < pair.rejected;
    const auto [first, is_new] = person.chose_low.emplace(hash, low);
    if (!is_new) {
      ++stats_.repeated;
      stats_.reversed += first->second != low;
      return;
    }
    Votes& votes = votes_[hash];
    ++(low ? votes.low : votes.high);
  }

  PairStats stats_;
  std::unordered_map<std::string, Person> users_;
  std::unordered_map<std::size_t, Votes> votes_;
  Counts contexts_, chosen_, rejected_;
};

}  // namespace

PairStats pair_stats(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  Remarks remarks(file, lines);
  Counter counter;
  for_each_row(file, {.read = columns_of_pairs()}, [&](const auto& where, const auto& row) {
    counter.add(read_choice(where, row, /*by_conversation=*/false, remarks));
  });
  PairStats stats = counter.stats();
  if (stats.rows == 0) throw UserError(file.string() + ": no rows");
  stats.remarks = std::move(lines);
  return stats;
}

nlohmann::ordered_json stats_json(const PairStats& stats) {
  const auto spread = [](const Spread& one) {
    return nlohmann::ordered_json{{"least", one.least}, {"median", one.median}, {"most", one.most}};
  };
  nlohmann::ordered_json json = {{"rows", stats.rows},
                                 {"choices", stats.choices},
                                 {"ties", stats.ties},
                                 {"equal_texts", stats.equal_texts},
                                 {"users", stats.users},
                                 {"users_with_five", stats.users_with_five},
                                 {"described_users", stats.described_users},
                                 {"choices_of_user", spread(stats.choices_of_user)},
                                 {"context_letters", spread(stats.context_letters)},
                                 {"chosen_letters", spread(stats.chosen_letters)},
                                 {"rejected_letters", spread(stats.rejected_letters)},
                                 {"no_context", stats.no_context},
                                 {"longer_chosen", stats.longer_chosen},
                                 {"shorter_chosen", stats.shorter_chosen},
                                 {"first_chosen", stats.first_chosen},
                                 {"places_said", stats.places_said},
                                 {"repeated", stats.repeated},
                                 {"reversed", stats.reversed},
                                 {"shared_pairs", stats.shared_pairs}};
  json["agreement"] = stats.agreement ? nlohmann::ordered_json(*stats.agreement) : nullptr;
  json["remarks"] = stats.remarks;
  return json;
}

}  // namespace theta
