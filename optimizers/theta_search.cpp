#include "optimizers/theta_search.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "core/rng.hpp"
#include "optimizers/copy_guard.hpp"
#include "optimizers/paired_search.hpp"

namespace theta {
namespace {

Demo example_user(const Signature& theta, const FoundPersona& found) {
  Demo demo;
  demo.augmented = true;
  demo.fields.set(theta.inputs.at(0).name, found.history);
  demo.fields.set(theta.outputs.back().name, found.persona);
  return demo;
}

/// `k` example users with personas that differ, drawn with a preference for those explained well: a
/// random user of the better half first, then others whose persona is not there yet.
std::vector<Demo> draw_demos(const Signature& theta, std::span<const FoundPersona> by_fit,
                             std::size_t k, Rng& rng) {
  std::vector<std::size_t> order = rng.sample(by_fit.size(), by_fit.size());
  const std::size_t half = (by_fit.size() + 1) / 2;
  std::ranges::stable_partition(order, [&](std::size_t i) { return i < half; });
  std::set<std::string> shown;
  std::vector<Demo> demos;
  for (const std::size_t i : order)
    if (demos.size() < k && shown.insert(by_fit[i].persona).second)
      demos.push_back(example_user(theta, by_fit[i]));
  return demos;
}

/// What a user's context pairs hold.
std::vector<Example> texts_of(const User& user) {
  std::vector<Example> texts;
  for (const PreferencePair& pair : user.context)
    texts.push_back(
        {pair.id,
         user.id,
         {{"context", pair.context}, {"chosen", pair.chosen}, {"rejected", pair.rejected}}});
  return texts;
}

/// The personas that quote nobody, or the one that quotes least.
std::vector<std::string> without_copies(const std::vector<std::string>& personas,
                                        const CopyGuard& guard, PersonaCounts& counts) {
  std::vector<std::size_t> copied;
  for (const std::string& persona : personas) copied.push_back(guard.copied(persona));
  const std::size_t least = copied.empty() ? 0 : *std::ranges::min_element(copied);
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < personas.size(); ++i) {
    const bool keeps = copied[i] == least && (least == 0 || kept.empty());
    if (keeps) kept.push_back(personas[i]);
    if (copied[i] == 0) continue;
    ++(keeps ? counts.kept_copies : counts.copied);
    counts.longest_copy = std::max(counts.longest_copy, static_cast<std::int64_t>(copied[i]));
  }
  return kept;
}

void add(PersonaCounts& counts, std::size_t asked, const WrittenPersonas& written) {
  const auto add_to = [](std::int64_t& sum, std::size_t n) { sum += static_cast<std::int64_t>(n); };
  add_to(counts.asked, asked);
  add_to(counts.failed, written.failed);
  add_to(counts.unparsable, written.unparsable);
  add_to(counts.refused, written.refused);
  add_to(counts.not_fit, written.not_fit);
  add_to(counts.repeated, written.repeated);
  add_to(counts.written, written.personas.size());
}

void add(PersonaCounts& counts, std::size_t judged, std::size_t named, std::size_t no_contrast) {
  counts.judged += static_cast<std::int64_t>(judged);
  counts.named += static_cast<std::int64_t>(named);
  counts.no_contrast += static_cast<std::int64_t>(no_contrast);
}

}  // namespace

Result<FoundPersona> PersonaFinder::find(const Module& theta, const User& user,
                                         std::span<const std::string> others,
                                         const Call& synthesizer, const Call& judging) const {
  PersonaCounts uncounted;
  PersonaCounts& counted = counts ? *counts : uncounted;
  const auto history = history_of(judge, user, writing.style, judging);
  if (!history) return history.error();
  const auto written = write_personas(theta, user.id, *history, writing, synthesizer);
  if (!written) return written.error();
  add(counted, static_cast<std::size_t>(writing.samples), *written);
  std::vector<std::string> candidates =
      without_copies(written->personas, CopyGuard(texts_of(user), max_copied), counted);
  for (const std::string& other : others)
    if (std::ranges::find(candidates, other) == candidates.end()) candidates.push_back(other);
  candidates.emplace_back();
  const auto verified = verify_personas(judge, user.context, candidates, contrasts, judging);
  if (!verified) return verified.error();
  add(counted, verified->judged, verified->named, verified->no_contrast);
  const auto best = std::ranges::max_element(verified->each, {}, &Verification::fit);
  return FoundPersona{&user,
                      candidates[static_cast<std::size_t>(best - verified->each.begin())],
                      best->contrast,
                      best->fit,
                      *history,
                      best->reasoning,
                      written->personas.empty() ? written->why : ""};
}

