#include "optimizers/paired_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "core/models/outage.hpp"
#include "optimizers/combinations.hpp"
#include "optimizers/knowledge_gradient.hpp"

namespace theta {
namespace {

/// Candidates that are compared in the joint posterior: those with the highest mean + kOptimism sd.
constexpr std::size_t kShortlist = 100;
constexpr double kOptimism = 2;

/// Draws of what may be learned, to decide whether to go on.
constexpr int kDraws = 128;

/// Failures in a row that are taken for the end of the service.
constexpr std::size_t kLost = 30;

/// What the surrogate believes, of a normal distribution cut off at what scores can be.
Estimate believed(double mean, double variance) {
  const double score = std::clamp(mean, 0.0, 1.0);
  const double half = normal_quantile(.975) * std::sqrt(variance);
  return {score, {std::max(score - half, 0.0), std::min(score + half, 1.0)}};
}

/// What is known of one candidate.
struct Knowledge {
  Scores scores;          ///< by example
  std::size_t asked = 0;  ///< how far it is along the order of examples
  bool checked = false;   ///< was asked for everything that had no score
};

/// The variables of a surrogate that also hears of another model.
std::vector<Variable> with_model(std::vector<Variable> space) {
  space.push_back({.name = "model", .choices = 2, .meets_all = true});
  return space;
}

/// The posterior at the candidates that are in question.
struct Survey {
  std::vector<Combination> candidates;
  Posterior belief;

  std::size_t best() const {
    Eigen::Index i = 0;
    belief.mean.maxCoeff(&i);
    return static_cast<std::size_t>(i);
  }
};

class Search {
 public:
  Search(const std::vector<Variable>& space, std::size_t examples, const EvaluateWave& evaluate,
         const PairedSearchOptions& options)
      : space_(space),
        evaluate_(evaluate),
        options_(options),
        surrogate_(options.elsewhere.empty() ? space : with_model(space), options.surrogate),
        rng_(options.seed),
        order_(rng_.sample(examples, examples)),
        examples_(examples),
        default_(space.size(), 0),
        incumbent_(default_),
        leader_(default_),
        log_(options.budget, options.stop) {
    if (options.checked && options.budget < static_cast<std::int64_t>(order_.size()))
      throw UserError(
          fmt::format("a budget of {} evaluations does not cover the {} examples that the default "
                      "is scored on",
                      options.budget, order_.size()));
    for (const auto& candidate : list_combinations(space, options.pool))
      if (allowed(candidate)) all_.push_back(candidate);
    std::vector<Observation> elsewhere = options.elsewhere;
    for (Observation& outcome : elsewhere) {
      promising_.insert(outcome.combination);
      outcome.combination.push_back(1);
    }
    surrogate_.observe(elsewhere);
  }

  PairedSearchResult run() {
    log_.run([&] {
      if (options_.checked) run_wave({rest(TrialKind::kDefault, default_)});
      spend();
      if (options_.checked) check_winner();
    });
    if (log_.trials().empty())
      throw Outage(fmt::format("no example could be scored, the last because: {}", reason_));
    PairedSearchResult result;
    result.winner = winner();
    settle();
    result.best = incumbent_;
    // Unchecked, the best can be a default that was never asked: what is known of others says so.
    result.score = is_tried(incumbent_) ? mean(known_.at(incumbent_).scores)
                                        : surrogate_.posterior({incumbent_}).mean(0);
    result.trials = log_.trials();
    result.stopped = log_.stopped();
    std::vector<Combination> tried;
    for (const auto& [candidate, known] : known_)
      if (any(known.scores)) tried.push_back(candidate);
    const Posterior belief = surrogate_.posterior(tried);
    for (std::size_t i = 0; i < tried.size(); ++i)
      result.tried.push_back({tried[i], belief.mean(static_cast<Eigen::Index>(i)),
                              belief.variance(static_cast<Eigen::Index>(i))});
    for (const auto& [candidate, known] : known_)
      for (std::size_t j = 0; j < known.scores.size(); ++j)
        if (known.scores[j]) result.outcomes.push_back({candidate, j, *known.scores[j]});
    return result;
  }

 private:
  struct Asked {
    TrialKind kind;
    Suggestion suggestion;
  };

  void spend() {
    survey();
    for (auto wave = plan(); !wave.empty(); wave = plan()) run_wave(wave);
  }

