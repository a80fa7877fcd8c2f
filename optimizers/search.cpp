#include "optimizers/search.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "optimizers/combinations.hpp"

namespace theta {

namespace {

/// What is known of one candidate.
struct Knowledge {
  Scores scores;
  std::size_t asked = 0;  ///< how far it is along the common order of examples
  bool complete() const { return asked == scores.size(); }
};

class Search {
 public:
  Search(const std::vector<Variable>& space, std::size_t examples,
         const EvaluateCandidate& evaluate, Surrogate& surrogate, const SearchOptions& options)
      : space_(space),
        evaluate_(evaluate),
        surrogate_(surrogate),
        options_(options),
        rng_(options.seed),
        order_(rng_.sample(examples, examples)),
        incumbent_(space.size(), 0),
        log_(options.max_evaluations, options.stop) {
    for (const auto& candidate : list_combinations(space, options.pool))
      if (candidate == incumbent_ || allowed(candidate)) all_.push_back(candidate);
  }

  SearchResult run() {
    log_.run([&] {
      if (evaluate_rest(TrialKind::kDefault, incumbent_)) search_on();
    });
    return {incumbent_, mean(known_.at(incumbent_).scores), log_.trials(), log_.stopped()};
  }

 private:
  void search_on() {
    const bool minibatches = options_.minibatch_size > 0 && options_.minibatch_size < order_.size();
    for (std::size_t t = 1; t <= options_.num_trials; ++t) {
      const auto open = candidates();
      if (open.empty()) return;
      const Combination chosen = surrogate_.suggest(open, rng_);
      if (!minibatches) {
        if (!evaluate_rest(TrialKind::kFull, chosen)) return;
        continue;
      }
      const auto found = known_.find(chosen);
      const auto from = found == known_.end() ? 0 : found->second.asked;
      const auto n = std::min(options_.minibatch_size, order_.size() - from);
      if (options_.max_evaluations > 0) {
        const auto promising = most_promising();
        const auto rest =
            std::max(promising ? unseen(*promising).size() : 0, order_.size() - from - n);
        if (!log_.affords(n + rest)) {
          // A minibatch that no full evaluation follows decides nothing.
          if (promising) evaluate_rest(TrialKind::kFull, *promising);
          return;
        }
      }
      if (!evaluate(TrialKind::kMinibatch, chosen,
                    {order_.begin() + static_cast<std::ptrdiff_t>(from), n}))
        return;
      if (t % options_.full_every != 0 && t != options_.num_trials) continue;
      const auto best = most_promising();
      if (best && !evaluate_rest(TrialKind::kFull, *best)) return;
    }
  }

  std::vector<std::size_t> unseen(const Combination& candidate) const {
    const auto found = known_.find(candidate);
    std::vector<std::size_t> rest;
    for (const auto j : order_)
      if (found == known_.end() || !found->second.scores[j]) rest.push_back(j);
    return rest;
  }

  /// Evaluates on all examples that have no score yet. @return as evaluate().
  bool evaluate_rest(TrialKind kind, const Combination& candidate) {
    return evaluate(kind, candidate, unseen(candidate));
  }

  /// @return whether to go on: the budget was enough.
  bool evaluate(TrialKind kind, const Combination& candidate,
                std::span<const std::size_t> examples) {
    log_.check();
    if (!log_.affords(examples.size())) return false;
    const auto scores = evaluate_(candidate, examples);
    require(scores.size() == examples.size(), "an evaluation has a score for every example");
    log_.spend(examples.size());
    const bool answered = outages_.answered(scores);
    const bool minibatch = kind == TrialKind::kMinibatch;
    auto& known = known_[candidate];
    known.scores.resize(order_.size());
    std::vector<Observation> outcomes;
    double sum = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (!scores[i]) continue;
      known.scores[examples[i]] = *scores[i];
      outcomes.push_back({candidate, examples[i], *scores[i]});
      sum += *scores[i];
    }
    const bool unknown = !any(known.scores);
    known.asked = minibatch && !unknown ? known.asked + examples.size() : order_.size();
    if (unknown || (minibatch && !answered)) return true;
    surrogate_.observe(outcomes);

    const bool improved = known.complete() && better(known.scores, known_.at(incumbent_).scores);
    if (improved) incumbent_ = candidate;
    log_.add({.kind = kind,
              .combination = candidate,
              .score = minibatch ? sum / static_cast<double>(outcomes.size()) : mean(known.scores),
              .improved = improved,
              .incumbent = incumbent_,
              .best = measured(known_.at(incumbent_).scores)},
             options_.on_trial);
    return true;
  }

  /// The candidate to evaluate in full; none if all that were tried have been.
  std::optional<Combination> most_promising() const {
    std::vector<Combination> tried;
    for (const auto& [candidate, known] : known_)
      if (!known.complete()) tried.push_back(candidate);
    if (tried.empty()) return std::nullopt;
    Eigen::Index best = 0;
    surrogate_.posterior(tried).mean.maxCoeff(&best);
    return tried[static_cast<std::size_t>(best)];
  }

  bool allowed(const Combination& candidate) const {
    return !options_.allowed || known_.count(candidate) > 0 || options_.allowed(candidate);
  }
  bool is_complete(const Combination& candidate) const {
    const auto found = known_.find(candidate);
    return found != known_.end() && found->second.complete();
  }

  /// What the surrogate may suggest: everything open, or in a space too large to list, what was
  /// tried, the neighbours of the incumbent, and fresh random combinations.
  std::vector<Combination> candidates() {
    std::vector<Combination> open;
    if (!all_.empty()) {
      std::copy_if(all_.begin(), all_.end(), std::back_inserter(open),
                   [this](const auto& candidate) { return !is_complete(candidate); });
      return open;
    }
    std::set<Combination> tried;
    for (const auto& [candidate, known] : known_) tried.insert(candidate);
    const auto drawn =
        draw_combinations(space_, std::move(tried), {&incumbent_, 1}, options_.pool, rng_);
    std::copy_if(
        drawn.begin(), drawn.end(), std::back_inserter(open),
        [this](const auto& candidate) { return !is_complete(candidate) && allowed(candidate); });
    return open;
  }

  const std::vector<Variable>& space_;
  const EvaluateCandidate& evaluate_;
  Surrogate& surrogate_;
  const SearchOptions& options_;
  Rng rng_;
  const std::vector<std::size_t> order_;  ///< of examples, common to all candidates
  std::vector<Combination> all_;          ///< empty if the space is too large
  std::map<Combination, Knowledge> known_;
  Combination incumbent_;
  TrialLog log_;
  Outages outages_;
};

}  // namespace

SearchResult search(const std::vector<Variable>& space, std::size_t examples,
                    const EvaluateCandidate& evaluate, Surrogate& surrogate,
                    const SearchOptions& options) {
  require(examples > 0, "a search has examples");
  require(options.full_every > 0, "full evaluations come every few trials");
  require(options.max_evaluations == 0 ||
              options.max_evaluations >= static_cast<std::int64_t>(examples),
          "a budget is enough for the default");
  return Search(space, examples, evaluate, surrogate, options).run();
}

}  // namespace theta
