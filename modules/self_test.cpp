#include "modules/self_test.hpp"

#include <algorithm>
#include <string>

#include "core/statistics.hpp"
#include "modules/demo_choice.hpp"

namespace theta {
namespace {

/// A person as all folds but one know them.
struct Fold {
  std::size_t person = 0;
  User known;  ///< `test` is the fold
};

std::vector<Fold> folds_of(std::span<const User* const> users, std::size_t most) {
  std::vector<Fold> folds;
  for (std::size_t u = 0; u < users.size(); ++u) {
    const auto& pairs = users[u]->context;
    const std::size_t n = pairs.size() < 2 ? 0 : std::min(most, pairs.size());
    for (std::size_t f = 0; f < n; ++f) {
      Fold& fold = folds.emplace_back(Fold{u, {}});
      fold.known.id = users[u]->id + " without fold " + std::to_string(f + 1);
      for (std::size_t i = 0; i < pairs.size(); ++i)
        (i % n == f ? fold.known.test : fold.known.context).push_back(pairs[i]);
    }
  }
  return folds;
}

/// What is added up of a person.
struct Sums {
  std::vector<double> differences;
  std::vector<double> scores, plain_scores;
  Usage usage;
  std::string lost;  ///< why; empty: nothing was
};

Result<SelfTest> result_of(const Sums& sums) {
  if (!sums.lost.empty()) return Error{Fault::kService, sums.lost};
  if (sums.differences.empty())
    return Error{Fault::kPrompt, "a person of a single pair cannot be tested on others"};
  const ShrunkGain shrunk = shrunk_gain(sums.differences);
  return SelfTest{.pairs = sums.differences.size(),
                  .accuracy = mean(sums.scores),
                  .plain_accuracy = mean(sums.plain_scores),
                  .scores = sums.scores,
                  .plain_scores = sums.plain_scores,
                  .gain = shrunk.gain,
                  .p_better = shrunk.p_better,
                  .usage = sums.usage};
}

}  // namespace

std::vector<Result<SelfTest>> self_test(const SynthesizeMe& module,
                                        std::span<const User* const> users, std::size_t folds,
                                        const Call& call) {
  require(folds > 1, "a persona is tested on other folds");
  const std::vector<Fold> all = folds_of(users, folds);
  std::vector<const User*> known;
  for (const Fold& fold : all) known.push_back(&fold.known);
  const auto found = module.personas(known, call);

  std::vector<Sums> sums(users.size());
  std::vector<Question> questions;  // with the persona, and without
  std::vector<std::size_t> asked;   // folds, of each two
  for (std::size_t f = 0; f < all.size(); ++f) {
    Sums& own = sums[all[f].person];
    if (!found[f]) {
      if (own.lost.empty()) own.lost = found[f].error().message;
      continue;
    }
    own.usage += found[f]->usage;
    for (const PreferencePair& pair : all[f].known.test) {
      questions.push_back({&pair, pair.flip, found[f]->persona, &found[f]->demos});
      questions.push_back({&pair, pair.flip, "", nullptr});
      asked.push_back(f);
    }
  }
  const auto judgements = module.judge().judge(questions, module.judging(call));
  for (std::size_t k = 0; k < asked.size(); ++k) {
    Sums& own = sums[all[asked[k]].person];
    const Judgement& with = judgements[2 * k];
    const Judgement& plain = judgements[2 * k + 1];
    for (const Judgement* one : {&with, &plain}) {
      own.usage += one->usage;
      if (one->status == Outcome::Status::kFailed && own.lost.empty()) own.lost = one->error;
    }
    const double contrast = found[asked[k]]->contrast;
    own.differences.push_back(with.agreement(contrast) - plain.agreement(0));
    own.scores.push_back(with.score(contrast));
    own.plain_scores.push_back(plain.score(0));
  }
  std::vector<Result<SelfTest>> out;
  for (const Sums& own : sums) out.push_back(result_of(own));
  return out;
}

}  // namespace theta