  /// Scores the winner on everything, and the next one if that unseats it. A winner that nothing is
  /// left to ask of has its full trial, too.
  void check_winner() {
    for (;;) {
      const auto affordable = [this](const Combination& c) { return cost_to_check(c) <= left(); };
      choose_incumbent(affordable);
      prefer_cheaper(affordable);
      Knowledge& known = known_.at(incumbent_);
      if (known.checked) break;
      const Asked asked = rest(TrialKind::kFull, incumbent_);
      if (asked.suggestion.examples.empty())
        known.checked = true;
      else
        run_wave({asked});
    }
    const Trial& last = log_.trials().back();
    if (last.kind == TrialKind::kMinibatch || last.combination != incumbent_)
      record({TrialKind::kFull, {incumbent_, {}}}, mean(known_.at(incumbent_).scores), log_.spent(),
             true);
  }

  /// Checked, goes back to the default if the incumbent is not better as measured.
  void settle() {
    if (options_.checked && !better(known_.at(incumbent_).scores, known_.at(default_).scores))
      incumbent_ = default_;
  }

  /// Without a better one the incumbent is the default; the best of the others is looked for then.
  std::optional<PairedSearchResult::Winner> winner() const {
    std::optional<Combination> best;
    if (incumbent_ != default_) best = incumbent_;
    double highest = 0;
    for (const auto& [candidate, known] : known_) {
      if (incumbent_ != default_ || candidate == default_ || !any(known.scores)) continue;
      const double value = surrogate_.posterior({candidate}).mean(0);
      if (best && value <= highest) continue;
      best = candidate;
      highest = value;
    }
    if (!best) return std::nullopt;
    // What was asked of all candidates tells how much the best of them is picked for its luck: the
    // surrogate's posterior, which fits its variances to the data, believes too much of it.
    const auto found = known_.find(default_);
    const Scores student = found != known_.end() ? found->second.scores : Scores(examples_);
    std::vector<Scores> others;
    std::size_t at = 0;
    for (const auto& [candidate, known] : known_) {
      if (candidate == default_ || !any(known.scores)) continue;
      if (candidate == *best) at = others.size();
      others.push_back(known.scores);
    }
    return PairedSearchResult::Winner{
        *best, shrunken(student, others).at(at), mean(others[at]),
        any(student) ? mean(student) : surrogate_.posterior({default_}).mean(0)};
  }

  /// The cheapest of what the joint posterior does not tell apart from the incumbent.
  template <typename F>
  void prefer_cheaper(const F& may) {
    if (!options_.cost || incumbent_ == default_) return;
    const Combination best = incumbent_;
    double lowest = options_.cost(best);
    for (const auto& candidate : survey_.candidates) {
      if (!may_win(candidate, may) || candidate == best) continue;
      const auto [mean_of, covariance] = surrogate_.joint({best, candidate});
      const double variance = covariance(0, 0) + covariance(1, 1) - 2 * covariance(0, 1);
      if (mean_of(0) - mean_of(1) > kTie * std::sqrt(std::max(variance, 0.0))) continue;
      if (const double cost = options_.cost(candidate); cost < lowest)
        incumbent_ = candidate, lowest = cost;
    }
  }

  /// Suggestions, as many as may be in flight and the budget has room for; none to end.
  std::vector<Asked> plan() {
    const std::vector<Combination> shortlist = make_shortlist();
    auto [means, covariance] = surrogate_.joint(shortlist);
    std::vector<std::size_t> asked;
    for (const auto& candidate : shortlist) asked.push_back(asked_of(candidate));
    std::int64_t room = left() - (options_.checked ? reserve() : 0);
    const auto slope = [&, &covariance = covariance](Eigen::Index i, std::size_t examples) {
      const double noise = surrogate_.variances().noise / static_cast<double>(examples);
      return Eigen::VectorXd(covariance.col(i) / std::sqrt(covariance(i, i) + noise));
    };

    const auto width =
        std::max(options_.in_flight,
                 static_cast<std::size_t>(static_cast<double>(log_.spent()) * options_.widening) /
                     options_.step);
    std::vector<Asked> wave;
    while (wave.size() < width && room > 0) {
      double most = -1;
      std::size_t chosen = shortlist.size();
      for (std::size_t i = 0; i < shortlist.size(); ++i) {
        const std::size_t open = order_.size() - asked[i];
        if (open == 0) continue;
        const auto at = static_cast<Eigen::Index>(i);
        const double gain =
            knowledge_gradient(means, slope(at, std::min(options_.lookahead, open)));
        if (gain > most) {
          most = gain;
          chosen = i;
        }
      }
      if (chosen == shortlist.size()) break;
      if (wave.empty() && most < options_.stop_below &&
          gain_of_all(means, covariance, asked) < options_.stop_below)
        break;

      const std::size_t n =
          std::min({options_.step, order_.size() - asked[chosen], static_cast<std::size_t>(room)});
      const auto from = order_.begin() + static_cast<std::ptrdiff_t>(asked[chosen]);
      wave.push_back({TrialKind::kMinibatch,
                      {shortlist[chosen], {from, from + static_cast<std::ptrdiff_t>(n)}}});
      asked[chosen] += n;
      room -= static_cast<std::int64_t>(n);
      const Eigen::VectorXd learned = slope(static_cast<Eigen::Index>(chosen), n);
      covariance -= learned * learned.transpose();
    }
    return wave;
  }

