#include "experiments/runs/persona_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/models/outage.hpp"
#include "core/rng.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/persona_prompt.hpp"
#include "experiments/runs/population.hpp"
#include "experiments/runs/prompt_file.hpp"
#include "experiments/runs/taste_match.hpp"

namespace theta {

using namespace persona_rows;

namespace {

std::shared_ptr<const People> everybody(const Users& users) {
  std::vector<User> all = users.train;
  all.insert(all.end(), users.validation.begin(), users.validation.end());
  all.insert(all.end(), users.test.begin(), users.test.end());
  return people_by_id(all);
}

std::vector<const User*> each_of(const std::vector<User>& users) {
  std::vector<const User*> out;
  for (const User& user : users) out.push_back(&user);
  return out;
}

/// Where a persona came from.
std::string source_of(const std::string& row, const FoundPersona& found) {
  if (row == kTrue) return "taste";
  if (row == kDemographics) return "demographics";
  if (found.abstained) return "abstained";
  if (found.persona.empty()) return found.unwritten.empty() ? "none" : "none: " + found.unwritten;
  return found.outputs.empty() ? "training user" : "theta";
}

}  // namespace

std::vector<const OptimizerConfig*> optimizers_of(const PersonaExperiment& experiment,
                                                  const std::string& model) {
  std::vector<const OptimizerConfig*> out;
  for (const ThetaOptimizer& one : experiment.optimizers)
    if (one.is_of(model)) out.push_back(&one.config);
  return out;
}

std::string moved_row(const std::string& model) { return model + "'s Θ"; }

std::string labelled(const std::string& name, const std::vector<const OptimizerConfig*>& optimizers,
                     std::size_t i) {
  return optimizers.size() < 2 ? name : name + ": " + optimizers[i]->label;
}

PersonaRun::PersonaRun(const PersonaExperiment& experiment, const Users& users, std::string role,
                       SearchRecord& record, RunContext& run)
    : experiment_(experiment),
      users_(users),
      people_(everybody(users)),
      role_(std::move(role)),
      optimizers_(optimizers_of(experiment, role_)),
      record_(record),
      run_(run),
      writer_(run.models[role_]),
      judging_(run.models.as("judge", run.models.has("judge") ? "judge" : role_)),
      call_{.model = writer_, .stop = run.stop} {}

void PersonaRun::learn_training_users() {
  stage("personas of training users");
  const SynthesizeMe seed = module(true);
  const auto users = each_of(users_.train);
  auto found = seed.personas(users, call_);
  learn(found);
  pool_ = seed.share(candidates(found), experiment_.pool, users, found, call_);
  if (!pool_.empty()) learn(found);
  tell_counts();
}

std::vector<std::string> PersonaRun::candidates(std::span<const Result<FoundPersona>> found) const {
  std::vector<std::string> all;
  for (const auto& one : found)
    for (const std::string& persona : one ? one->samples : std::vector<std::string>{})
      if (std::ranges::find(all, persona) == all.end()) all.push_back(persona);
  if (!experiment_.opposites || experiment_.pool == 0) return all;
  const StepOptions& theta = experiment_.theta;
  const auto opposites = write_opposites(all, theta.format, theta.predict,
                                         experiment_.settings.module.writing.max_words, call_);
  all.insert(all.end(), opposites.begin(), opposites.end());
  return all;
}

std::vector<Example> PersonaRun::training_examples() const {
  const SynthesizeMe seed = module(true);
  std::vector<Example> out;
  for (const auto& [user, found] : learnt_)
    out.push_back(seed.example(*user, user->test.at(0), &found));
  return out;
}

std::vector<Example> PersonaRun::validation_examples() const {
  const SynthesizeMe seed = module(true);
  std::vector<Example> out;
  for (const User& user : users_.validation)
    for (const PreferencePair& pair : user.test) out.push_back(seed.example(user, pair));
  return out;
}

void PersonaRun::optimise(const std::vector<Example>& train) {
  const SynthesizeMe seed = module(experiment_.settings.module.verify);
  record_.add_prompt("seed Θ, " + role_, seed);
  for (std::size_t i = 0; i < optimizers_.size(); ++i) {
    const std::string search = labelled("theta-" + role_, optimizers_, i);
    stage(labelled("searching Θ", optimizers_, i));
    Compiled compiled = record_.compile(*optimizers_[i], search, seed,
                                        {.train = train,
                                         .validation = validation_examples(),
                                         .metric = make_agreement(seed.answer()),
                                         .model = writer_,
                                         .proposer = run_.models["proposer"],
                                         .teacher = run_.models["teacher"],
                                         .stop = run_.stop,
                                         .in_turn = judging_.unit() != 1});
    record_.add_prompt(optimised_row(i) + ", " + role_, *compiled.program, "seed Θ, " + role_);
    optimised_.push_back(with_predictors(seed, *compiled.program));
    gates_.push_back(compiled.gate);
    tell_counts();
    record_.keep();
    save();
  }
  if (optimizers_.empty()) save();
}

std::vector<PersonaRun::Theta> PersonaRun::thetas_of(
    ThetaOf whose, std::span<const PersonaRun* const> others) const {
  if (whose == ThetaOf::kSeed) return {{"", nullptr}};
  std::vector<Theta> thetas;
  if (whose == ThetaOf::kOptimised)
    for (std::size_t i = 0; i < optimised_.size(); ++i)
      thetas.push_back({optimised_row(i), &optimised_[i]});
  else
    for (const PersonaRun* other : others)
      for (std::size_t i = 0; i < other->optimised_.size(); ++i)
        thetas.push_back(
            {labelled(moved_row(other->role_), other->optimizers_, i), &other->optimised_[i]});
  return thetas;
}

void PersonaRun::add_rows(std::span<const PersonaRun* const> others) {
  for (const NamedRow& row : experiment_.rows)
    for (const ThetaOf whose : row.thetas)
      for (const Theta& theta : thetas_of(whose, others)) add_named(row.name, theta);
  const bool verify = experiment_.settings.module.verify;
  for (const ThetaOf whose : {ThetaOf::kMoved, ThetaOf::kOptimised})
    for (const Theta& theta : thetas_of(whose, others))
      add_personas(theta.name, module(verify, theta.tuned));
}

void PersonaRun::add_named(const std::string& row, const Theta& theta) {
  const std::string name = theta.name.empty() ? row : row + ", " + theta.name;
  SynthesizeMeOptions abstaining = experiment_.settings.module;
  abstaining.abstain = true;
  if (row == kDefault) add_row(name);
  if (row == kTrue) add_known(name, &User::true_persona);
  if (row == kDemographics) add_known(name, &User::demographics);
  if (row == kHistory) add_demos_alone(name, std::numeric_limits<std::size_t>::max(), false);
  if (row == kDemosOnly) add_demos_alone(name, experiment_.demos, experiment_.choose_demos);
  if (row == kPersonas) add_personas(name, module(false, theta.tuned));
  if (row == kVerified) add_personas(name, module(true, theta.tuned));
  if (row == kDemos) add_demos(name, theta);
  if (row == kAbstaining) add_personas(name, module(abstaining, theta.tuned));
  if (row == kReference || row == kPublishedPersonas || row == kPublishedDemos)
    add_published(row, name, theta);
}

void PersonaRun::add_personas(const std::string& name, const SynthesizeMe& theta) {
  stage(name);
  const Usage before = asked();
  PersonaRow& row = add_row(name, &theta.judge());
  row.add_personas(theta, users_.test, call_);
  row.usage = asked() - before;
  tell_counts();
}

void PersonaRun::add_known(const std::string& name, std::string User::*persona) {
  if (std::ranges::all_of(users_.test, [&](const User& user) { return (user.*persona).empty(); }))
    return;
  PersonaRow& row = add_row(name);
  for (const User& user : users_.test)
    row.personas.emplace(user.id, FoundPersona{.persona = user.*persona});
}

void PersonaRun::add_demos_alone(const std::string& name, std::size_t most, bool chosen) {
  stage(name);
  const Usage before = asked();
  SynthesizeMeOptions options = experiment_.settings.module;
  options.demos = most;
  options.choose_demos = chosen;
  std::vector<Result<FoundPersona>> nobody(users_.test.size(), FoundPersona{});
  PersonaRow& row = add_row(name);
  module(options, nullptr).add_demos(each_of(users_.test), nobody, call_);
  for (std::size_t i = 0; i < nobody.size(); ++i)
    row.personas.emplace(users_.test[i].id, std::move(nobody[i]));
  row.usage = asked() - before;
}

void PersonaRun::add_demos(const std::string& name, const Theta& theta) {
  SynthesizeMeOptions options = experiment_.settings.module;
  options.verify = true;
  options.demos = experiment_.demos;
  options.choose_demos = experiment_.choose_demos;
  const SynthesizeMe with_demos = module(options, theta.tuned);
  const std::string verified = std::string(kVerified) + name.substr(std::string(kDemos).size());
  const auto same = std::ranges::find(rows_, verified, &PersonaRow::name);
  if (same == rows_.end()) return add_personas(name, with_demos);
  // The verified personas are those of that row: only the demos are asked for.
  stage(name);
  const Usage before = asked();
  PersonaRow row = *same;
  row.name = name;
  std::vector<Result<FoundPersona>> found;
  for (const User& user : users_.test) found.push_back(row.personas.at(user.id));
  with_demos.add_demos(each_of(users_.test), found, call_);
  for (std::size_t i = 0; i < found.size(); ++i)
    row.personas.insert_or_assign(users_.test[i].id, std::move(found[i]));
  row.usage += asked() - before;
  rows_.push_back(std::move(row));
}

void PersonaRun::add_published(const std::string& row, const std::string& name,
                               const Theta& theta) {
  const SynthesizeMe module = this->module(false, theta.tuned);
  const auto [known, is_new] = published_.try_emplace(theta.name);
  auto& [found, usage] = known->second;
  if (is_new) {
    stage(name);
    const Usage before = asked();
    found = synthesize_me(module.judge(), module.theta(), each_of(users_.test),
                          experiment_.published, {.model = judging_, .stop = run_.stop}, call_);
    usage = asked() - before;
  }
  PersonaRow& added = add_row(name, &module.judge());
  added.usage = usage;
  for (std::size_t i = 0; i < found.size(); ++i) {
    Result<FoundPersona> own = FoundPersona{};
    if (!found[i])
      own = found[i].error();
    else if (row == kPublishedDemos)
      own->demos = found[i]->reasoning_demos;
    else
      own->persona = found[i]->persona;
    if (found[i] && row == kReference) own->demos = found[i]->demos;
    added.personas.emplace(users_.test[i].id, std::move(own));
  }
}

void PersonaRun::judge_test_users() {
  stage("judging test users", /*measures=*/true);
  judge_rows(users_.test, rows_, {.model = judging_, .stop = run_.stop});
  if (std::ranges::count(experiment_.rows, kRandom, &NamedRow::name) > 0) put_random_row();
  if (std::ranges::count(experiment_.rows, kPopulation, &NamedRow::name) > 0) put_population_row();
  for (const PersonaRow& row : rows_) {
    run_.put_row(row.name, role_, row.outcomes, row.usage);
    for (const std::string& line : row.remarks()) run_.remark(line);
  }
  put_personas();
  const PersonaCounts counts = tally_.counts();
  if (counts.named > 0)
    run_.remark(fmt::format(
        "finding personas, {}: {} of {} judgements were named, not scored{}", role_, counts.named,
        counts.judged, counts.no_contrast > 0 ? ": contrast fell back to the plain choice" : ""));
}

std::string PersonaRun::optimised_row(std::size_t i) const {
  return labelled(is_student() ? kReoptimised : kOptimised, optimizers_, i);
}

SynthesizeMe PersonaRun::module(bool verify, const SynthesizeMe* tuned) const {
  SynthesizeMeOptions options = experiment_.settings.module;
  options.verify = verify;
  return module(options, tuned);
}

SynthesizeMe PersonaRun::module(const SynthesizeMeOptions& options,
                                const SynthesizeMe* tuned) const {
  PersonaSettings settings = experiment_.settings;
  settings.module = options;
  SynthesizeMe out = settings.make_module(*make_theta(experiment_), pool_, people_);
  out.set_judge_model(judging_);
  out.set_tally(tally_);
  return tuned ? with_predictors(std::move(out), *tuned) : out;
}

void PersonaRun::learn(const std::vector<Result<FoundPersona>>& found) {
  learnt_.clear();
  std::size_t lost = 0;
  std::string why;  // the first was
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i] && lost++ == 0) why = found[i].error().message;
    if (found[i] && !found[i]->persona.empty()) learnt_.push_back({&users_.train[i], *found[i]});
  }
  const std::string line =
      fmt::format("{}: the personas of {} of {} training users are lost, the first because of: {}",
                  role_, lost, found.size(), why);
  if (!found.empty() && lost == found.size()) throw Outage(line);
  if (lost > 0) run_.remark(line);
  std::ranges::stable_sort(learnt_, std::ranges::greater{},
                           [](const LearntUser& one) { return one.found.fit; });
}

