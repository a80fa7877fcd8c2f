#include "modules/demo_choice.hpp"

#include <algorithm>
#include <cmath>

#include "core/statistics.hpp"

namespace theta {
namespace {

/// Demos are shown if they are better with more than this probability.
constexpr double kSure = 0.8;

/// Of a difference of two judges' probabilities before any is seen, and how many it counts for.
constexpr double kDifference = 0.25;
constexpr double kPriorCount = 4;
/// Standard deviation of what demos or a persona bring a person, before anything is seen.
constexpr double kGain = 0.2;

constexpr DemoRule kRules[] = {DemoRule::kVerified, DemoRule::kCorrective};

bool is_right(const Judgement& judgement, double contrast) {
  return judgement.status == Outcome::Status::kScored && judgement.score(contrast) == 1;
}

/// A person's pairs and what the judge said of each without demos.
struct Traced {
  const DemoQuestion* question;
  std::span<const Judgement> judgements;

  std::size_t size() const { return judgements.size(); }
  const PreferencePair& pair(std::size_t i) const { return question->user->context[i]; }
};

/// The demos of a rule, of the pairs outside a fold.   @param fold  of `folds`; `folds`: of all pairs
std::vector<Demo> demos_by(DemoRule rule, const Judge& judge, const Traced& traced,
                           std::size_t fold, std::size_t folds, std::size_t most) {
  const auto add = [&](std::vector<Demo>& demos, std::size_t i) {
    const PreferencePair& pair = traced.pair(i);
    if (demos.size() < most)
      demos.push_back(judge.demo(pair, pair.flip, traced.question->persona,
                                 std::string(traced.judgements[i].verified_reasoning())));
  };
  std::vector<Demo> right, wrong;
  for (std::size_t i = 0; i < traced.size(); ++i)
    if (i % folds != fold)
      add(is_right(traced.judgements[i], traced.question->contrast) ? right : wrong, i);
  if (rule == DemoRule::kVerified) return right;
  for (Demo& demo : right)
    if (wrong.size() < most) wrong.push_back(std::move(demo));
  return wrong;
}

/// A rule's demos for the pairs of one fold.
struct Trial {
  DemoRule rule;
  std::size_t fold;
  std::vector<Demo> demos;
};

/// What differs from no demos; a rule that takes the same as one before it is left out.
std::vector<Trial> trials_of(const Judge& judge, const Traced& traced, std::size_t folds,
                             std::size_t most) {
  std::vector<Trial> trials;
  for (const DemoRule rule : kRules) {
    std::vector<Trial> of_rule;
    bool is_new = false;
    for (std::size_t fold = 0; fold < folds; ++fold) {
      of_rule.push_back({rule, fold, demos_by(rule, judge, traced, fold, folds, most)});
      const auto& demos = of_rule.back().demos;
      is_new = is_new || (!demos.empty() && std::ranges::none_of(trials, [&](const Trial& other) {
                 return other.fold == fold && other.demos == demos;
               }));
    }
    if (is_new) std::ranges::move(of_rule, std::back_inserter(trials));
  }
  return trials;
}

const Judgement* lost_in(std::span<const Judgement> judgements) {
  const auto lost = std::ranges::find(judgements, Outcome::Status::kFailed, &Judgement::status);
  return lost == judgements.end() ? nullptr : &*lost;
}

/// The best rule, if it is surely better than none.
DemoChoice chosen(const Judge& judge, const Traced& traced, std::span<const Trial> trials,
                  std::span<const Judgement> judgements, std::size_t folds, std::size_t most) {
  DemoChoice best;
  const double contrast = traced.question->contrast;
  for (const DemoRule rule : kRules) {
    std::vector<double> differences;
    std::size_t next = 0;
    for (const Trial& trial : trials)
      for (std::size_t i = trial.fold; i < traced.size(); i += folds) {
        const Judgement& with = judgements[next++];
        if (trial.rule != rule) continue;
        differences.push_back(with.agreement(contrast) -
                              traced.judgements[i].agreement(contrast));
      }
    if (differences.empty()) continue;
    const auto [gain, p_better] = shrunk_gain(differences);
    if (p_better > std::max(kSure, best.p_better))
      best = {.rule = rule, .demos = {}, .gain = gain, .p_better = p_better};
  }
  if (best.rule != DemoRule::kNone)
    best.demos = demos_by(best.rule, judge, traced, folds, folds, most);
  return best;
}

}  // namespace

ShrunkGain shrunk_gain(std::span<const double> differences) {
  require(!differences.empty(), "a gain is of something");
  const auto n = static_cast<double>(differences.size());
  const double centre = mean(differences);
  double squares = kPriorCount * kDifference;
  for (const double one : differences) squares += (one - centre) * (one - centre);
  const double variance = squares / (kPriorCount + n - 1) / n;
  const double share = kGain * kGain / (kGain * kGain + variance);
  const double gain = share * centre;
  return {gain, normal_cdf(gain / std::sqrt(share * variance))};
}

std::vector<Result<DemoChoice>> choose_demos(const Judge& judge,
                                             std::span<const DemoQuestion> questions,
                                             std::size_t most, std::size_t folds,
                                             const Call& call) {
  require(most > 0 && folds > 1, "demos are chosen on other folds");
  std::vector<Question> wave;
  for (const DemoQuestion& one : questions)
    for (const PreferencePair& pair : one.user->context)
      wave.push_back({&pair, pair.flip, one.persona, nullptr});
  const auto traces = judge.judge(wave, call);

  std::vector<Traced> traced;
  std::vector<std::vector<Trial>> trials;
  std::vector<std::size_t> of_person;  // folds
  std::size_t next = 0;
  for (const DemoQuestion& one : questions) {
    const std::size_t n = one.user->context.size();
    traced.push_back({&one, std::span(traces).subspan(next, n)});
    next += n;
    of_person.push_back(std::min(folds, n));
    const bool whole = n > 1 && !lost_in(traced.back().judgements);
    trials.push_back(whole ? trials_of(judge, traced.back(), of_person.back(), most)
                           : std::vector<Trial>());
  }
  wave.clear();
  for (std::size_t p = 0; p < traced.size(); ++p)
    for (const Trial& trial : trials[p])
      for (std::size_t i = trial.fold; i < traced[p].size(); i += of_person[p]) {
        const PreferencePair& pair = traced[p].pair(i);
        wave.push_back({&pair, pair.flip, questions[p].persona, &trial.demos});
      }
  const auto judgements = judge.judge(wave, call);

  std::vector<Result<DemoChoice>> out;
  next = 0;
  for (std::size_t p = 0; p < traced.size(); ++p) {
    std::size_t n = 0;
    for (const Trial& trial : trials[p])
      for (std::size_t i = trial.fold; i < traced[p].size(); i += of_person[p]) ++n;
    const auto of_trials = std::span(judgements).subspan(next, n);
    next += n;
    const Judgement* lost = lost_in(traced[p].judgements);
    if (!lost) lost = lost_in(of_trials);
    if (lost) {
      out.emplace_back(Error{Fault::kService, lost->error});
      continue;
    }
    DemoChoice choice = chosen(judge, traced[p], trials[p], of_trials, of_person[p], most);
    for (const Judgement& judgement : traced[p].judgements) choice.usage += judgement.usage;
    for (const Judgement& judgement : of_trials) choice.usage += judgement.usage;
    out.emplace_back(std::move(choice));
  }
  return out;
}

}  // namespace theta