  /// How much higher the best posterior mean is expected to be once everything is asked: the mean
  /// outcomes of the n examples left to each have noise D = diag(s_e^2 / n), and so move the means
  /// by N(0, C (C + D)^-1 C). Over kDraws draws, the same ones every time.
  double gain_of_all(const Eigen::VectorXd& means, const Eigen::MatrixXd& covariance,
                     const std::vector<std::size_t>& asked) const {
    std::vector<Eigen::Index> open;
    for (std::size_t i = 0; i < asked.size(); ++i)
      if (asked[i] < order_.size()) open.push_back(static_cast<Eigen::Index>(i));
    Eigen::MatrixXd learned = covariance(open, open);
    for (std::size_t k = 0; k < open.size(); ++k)
      learned(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(k)) +=
          surrogate_.variances().noise /
          static_cast<double>(order_.size() - asked[static_cast<std::size_t>(open[k])]);
    // With C + D = G G' and R = G^-1 C, R' z has that covariance.
    const Eigen::LLT<Eigen::MatrixXd> llt(learned);
    require(llt.info() == Eigen::Success, "what may be learned has a covariance");
    const Eigen::MatrixXd all = covariance(open, Eigen::all);
    const Eigen::MatrixXd root = llt.matrixL().solve(all);
    Eigen::Index best = 0;
    means.maxCoeff(&best);
    Rng rng(options_.seed);
    double gain = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      Eigen::VectorXd z(root.rows());
      for (auto& value : z) value = rng.normal();
      const Eigen::VectorXd drawn = means + root.transpose() * z;
      gain += drawn.maxCoeff() - drawn(best);
    }
    return gain / kDraws;
  }

  /// What may be the best, the likeliest first, and the highest mean.
  std::vector<Combination> make_shortlist() const {
    const auto& [candidates, belief] = survey_;
    std::vector<std::size_t> by_index(candidates.size());
    std::iota(by_index.begin(), by_index.end(), std::size_t{0});
    const Eigen::VectorXd index = belief.mean + kOptimism * belief.variance.cwiseSqrt();
    std::stable_sort(by_index.begin(), by_index.end(), [&](std::size_t a, std::size_t b) {
      return index(static_cast<Eigen::Index>(a)) > index(static_cast<Eigen::Index>(b));
    });
    if (by_index.size() > kShortlist) {
      by_index.resize(kShortlist);
      if (std::find(by_index.begin(), by_index.end(), survey_.best()) == by_index.end())
        by_index.back() = survey_.best();
    }
    std::vector<Combination> shortlist;
    for (const auto i : by_index) shortlist.push_back(candidates[i]);
    return shortlist;
  }

  /// Everything of `candidate` that has no score yet.
  Asked rest(TrialKind kind, const Combination& candidate) const {
    Asked asked{kind, {candidate, {}}};
    const auto found = known_.find(candidate);
    for (const auto j : order_)
      if (found == known_.end() || !found->second.scores[j]) asked.suggestion.examples.push_back(j);
    return asked;
  }

  std::vector<std::vector<Result<double>>> ask(const std::vector<Asked>& wave) {
    log_.check();
    std::vector<Suggestion> suggestions;
    for (const auto& asked : wave) {
      suggestions.push_back(asked.suggestion);
      log_.spend(asked.suggestion.examples.size());
    }
    auto scores = evaluate_(suggestions);
    require(scores.size() == wave.size(), "an evaluation has scores for every suggestion");
    for (std::size_t s = 0; s < wave.size(); ++s)
      require(scores[s].size() == suggestions[s].examples.size(),
              "an evaluation has a score for every example");
    return scores;
  }

