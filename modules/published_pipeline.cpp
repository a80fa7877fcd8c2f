#include "modules/published_pipeline.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

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

/// What the judge is shown of a set.
std::vector<Demo> demos_of(const Judge& judge, const DemoSet& set, const std::string& persona,
                           bool faithful) {
  std::vector<Demo> demos;
  for (const auto& [pair, chosen_first, reasoning] : set.judgements)
    if (!faithful || !reasoning.empty())
      demos.push_back(judge.demo(*pair, chosen_first, persona, reasoning));
  return demos;
}

/// A user on the way to a judge of their own.
struct Person {
  std::string id;
  std::shared_ptr<std::vector<PreferencePair>> pairs;
  std::size_t n_train = 0;
  PersonalJudge made = {};
  std::vector<std::vector<Demo>> shown = {};  ///< of each set of the stage at hand
  std::size_t best = 0;                       ///< of these
  std::optional<Error> lost = {};

  std::span<const PreferencePair> train() const {
    return std::span(std::as_const(*pairs)).first(n_train);
  }
  std::span<const PreferencePair> validation() const {
    return std::span(std::as_const(*pairs)).subspan(n_train);
  }
  void lose(const Judgement& judgement) {
    if (!lost) lost = Error{Fault::kService, "a pair was not judged: " + judgement.error};
  }
};

Person person_of(const User& user, const PublishedOptions& options) {
  Person person{.id = user.id,
                .pairs = std::make_shared<std::vector<PreferencePair>>(user.context)};
  const std::size_t n = person.pairs->size();
  if (n < 2) {
    person.lost =
        Error{Fault::kPrompt, "user " + user.id + " has " + std::to_string(n) +
                                  " pairs; SynthesizeMe needs at least 2 to choose demos"};
    return person;
  }
  const auto share = static_cast<std::size_t>(options.train_share * static_cast<double>(n));
  person.n_train = std::clamp<std::size_t>(share, 1, n - 1);
  if (options.faithful && !options.keeps_sides)
    // Training and validation pairs are converted apart, each with a generator of its own.
    for (const auto& [from, size] : {std::pair(std::size_t{0}, person.n_train),
                                     std::pair(person.n_train, n - person.n_train)}) {
      const std::vector<bool> sides = published_sides(size);
      for (std::size_t i = 0; i < size; ++i) (*person.pairs)[from + i].flip = sides[i];
    }
  return person;
}

/// Judges the training pairs of everybody: what was right, by pair.
std::vector<std::vector<PastJudgement>> trace(const Judge& judge, std::span<Person> people,
                                              const Call& call) {
  std::vector<Question> questions;
  for (const Person& person : people)
    if (!person.lost)
      for (const PreferencePair& pair : person.train())
        questions.push_back({&pair, pair.flip, person.made.persona, nullptr});
  const auto judgements = judge.judge(questions, call);
  std::vector<std::vector<PastJudgement>> right;
  std::size_t next = 0;
  for (Person& person : people) {
    auto& own = right.emplace_back();
    if (person.lost) continue;
    for (const PreferencePair& pair : person.train()) {
      const Judgement& judgement = judgements[next++];
      if (judgement.status == Outcome::Status::kFailed) person.lose(judgement);
      const bool is_right = judgement.status == Outcome::Status::kScored && judgement.score() == 1;
      own.push_back(is_right ? PastJudgement{&pair, pair.flip, judgement.reasoning}
                             : PastJudgement{});
    }
  }
  return right;
}

