#include "modules/published_pipeline.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/models/outage.hpp"
#include "core/rng.hpp"

namespace theta {
namespace {

/// The first `cap` verified judgements in the given order of pairs, filled up with labelled ones.
std::vector<PastJudgement> bootstrapped_set(std::span<const PreferencePair> train,
                                            std::span<const PastJudgement* const> verified,
                                            const std::vector<std::size_t>& order, std::size_t cap,
                                            std::size_t max_labeled) {
  std::vector<PastJudgement> out;
  std::vector<std::size_t> rest;
  for (const std::size_t i : order) {
    if (verified[i] && out.size() < cap)
      out.push_back(*verified[i]);
    else
      rest.push_back(i);
  }
  Rng(0).shuffle(rest);
  const std::size_t wanted = max_labeled > out.size() ? max_labeled - out.size() : 0;
  for (const std::size_t k : Rng(0).sample(rest.size(), std::min(wanted, rest.size())))
    out.push_back({&train[rest[k]], train[rest[k]].flip, ""});
  return out;
}

std::vector<Demo> demos_of(const Judge& judge, const DemoSet& set, const std::string& persona) {
  std::vector<Demo> demos;
  demos.reserve(set.judgements.size());
  for (const auto& [pair, chosen_first, reasoning] : set.judgements)
    demos.push_back(judge.demo(*pair, chosen_first, persona, reasoning));
  return demos;
}

/// Demo sets are made and compared with every judgement, or not at all.
std::vector<Judgement> answered(std::vector<Judgement> judgements) {
  for (const Judgement& judgement : judgements)
    if (judgement.status == Outcome::Status::kFailed)
      throw Outage("a pair was not judged: " + judgement.error);
  return judgements;
}

/// Bootstraps and scores every candidate set.   @return the sets, and the index of the winner.
std::pair<std::vector<DemoSet>, std::size_t> choose_demos(
    const Judge& judge, std::span<const PreferencePair> train,
    std::span<const PreferencePair> validation, const std::string& persona,
    const PublishedOptions& options, bool with_empty, const Call& call) {
  std::vector<Question> questions;
  for (const PreferencePair& pair : train)
    questions.push_back({&pair, pair.flip, persona, nullptr});
  const auto traces = answered(judge.judge(questions, call));
  std::vector<PastJudgement> right(train.size());
  std::vector<const PastJudgement*> verified(train.size());
  for (std::size_t i = 0; i < train.size(); ++i) {
    if (traces[i].status != Outcome::Status::kScored || traces[i].score() < 1) continue;
    right[i] = {&train[i], train[i].flip, traces[i].reasoning};
    verified[i] = &right[i];
  }

  std::vector<DemoSet> sets = candidate_demo_sets(train, verified, options, with_empty);
  std::vector<std::vector<Demo>> demos;
  demos.reserve(sets.size());
  for (const DemoSet& set : sets) demos.push_back(demos_of(judge, set, persona));
  questions.clear();
  for (const auto& shown : demos)
    for (const PreferencePair& pair : validation)
      questions.push_back({&pair, pair.flip, persona, &shown});
  const auto judgements = answered(judge.judge(questions, call));
  for (std::size_t k = 0; k < sets.size(); ++k) {
    for (std::size_t j = 0; j < validation.size(); ++j)
      sets[k].score += judgements[k * validation.size() + j].score();
    sets[k].score /= static_cast<double>(validation.size());
  }

  std::size_t best = 0;
  for (std::size_t k = 0; k < sets.size(); ++k) {
    if (sets[k].score > sets[best].score) best = k;
    if (sets[k].score >= options.stop_at_score) break;
  }
  return {std::move(sets), best};
}

}  // namespace

std::vector<DemoSet> candidate_demo_sets(std::span<const PreferencePair> train,
                                         std::span<const PastJudgement* const> verified,
                                         const PublishedOptions& options, bool with_empty) {
  require(train.size() == verified.size() && !train.empty(), "one verdict a training pair");
  const std::size_t n = train.size();
  const std::size_t most = options.max_bootstrapped < 0
                               ? n
                               : std::min(n, static_cast<std::size_t>(options.max_bootstrapped));
  const auto labeled = std::min(n, static_cast<std::size_t>(std::max(0, options.max_labeled)));
  std::vector<std::size_t> in_order(n);
  std::iota(in_order.begin(), in_order.end(), std::size_t{0});

  std::vector<DemoSet> sets;
  if (with_empty) sets.push_back({-3, {}, 0});
  DemoSet labels{-2, {}, 0};
  for (const std::size_t i : Rng(0).sample(n, labeled))
    labels.judgements.push_back({&train[i], train[i].flip, ""});
  sets.push_back(std::move(labels));
  sets.push_back({-1, bootstrapped_set(train, verified, in_order, most, labeled), 0});
  for (int seed = 0; seed < options.candidates; ++seed) {
    const auto stream = static_cast<std::uint64_t>(seed);
    std::vector<std::size_t> order = in_order;
    Rng(stream).shuffle(order);
    const auto cap =
        most == 0
            ? 0
            : static_cast<std::size_t>(Rng(stream).between(1, static_cast<std::int64_t>(most)));
    sets.push_back({seed, bootstrapped_set(train, verified, order, cap, labeled), 0});
  }
  return sets;
}

PersonalJudge synthesize_me(const Judge& judge, const Module& theta, const User& user,
                            const PublishedOptions& options, const Call& tracer,
                            const Call& synthesizer) {
  const std::span<const PreferencePair> pairs(user.context);
  if (pairs.size() < 2)
    throw UserError("user " + user.id + " has " + std::to_string(pairs.size()) +
                    " pairs; SynthesizeMe needs at least 2 to choose demos");
  const auto cut = std::max<std::size_t>(
      1, static_cast<std::size_t>(options.train_share * static_cast<double>(pairs.size())));
  const auto train = pairs.first(std::min(cut, pairs.size() - 1));
  const auto validation = pairs.subspan(train.size());

  PersonalJudge out;
  auto [sets, best] = choose_demos(judge, train, validation, "", options, false, tracer);
  Record inputs;
  const Signature& signature = theta.predictors().at(0)->signature;
  inputs.set(signature.inputs.at(0).name, format_history(sets[best].judgements, options.style));
  out.reasoning_sets = std::move(sets);
  const auto written = theta.run(std::span(&inputs, 1), synthesizer);
  if (!written[0]) {
    const Error& error = written[0].error();
    const std::string why = "no persona could be written for " + user.id + ": " + error.message;
    if (error.fault == Fault::kService) throw Outage(why);
    throw RunError(why);
  }
  out.persona = written[0]->fields.text(signature.outputs.back().name);

  auto [demo_sets, chosen] =
      choose_demos(judge, train, validation, out.persona, options, true, tracer);
  out.demos = demos_of(judge, demo_sets[chosen], out.persona);
  out.demo_sets = std::move(demo_sets);
  return out;
}

}  // namespace theta