  /// Evaluates, learns and records.
  void run_wave(const std::vector<Asked>& wave) {
    const std::int64_t before = log_.spent();
    const auto scores = ask(wave);
    surrogate_.observe(learn(wave, scores));
    if (options_.checked && !any(known_[default_].scores))
      throw Outage(
          fmt::format("no example of the default could be scored, the last because: {}", reason_));
    survey();
    choose_incumbent([](const Combination&) { return true; });
    record(wave, scores, before);
  }

  /// Keeps what came of a wave.   @return the scores
  std::vector<Observation> learn(const std::vector<Asked>& wave,
                                 const std::vector<std::vector<Result<double>>>& scores) {
    std::vector<Observation> outcomes;
    for (std::size_t s = 0; s < wave.size(); ++s) {
      const auto& [kind, suggestion] = wave[s];
      auto& known = known_[suggestion.combination];
      known.scores.resize(examples_);
      for (std::size_t i = 0; i < scores[s].size(); ++i) {
        const std::size_t j = suggestion.examples[i];
        if (scores[s][i]) {
          known.scores[j] = *scores[s][i];
          outcomes.push_back({suggestion.combination, j, *scores[s][i]});
          lost_ = 0;
          continue;
        }
        reason_ = scores[s][i].error().message;
        // A last evaluation asks again for nothing but what failed before.
        if (kind != TrialKind::kFull && ++lost_ == kLost)
          throw Outage(fmt::format(
              "no example of the last {} could be scored, the last because: {}", kLost, reason_));
      }
      known.checked = kind != TrialKind::kMinibatch;
      // A candidate that the service refuses is not asked for ever.
      known.asked = known.checked || !any(known.scores) ? order_.size()
                                                        : known.asked + suggestion.examples.size();
    }
    return outcomes;
  }

  /// Records the trials of a wave that brought a score.
  /// @param spent  before the wave
  void record(const std::vector<Asked>& wave,
              const std::vector<std::vector<Result<double>>>& scores, std::int64_t spent) {
    std::size_t told = wave.size();  // what brought no score is not: it counts with the next
    const auto failed = [](const auto& score) { return !score; };
    while (told > 0 && std::ranges::all_of(scores[told - 1], failed)) --told;
    for (std::size_t s = 0; s < told; ++s) {
      spent += static_cast<std::int64_t>(wave[s].suggestion.examples.size());
      const auto& known = known_[wave[s].suggestion.combination];
      double sum = 0;
      int n = 0;
      for (const auto& score : scores[s])
        if (score) sum += *score, ++n;
      if (n > 0)
        record(wave[s], known.checked ? mean(known.scores) : sum / n, spent, s + 1 == told);
    }
  }

  /// The incumbent changes with the last trial of a wave.
  void record(const Asked& asked, double score, std::int64_t spent, bool last) {
    const auto& trials = log_.trials();
    const Combination before = trials.empty() ? default_ : trials.back().incumbent;
    const Combination& now = last ? incumbent_ : before;
    const Posterior belief = surrogate_.posterior({now});
    log_.add({.kind = asked.kind,
              .combination = asked.suggestion.combination,
              .score = score,
              .improved = now != before,
              .incumbent = now,
              .best = believed(belief.mean(0), belief.variance(0))},
             options_.on_trial, spent);
  }

  void survey() {
    survey_.candidates = candidates();
    survey_.belief = surrogate_.posterior(survey_.candidates);
    leader_ = survey_.candidates[survey_.best()];
  }

  /// The highest posterior mean of what was tried, satisfies `may`, and was not found to be no
  /// better than the default; the default if there is none. The first of equals.
  template <typename F>
  void choose_incumbent(const F& may) {
    double best = 0;
    std::optional<std::size_t> chosen;
    for (std::size_t i = 0; i < survey_.candidates.size(); ++i) {
      const auto& candidate = survey_.candidates[i];
      const double value = survey_.belief.mean(static_cast<Eigen::Index>(i));
      if (chosen && value <= best) continue;
      if (candidate != default_ && !may_win(candidate, may)) continue;
      best = value;
      chosen = i;
    }
    incumbent_ = chosen ? survey_.candidates[*chosen] : default_;
  }

