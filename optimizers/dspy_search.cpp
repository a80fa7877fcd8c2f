#include "optimizers/dspy_search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "optimizers/tpe_surrogate.hpp"

namespace theta {
namespace {

/// DSPy's evaluate returns percents of two decimals. evaluate/evaluate.py.
double rounded(double mean) { return std::round(mean * 1e4) / 1e4; }

class DspySearch {
 public:
  DspySearch(const std::vector<Variable>& space, std::size_t examples,
             const EvaluateCandidate& evaluate, const SearchOptions& options)
      : evaluate_(evaluate),
        options_(options),
        all_(examples),
        rng_(options.seed),
        tpe_(space),
        incumbent_(space.size(), 0),
        log_(options.max_evaluations, options.stop) {
    std::iota(all_.begin(), all_.end(), std::size_t{0});
  }

  SearchResult run() {
    log_.run([&] {
      if (evaluate(TrialKind::kDefault, incumbent_, all_)) search_on();
    });
    return {incumbent_, best_.score, log_.trials(), log_.stopped()};
  }

 private:
  /// What the minibatches of one combination came to.
  struct Tried {
    Combination combination;
    double sum = 0;
    int minibatches = 0;
    bool full = false;
    double mean() const { return sum / minibatches; }
  };

  void search_on() {
    const std::size_t n = options_.minibatch_size;
    const bool minibatches = n > 0 && n < all_.size();
    for (std::size_t t = 1; t <= options_.num_trials; ++t) {
      const Combination chosen = tpe_.suggest(rng_);
      if (!minibatches) {
        if (!evaluate(TrialKind::kFull, chosen, all_)) return;
        continue;
      }
      if (!evaluate(TrialKind::kMinibatch, chosen, rng_.sample(all_.size(), n))) return;
      if (lost_.contains(chosen)) continue;
      auto tried = std::ranges::find(tried_, chosen, &Tried::combination);
      if (tried == tried_.end()) tried = tried_.insert(tried, {.combination = chosen});
      tried->sum += log_.trials().back().score;
      ++tried->minibatches;
      if (t % options_.full_every != 0 && t != options_.num_trials) continue;
      Tried* best = nullptr;
      for (auto& candidate : tried_)
        if (!candidate.full && (best == nullptr || candidate.mean() > best->mean()))
          best = &candidate;
      if (best == nullptr) continue;
      best->full = true;
      if (!evaluate(TrialKind::kFull, best->combination, all_)) return;
    }
  }

  /// @return whether to go on: the budget was enough.
  bool evaluate(TrialKind kind, const Combination& candidate,
                const std::vector<std::size_t>& examples) {
    log_.check();
    if (lost_.contains(candidate)) return true;
    if (!log_.affords(examples.size())) return false;
    const auto scores = evaluate_(candidate, examples);
    require(scores.size() == examples.size(), "an evaluation has a score for every example");
    log_.spend(examples.size());
    if (!outages_.answered(scores)) {  // DSPy scores this 0
      lost_.insert(candidate);
      return true;
    }
    double sum = 0;
    std::size_t scored = 0;
    for (const auto& one : scores)
      if (one) sum += *one, ++scored;
    const double score = rounded(sum / static_cast<double>(scored));
    tpe_.observe({{candidate, 0, score}});  // a trial has one score, whatever it is the mean of
    const bool improved = kind == TrialKind::kFull && score > best_.score;
    if (improved) incumbent_ = candidate;
    if (improved || kind == TrialKind::kDefault) best_ = measured(score, scored);
    log_.add({.kind = kind,
              .combination = candidate,
              .score = score,
              .improved = improved,
              .incumbent = incumbent_,
              .best = best_},
             options_.on_trial);
    return true;
  }

  const EvaluateCandidate& evaluate_;
  const SearchOptions& options_;
  std::vector<std::size_t> all_;
  Rng rng_;
  TpeSurrogate tpe_;
  std::vector<Tried> tried_;  ///< in the order in which they were first tried
  Combination incumbent_;
  Estimate best_;
  TrialLog log_;
  Outages outages_;
  std::set<Combination> lost_;  ///< the service answered nothing of them: not asked again
};

}  // namespace

SearchResult dspy_search(const std::vector<Variable>& space, std::size_t examples,
                         const EvaluateCandidate& evaluate, const SearchOptions& options) {
  require(examples > 0, "a search has examples");
  require(options.full_every > 0, "full evaluations come every few trials");
  return DspySearch(space, examples, evaluate, options).run();
}

}  // namespace theta