Result<FoundPersona> PersonaFinder::write_one(const Module& theta, const User& user,
                                              const Call& synthesizer, const Call& judging) const {
  PersonaWriting greedy = writing;
  greedy.samples = 1;
  const auto history = history_of(judge, user, writing.style, judging);
  if (!history) return history.error();
  const auto written = write_personas(theta, user.id, *history, greedy, synthesizer);
  if (!written) return written.error();
  FoundPersona found{.user = &user, .history = *history};
  if (written->personas.empty())
    found.unwritten = written->why;
  else
    found.persona = written->personas[0];
  return found;
}

ThetaChoices propose_theta(const Predict& theta, std::span<const FoundPersona> found,
                           const Call& proposer, const ThetaSearchOptions& options) {
  std::vector<FoundPersona> by_fit;
  std::ranges::copy_if(found, std::back_inserter(by_fit),
                       [](const FoundPersona& one) { return !one.persona.empty(); });
  std::ranges::stable_sort(by_fit, std::ranges::greater{}, &FoundPersona::fit);
  Rng rng(derive_seed(options.seed, "theta choices"));

  ThetaChoices choices;
  choices.demo_sets.push_back({});
  for (std::size_t tries = 0;
       choices.demo_sets.size() < options.num_demo_sets && tries < 4 * options.num_demo_sets;
       ++tries) {
    auto demos = draw_demos(theta.signature(), by_fit, options.demos, rng);
    if (std::ranges::find(choices.demo_sets, demos) == choices.demo_sets.end())
      choices.demo_sets.push_back(std::move(demos));
  }

  std::vector<Example> train;
  for (const FoundPersona& one : by_fit)
    train.push_back({one.user->id, one.user->id, example_user(theta.signature(), one).fields});
  const std::size_t written = std::min(options.instructions.size(), options.num_instructions - 1);
  choices.instructions = {theta.signature().instructions};
  choices.instructions.insert(choices.instructions.end(), options.instructions.begin(),
                              options.instructions.begin() + static_cast<std::ptrdiff_t>(written));
  if (const std::size_t wanted = options.num_instructions - 1 - written; wanted > 0) {
    const auto proposals =
        propose(theta, {choices.demo_sets}, train, {wanted}, proposer, options.proposer, rng);
    for (const std::string& text : proposals.instructions.at(0))
      if (std::ranges::find(choices.instructions, text) == choices.instructions.end())
        choices.instructions.push_back(text);
    choices.counts = proposals.counts;
  }
  return choices;
}

std::unique_ptr<Module> choose_theta(const Predict& theta, const ThetaChoices& choices,
                                     const Combination& combination) {
  auto out = theta.clone();
  Predictor& predictor = *out->predictors().at(0);
  predictor.signature = predictor.signature.with_instructions(
      choices.instructions.at(static_cast<std::size_t>(combination.at(0))));
  predictor.demos = choices.demo_sets.at(static_cast<std::size_t>(combination.at(1)));
  return out;
}

SearchResult search_theta(const Predict& theta, const ThetaChoices& choices,
                          std::span<const User> users, const PersonaFinder& finder,
                          const ThetaSearchOptions& options,
                          const std::function<bool(const Trial&)>& on_trial,
                          const Call& synthesizer, const Call& judging) {
  const auto score_user = [&](const Module& candidate, const User& user) -> Result<double> {
    const auto found = finder.find(candidate, user, {}, synthesizer, judging);
    if (!found) return found.error();
    std::vector<Question> questions;
    for (const PreferencePair& pair : user.test)
      questions.push_back({&pair, pair.flip, found->persona, nullptr});
    double sum = 0;
    for (const Judgement& judgement : finder.judge.judge(questions, judging)) {
      if (judgement.status == Outcome::Status::kFailed)
        return Error{Fault::kService, judgement.error};
      if (finder.counts) add(*finder.counts, 1, judgement.named, !judgement.no_contrast.empty());
      sum += judgement.probability(found->contrast);
    }
    return sum / static_cast<double>(questions.size());
  };
  const auto evaluate = [&](const Combination& combination, std::span<const std::size_t> examples) {
    const auto candidate = choose_theta(theta, choices, combination);
    std::vector<Result<double>> scores;
    for (const std::size_t i : examples) scores.push_back(score_user(*candidate, users[i]));
    return scores;
  };
  const std::vector<Variable> space = {
      {.name = "theta.instruction", .choices = choices.instructions.size()},
      {.name = "theta.demos", .choices = choices.demo_sets.size()}};
  return paired_search(space, users.size(), in_turn(evaluate),
                       {.budget = mipro_budget(users.size(), options.num_trials,
                                               options.minibatch_size, options.full_every),
                        .step = options.minibatch_size > 0 ? options.minibatch_size : users.size(),
                        .in_flight = 1,
                        .seed = options.seed,
                        .on_trial = on_trial,
                        .stop = judging.stop});
}

}  // namespace theta