  template <typename F>
  bool may_win(const Combination& candidate, const F& may) const {
    return candidate != default_ && is_tried(candidate) && may(candidate) && !is_beaten(candidate);
  }
  bool is_tried(const Combination& candidate) const {
    const auto found = known_.find(candidate);
    return found != known_.end() && any(found->second.scores);
  }
  bool is_beaten(const Combination& candidate) const {
    const auto& known = known_.at(candidate);
    return options_.checked && known.checked && !better(known.scores, known_.at(default_).scores);
  }
  std::size_t asked_of(const Combination& candidate) const {
    const auto found = known_.find(candidate);
    return found == known_.end() ? 0 : found->second.asked;
  }
  std::int64_t left() const { return options_.budget - log_.spent(); }
  /// Evaluations that rest() would ask for; none for what was checked.
  std::int64_t cost_to_check(const Combination& candidate) const {
    const auto found = known_.find(candidate);
    if (found != known_.end() && found->second.checked) return 0;
    return static_cast<std::int64_t>(rest(TrialKind::kFull, candidate).suggestion.examples.size());
  }

  /// What it takes to check the best candidate beside the default, or one that is new.
  std::int64_t reserve() const {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < survey_.candidates.size(); ++i)
      if (survey_.candidates[i] != default_ && is_tried(survey_.candidates[i]) &&
          (!best || survey_.belief.mean(static_cast<Eigen::Index>(i)) >
                        survey_.belief.mean(static_cast<Eigen::Index>(*best))))
        best = i;
    if (best) return cost_to_check(survey_.candidates[*best]);
    return static_cast<std::int64_t>(order_.size() - std::min(options_.step, order_.size()));
  }

  bool allowed(const Combination& candidate) const {
    return candidate == default_ || !options_.allowed || known_.contains(candidate) ||
           options_.allowed(candidate);
  }

  /// Everything, or in a space too large to list, what was tried, the neighbours of the incumbent
  /// and of the highest mean in the last survey, and fresh random combinations.
  std::vector<Combination> candidates() {
    if (!all_.empty()) return all_;
    std::set<Combination> tried = promising_;
    tried.insert(default_);
    for (const auto& [candidate, known] : known_) tried.insert(candidate);
    const std::array centres{incumbent_, leader_};
    const auto drawn = draw_combinations(space_, std::move(tried), centres, options_.pool, rng_);
    std::vector<Combination> pool;
    std::copy_if(drawn.begin(), drawn.end(), std::back_inserter(pool),
                 [this](const auto& candidate) { return allowed(candidate); });
    return pool;
  }

  const std::vector<Variable>& space_;
  const EvaluateWave& evaluate_;
  const PairedSearchOptions& options_;
  PairedSurrogate surrogate_;
  Rng rng_;
  std::vector<std::size_t> order_;  ///< of the examples, common to all candidates
  const std::size_t examples_;
  const Combination default_;
  std::vector<Combination> all_;     ///< empty if the space is too large
  std::set<Combination> promising_;  ///< tried with another model
  std::map<Combination, Knowledge> known_;
  Survey survey_;
  Combination incumbent_;
  Combination leader_;  ///< the highest mean of the last survey, tried or not
  TrialLog log_;
  std::size_t lost_ = 0;  ///< failures in a row
  std::string reason_;    ///< of the last failure
};

}  // namespace

std::int64_t mipro_budget(std::size_t examples, std::size_t num_trials, std::size_t minibatch_size,
                          std::size_t full_every) {
  const bool minibatches = minibatch_size > 0 && minibatch_size < examples;
  const std::size_t full = minibatches ? (num_trials + full_every - 1) / full_every : num_trials;
  return static_cast<std::int64_t>(examples * (1 + full) +
                                   (minibatches ? num_trials * minibatch_size : 0));
}

std::size_t mipro_trials(std::size_t variables, std::size_t choices) {
  const auto n = static_cast<double>(choices);
  return static_cast<std::size_t>(
      std::max(2 * static_cast<double>(variables) * std::log2(n), 1.5 * n));
}

PairedSearchResult paired_search(const std::vector<Variable>& space, std::size_t examples,
                                 const EvaluateWave& evaluate, const PairedSearchOptions& options) {
  require(examples > 0, "a search has examples");
  require(options.step > 0 && options.in_flight > 0 && options.lookahead > 0,
          "a wave asks for something");
  return Search(space, examples, evaluate, options).run();
}

}  // namespace theta