PersonaRow& PersonaRun::add_row(const std::string& name, const Judge* judge) {
  // Rows of one judge are asked in one wave.
  const Judge made = judge ? *judge : experiment_.settings.make_judge();
  const auto same = std::ranges::find_if(
      rows_, [&](const PersonaRow& row) { return row.judge->predictor() == made.predictor(); });
  auto shared = same == rows_.end() ? std::make_shared<const Judge>(made) : same->judge;
  return rows_.emplace_back(PersonaRow{.name = name, .model = role_, .judge = std::move(shared)});
}

Usage PersonaRun::asked() const {
  Usage usage = writer_.asked();
  usage += judging_.asked();
  return usage;
}

void PersonaRun::tell_counts() {
  record_.put_proposals("personas by " + role_, tally_.counts().list());
  record_.keep();
}

void PersonaRun::save() const {
  std::size_t best = 0;
  for (std::size_t i = 1; i < gates_.size(); ++i)
    if (gates_[i].saved && (!gates_[best].saved || gates_[i].estimate > gates_[best].estimate))
      best = i;
  const bool verify = experiment_.settings.module.verify;
  const SynthesizeMe module = optimised_.empty() ? this->module(verify) : optimised_[best];
  const auto ids = [](std::initializer_list<const std::vector<User>*> splits) {
    std::vector<std::string> out;
    for (const auto* users : splits)
      for (const User& user : *users) out.push_back(user.id);
    return out;
  };
  PersonaPrompt prompt{
      .row = optimised_.empty() ? (verify ? kVerified : kPersonas) : optimised_row(best),
      .settings = experiment_.settings,
      .pool = pool_,
      .people = experiment_.users,
      .test = ids({&users_.test}),
      .made_with = ids({&users_.train, &users_.validation})};
  prompt.settings.adopt(module.judge());
  save_prompt(run_.folder / (is_student() ? "prompt." + role_ + ".json" : "prompt.json"),
              module.theta(), ProgramOptions{{experiment_.theta}}, run_.models.options(role_),
              prompt);
}