/// The score of each set: those that show the judge the same are asked about once.
void score(const Judge& judge, std::span<Person> people, std::vector<DemoSet> PersonalJudge::*sets,
           const Call& call) {
  const auto first_of = [](const Person& person, std::size_t k) {
    const auto same = std::ranges::find(person.shown, person.shown[k]);
    return static_cast<std::size_t>(same - person.shown.begin());
  };
  std::vector<Question> questions;
  for (const Person& person : people)
    for (std::size_t k = 0; !person.lost && k < person.shown.size(); ++k)
      if (first_of(person, k) == k)
        for (const PreferencePair& pair : person.validation())
          questions.push_back({&pair, pair.flip, person.made.persona, &person.shown[k]});
  const auto judgements = judge.judge(questions, call);
  std::size_t next = 0;
  for (Person& person : people) {
    auto& own = person.made.*sets;
    for (std::size_t k = 0; !person.lost && k < own.size(); ++k) {
      if (const std::size_t same = first_of(person, k); same != k) {
        own[k].score = own[same].score;
        continue;
      }
      const std::size_t n = person.validation().size();
      for (const Judgement& judgement : std::span(judgements).subspan(next, n)) {
        if (judgement.status == Outcome::Status::kFailed) person.lose(judgement);
        own[k].score += judgement.score() / static_cast<double>(n);
      }
      next += n;
    }
  }
}

/// Bootstraps and scores every candidate set of everybody, and finds the winners.
void choose_demos(const Judge& judge, std::span<Person> people,
                  std::vector<DemoSet> PersonalJudge::*sets, const PublishedOptions& options,
                  bool with_empty, const Call& call) {
  const auto right = trace(judge, people, call);
  for (std::size_t p = 0; p < people.size(); ++p) {
    Person& person = people[p];
    if (person.lost) continue;
    std::vector<const PastJudgement*> verified;
    for (const PastJudgement& one : right[p]) verified.push_back(one.pair ? &one : nullptr);
    person.made.*sets = candidate_demo_sets(person.train(), verified, options, with_empty);
    person.shown.clear();
    for (const DemoSet& set : person.made.*sets)
      person.shown.push_back(demos_of(judge, set, person.made.persona, options.faithful));
  }
  score(judge, people, sets, call);
  constexpr double kRounding = 1e-9;  // of sums of shares
  for (Person& person : people) {
    const auto& own = person.made.*sets;
    person.best = 0;
    for (std::size_t k = 0; k < own.size(); ++k) {
      if (own[k].score > own[person.best].score + kRounding) person.best = k;
      if (own[k].score >= options.stop_at_score - kRounding) break;
    }
  }
}

/// Lets Θ write everybody's persona, from the judgements of the best set.
void write(const Module& theta, std::span<Person> people, const PublishedOptions& options,
           const Call& call) {
  const Signature& signature = theta.predictors().at(0)->signature;
  std::vector<Record> inputs;
  for (const Person& person : people)
    if (!person.lost)
      inputs.push_back(
          {{signature.inputs.at(0).name,
            format_history(person.made.reasoning_sets[person.best].judgements, options.style)}});
  const auto written = theta.run(inputs, call);
  auto next = written.begin();
  for (Person& person : people) {
    if (person.lost) continue;
    const Result<Prediction>& one = *next++;
    if (one)
      person.made.persona = one->fields.text(signature.outputs.back().name);
    else
      person.lost = Error{one.error().fault, "no persona could be written for " + person.id + ": " +
                                                 one.error().message};
  }
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

std::vector<bool> published_sides(std::size_t n) {
  Rng rng(42);
  std::vector<bool> sides;
  for (std::size_t i = 0; i < n; ++i) sides.push_back(rng.below(2) == 0);
  return sides;
}

std::vector<Result<PersonalJudge>> synthesize_me(const Judge& judge, const Module& theta,
                                                 std::span<const User* const> users,
                                                 const PublishedOptions& options,
                                                 const Call& tracer, const Call& synthesizer) {
  std::vector<Person> people;
  for (const User* user : users) people.push_back(person_of(*user, options));
  choose_demos(judge, people, &PersonalJudge::reasoning_sets, options, false, tracer);
  for (Person& person : people)
    if (!person.lost) person.made.reasoning_demos = person.shown[person.best];
  write(theta, people, options, synthesizer);
  choose_demos(judge, people, &PersonalJudge::demo_sets, options, true, tracer);
  std::vector<Result<PersonalJudge>> out;
  for (Person& person : people) {
    if (person.lost) {
      out.emplace_back(*std::move(person.lost));
      continue;
    }
    person.made.demos = std::move(person.shown[person.best]);
    person.made.pairs = std::move(person.pairs);
    out.emplace_back(std::move(person.made));
  }
  return out;
}

}  // namespace theta