void PersonaRun::put_random_row() {
  std::vector<Outcome> outcomes;
  for (const User& user : users_.test)
    for (const PreferencePair& pair : user.test)
      for (const int variant : {0, 1}) {
        Rng coin(derive_seed(derive_seed(run_.seed, "random row " + role_ + pair.id),
                             static_cast<std::uint64_t>(variant)));
        const bool right = coin.below(2) == 0;
        outcomes.push_back({kRandom, role_, pair.id, user.id, variant, right ? 1.0 : 0.0,
                            right ? 1.0 : -1.0, Outcome::Status::kScored});
      }
  run_.store.put_row(kRandom, role_, outcomes, {});
}

void PersonaRun::put_population_row() {
  const auto outcomes = population_outcomes(users_, kPopulation, role_);
  if (outcomes.empty())
    run_.remark("no row `population`: no two people were asked to choose between the same texts");
  else
    run_.store.put_row(kPopulation, role_, outcomes, {});
}

void PersonaRun::put_personas() {
  std::vector<PersonaRecord> own;
  for (const PersonaRow& row : rows_) {
    if (row.personas.empty() || row.name.starts_with(kDemos)) continue;
    for (const User& user : users_.test) {
      const auto found = row.personas.find(user.id);
      if (found == row.personas.end() || !found->second) continue;  // its judgements say why
      own.push_back({row.name, role_, user.id, found->second->persona,
                     source_of(row.name, *found->second), user.taste, ""});
    }
  }
  std::vector<std::string> personas;
  for (const PersonaRecord& one : own) personas.push_back(one.persona);
  const StatedTastes stated =
      stated_tastes(personas, users_.test, {.model = judging_, .stop = run_.stop});
  std::vector<std::string> said, held;
  for (PersonaRecord& one : own) {
    if (const auto found = stated.of.find(one.persona); found != stated.of.end())
      one.matched = found->second;
    if (one.method == kTrue) continue;
    said.push_back(one.matched);
    held.push_back(one.taste);
  }
  if (stated.tastes > 0 && !run_.models.made_up())
    run_.remark(
        fmt::format("persona match, {}: as the judge reads them, which tells {} of {} "
                    "tastes by their own words; personas dealt to people at random would "
                    "match {}",
                    role_, stated.told, stated.tastes, fraction(chance_of_match(said, held), 2)));
  std::vector<PersonaRecord> all = get(run_.store, part::kPersonas);
  all.insert(all.end(), own.begin(), own.end());
  put(run_.store, part::kPersonas, all);
}

}  // namespace theta
