#include "experiments/runs/persona_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/models/outage.hpp"
#include "core/rng.hpp"
#include "experiments/data/data_config.hpp"
#include "experiments/runs/persona_prompt.hpp"
#include "experiments/runs/persona_row.hpp"
#include "experiments/runs/prompt_file.hpp"
#include "experiments/runs/search_record.hpp"

namespace theta {
namespace {

constexpr const char* kRandom = "random";
constexpr const char* kDefault = "default judge";
constexpr const char* kTrue = "true persona";
constexpr const char* kPersonas = "personas";
constexpr const char* kVerified = "verified personas";
constexpr const char* kDemos = "personas + demos";
constexpr const char* kOptimised = "optimised Θ";
constexpr const char* kMoved = "teacher's Θ";
constexpr const char* kReoptimised = "re-optimised Θ";

/// The rows of each optimiser are told apart by its label where there are several.
std::string labelled(const std::string& name, const PersonaExperiment& experiment,
                     std::size_t optimizer) {
  const auto& all = experiment.optimizers;
  return all.size() < 2 ? name : name + ": " + all[optimizer].label;
}

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

std::vector<std::pair<std::string, std::int64_t>> listed(const PersonaCounts& counts) {
  return {{"asked", counts.asked},
          {"failed", counts.failed},
          {"unparsable", counts.unparsable},
          {"refused", counts.refused},
          {"not_fit", counts.not_fit},
          {"repeated", counts.repeated},
          {"written", counts.written},
          {"copied", counts.copied},
          {"kept_copies", counts.kept_copies},
          {"longest_copy_bytes", counts.longest_copy},
          {"judgements", counts.judged},
          {"named", counts.named},
          {"no_contrast", counts.no_contrast}};
}

/// A training user, and the persona that was found for them.
struct LearntUser {
  const User* user;
  FoundPersona found;
};

/// Everything that is done with one model, teacher or student.
class PersonaRun {
 public:
  /// The references outlive this.
  PersonaRun(const PersonaExperiment& experiment, const Users& users, std::string role,
             SearchRecord& record, RunContext& run)
      : experiment_(experiment),
        users_(users),
        people_(everybody(users)),
        role_(std::move(role)),
        record_(record),
        run_(run),
        writer_(run.models[role_]),
        judging_(run.models.as("judge", role_)),
        call_{.model = writer_, .stop = run.stop} {}

  /// Finds personas for the training users with the seed Θ. The best become the pool, and are then
  /// among every user's candidates, also the training users' own.
  /// @throws Outage if one took all of them.
  void learn_training_users() {
    stage("personas of training users");
    learn(module(true));
    for (const LearntUser& one : learnt_)
      if (pool_.size() < experiment_.pool &&
          std::ranges::find(pool_, one.found.persona) == pool_.end())
        pool_.push_back(one.found.persona);
    if (!pool_.empty()) learn(module(true));
  }

  /// For Task::train: a pair of each training user that a persona was found for.
  std::vector<Example> training_examples() const {
    const SynthesizeMe seed = module(true);
    std::vector<Example> out;
    for (const auto& [user, found] : learnt_)
      out.push_back(seed.example(*user, user->test.at(0), &found));
    return out;
  }

  std::vector<Example> validation_examples() const {
    const SynthesizeMe seed = module(true);
    std::vector<Example> out;
    for (const User& user : users_.validation)
      for (const PreferencePair& pair : user.test) out.push_back(seed.example(user, pair));
    return out;
  }

  /// Compiles Θ by every optimiser.
  void optimise(const std::vector<Example>& train) {
    const SynthesizeMe seed = module(experiment_.settings.module.verify);
    record_.add_prompt("seed Θ, " + role_, seed);
    for (std::size_t i = 0; i < experiment_.optimizers.size(); ++i) {
      const std::string search = labelled("theta-" + role_, experiment_, i);
      stage("searching Θ" +
            (experiment_.optimizers.size() < 2 ? "" : ": " + experiment_.optimizers[i].label));
      Compiled compiled = record_.compile(experiment_.optimizers[i], search, seed,
                                          {.train = train,
                                           .validation = validation_examples(),
                                           .metric = make_agreement(seed.answer()),
                                           .model = writer_,
                                           .proposer = run_.models["proposer"],
                                           .teacher = run_.models["teacher"],
                                           .stop = run_.stop,
                                           .in_turn = judging_.unit() != 1});
      record_.add_prompt(optimised_row(i) + ", " + role_, *compiled.program);
      optimised_.push_back(with_predictors(seed, *compiled.program));
      gates_.push_back(compiled.gate);
      tell_counts();
      record_.keep();
      save();
    }
    if (experiment_.optimizers.empty()) save();
  }

  void add_baselines() {
    add_row(kDefault);
    if (!users_.test.at(0).true_persona.empty()) {
      PersonaRow& truth = add_row(kTrue);
      for (const User& user : users_.test)
        truth.personas.emplace(user.id, FoundPersona{.persona = user.true_persona});
    }
    add_personas(kPersonas, module(false));
    add_personas(kVerified, module(true));
  }

  /// A row of personas that this role's model writes with a Θ.
  void add_personas(const std::string& name, const SynthesizeMe& theta) {
    stage(name);
    const Usage before = asked();
    PersonaRow& row = add_row(name, &theta.judge());
    row.add_personas(theta, users_.test, call_);
    row.usage = asked() - before;
    tell_counts();
  }

  /// The rows of the Θ that this role's searches found.
  void add_optimised() {
    for (std::size_t i = 0; i < optimised_.size(); ++i)
      add_personas(optimised_row(i), optimised_[i]);
  }

  /// The rows of the Θ that another role's searches found.
  void add_moved(const PersonaRun& teacher) {
    const SynthesizeMe seed = module(experiment_.settings.module.verify);
    for (std::size_t i = 0; i < teacher.optimised_.size(); ++i)
      add_personas(labelled(kMoved, experiment_, i), with_predictors(seed, teacher.optimised_[i]));
  }

  /// The verified personas again, with some of the user's own choices as demos before the pair, and
  /// the reasoning that verification had of them.
  void add_demos() {
    PersonaRow row = *std::ranges::find(rows_, std::string(kVerified), &PersonaRow::name);
    row.name = kDemos;
    const SynthesizeMe with_demos = module(true, experiment_.demos);
    for (const User& user : users_.test)
      if (const auto& found = row.personas.at(user.id))
        row.demos[user.id] = with_demos.demos_of(user, *found);
    rows_.push_back(std::move(row));
  }

  /// Judges every test pair under every row, and keeps the rows.
  void judge_test_users() {
    stage("judging test users", /*measures=*/true);
    judge_rows(users_.test, rows_, call_of_judge());
    put_random_row();
    for (const PersonaRow& row : rows_) {
      run_.put_row(row.name, role_, row.outcomes, row.usage);
      if (row.name != kDefault && row.name != kDemos) put_personas(row);
      for (const std::string& line : row.remarks()) run_.remark(line);
    }
    const PersonaCounts counts = tally_.counts();
    if (counts.named > 0)
      run_.remark(fmt::format(
          "finding personas, {}: {} of {} judgements were named, not scored{}", role_, counts.named,
          counts.judged, counts.no_contrast > 0 ? ": contrast fell back to the plain choice" : ""));
  }

 private:
  bool is_student() const { return role_ == "student"; }
  std::string optimised_row(std::size_t i) const {
    return labelled(is_student() ? kReoptimised : kOptimised, experiment_, i);
  }
  void stage(const std::string& name, bool measures = false) {
    run_.stage(role_ + ": " + name, measures);
  }
  Call call_of_judge() const { return {.model = judging_, .stop = run_.stop}; }

  /// SynthesizeMe with the seed Θ.
  SynthesizeMe module(bool verify, std::size_t demos = 0) const {
    PersonaSettings settings = experiment_.settings;
    settings.module.verify = verify;
    settings.module.demos = demos;
    SynthesizeMe out = settings.make_module(*make_predict(experiment_.theta), pool_, people_);
    out.set_judge_model(judging_);
    out.set_tally(tally_);
    return out;
  }

  void learn(const SynthesizeMe& seed) {
    const auto found = seed.personas(each_of(users_.train), call_);
    learnt_.clear();
    std::size_t lost = 0;
    std::string why;  // the first was
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i] && lost++ == 0) why = found[i].error().message;
      if (found[i] && !found[i]->persona.empty()) learnt_.push_back({&users_.train[i], *found[i]});
    }
    const std::string line = fmt::format(
        "{}: the personas of {} of {} training users are lost, the first because of: {}", role_,
        lost, found.size(), why);
    if (!found.empty() && lost == found.size()) throw Outage(line);
    if (lost > 0) run_.remark(line);
    std::ranges::stable_sort(learnt_, std::ranges::greater{},
                             [](const LearntUser& one) { return one.found.fit; });
    tell_counts();
  }

  PersonaRow& add_row(const std::string& name, const Judge* judge = nullptr) {
    // Rows of one judge are asked in one wave.
    const Judge made = judge ? *judge : experiment_.settings.make_judge();
    const auto same = std::ranges::find_if(
        rows_, [&](const PersonaRow& row) { return row.judge->predictor() == made.predictor(); });
    auto shared = same == rows_.end() ? std::make_shared<const Judge>(made) : same->judge;
    return rows_.emplace_back(PersonaRow{.name = name, .model = role_, .judge = std::move(shared)});
  }

  Usage asked() const {
    Usage usage = writer_.asked();
    usage += judging_.asked();
    return usage;
  }

  void tell_counts() {
    record_.put_proposals("personas by " + role_, listed(tally_.counts()));
    record_.keep();
  }

  /// Leaves the best Θ where a run leaves its prompt, with what its row is made with.
  void save() const {
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
    save_prompt(run_.folder / (is_student() ? "prompt.student.json" : "prompt.json"),
                module.theta(), ProgramOptions{{experiment_.theta}}, run_.models.options(role_),
                prompt);
  }

  void put_random_row() {
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

  void put_personas(const PersonaRow& row) {
    std::vector<PersonaRecord> records;
    for (const User& user : users_.test) {
      const auto found = row.personas.find(user.id);
      if (found == row.personas.end() || !found->second) continue;  // its judgements say why
      records.push_back({row.name, role_, user.id, found->second->persona,
                         source_of(row.name, *found->second), user.taste,
                         stated_taste(found->second->persona)});
    }
    run_.store.put_personas(records);
  }

  /// Where a persona came from.
  std::string source_of(const std::string& row, const FoundPersona& found) const {
    if (row == kTrue) return "taste";
    if (found.persona.empty()) return found.unwritten.empty() ? "none" : "none: " + found.unwritten;
    return found.outputs.empty() ? "training user" : "theta";
  }

  const PersonaExperiment& experiment_;
  const Users& users_;
  const std::shared_ptr<const People> people_;
  const std::string role_;
  SearchRecord& record_;
  RunContext& run_;
  RecordedModel& writer_;   ///< the role's model as it runs Θ
  RecordedModel& judging_;  ///< and as it judges
  const Call call_;
  mutable PersonaTally tally_;      ///< of all that the modules were asked for
  std::vector<LearntUser> learnt_;  ///< those with a persona, the best explained first
  std::vector<std::string> pool_;
  std::vector<SynthesizeMe> optimised_;  ///< by optimiser; the seed where none was saved
  std::vector<Decision> gates_;          ///< likewise
  std::vector<PersonaRow> rows_;
};

/// The program; what is said of its samples is among the settings.
StepOptions read_theta(const Config& theta) {
  StepOptions options;
  options.signature = persona_signature();
  if (const auto text = theta.find("signature")) options.signature = read_signature(*text);
  if (const auto instructions = theta.find("instructions"))
    options.signature = options.signature.with_instructions(instructions->text());
  options.format.adapter = theta.choice("adapter", {"chat", "json", "terse"}, "terse");
  options.format.list_options = read_list_options(theta, options.format.adapter);
  options.chain_of_thought = theta.boolean("chain_of_thought", false);
  options.predict.max_tokens = read_int(theta, "max_tokens", 32, 1);
  options.predict.top_p = read_top_p(theta, 1);
  options.format.opening = theta.text("opening", "");
  return options;
}

/// What the optimisers compile, without people.   @throws UserError with the position of `theta`.
SynthesizeMe of_nobody(const PersonaExperiment& experiment, const Config& personas) {
  try {
    return experiment.settings.make_module(*make_predict(experiment.theta), {},
                                           std::make_shared<const People>());
  } catch (const UserError& e) {
    personas.at("theta").fail(e.what());
  }
}

/// Names the rows and what is compared with what.
void describe_rows(const PersonaExperiment& experiment, SearchRecord& record) {
  for (const char* row : {kRandom, kDefault, kTrue, kPersonas, kVerified, kDemos})
    record.add_row(row);
  for (const char* row : {kOptimised, kMoved, kReoptimised})
    for (std::size_t i = 0; i < experiment.optimizers.size(); ++i)
      record.add_row(labelled(row, experiment, i));
  for (std::size_t i = 0; i < experiment.optimizers.size(); ++i)
    for (const char* against : {kDefault, kPersonas, kVerified})
      record.compare(labelled(kOptimised, experiment, i), against);
  record.compare(kVerified, kDefault);
  record.compare(kPersonas, kDefault);
  record.compare(kTrue, kDefault);
  for (std::size_t i = 0; i < experiment.optimizers.size(); ++i) {
    for (const char* against : {kDefault, kPersonas, kVerified})
      record.compare(labelled(kReoptimised, experiment, i), against);
    record.compare(labelled(kReoptimised, experiment, i), labelled(kMoved, experiment, i));
    record.compare(labelled(kMoved, experiment, i), kDefault);
  }
}

}  // namespace

PersonaExperiment read_persona_experiment(const Config& config) {
  PersonaExperiment experiment;
  experiment.users = read_users_options(config.at("data"));
  const Config personas = config.at("personas");
  const auto seed = static_cast<std::uint64_t>(config.integer("seed", 0));
  experiment.settings = read_persona_settings(personas, seed);
  experiment.theta = read_theta(personas.at("theta"));
  experiment.pool = read_size(personas, "pool", 6);
  experiment.demos = read_size(personas, "demos", 3);
  experiment.optimizers = read_optimizers(config, seed, of_nobody(experiment, personas));
  if (const auto search = personas.find("search")) {
    if (!experiment.optimizers.empty())
      search->fail("'optimizers' say how Θ is searched for: take 'search' out");
    experiment.optimizers.push_back(read_search(*search, seed));
  }
  return experiment;
}

void run_persona_experiment(const PersonaExperiment& experiment, RunContext& run) {
  const Users users = load_users(experiment.users);
  for (const std::string& line : users.remarks) run.remark(line);
  if (users.test.empty()) throw UserError("a persona experiment needs test users");
  if (users.test[0].simulated)
    run.store.set_meta(
        "note",
        "The users are simulated: their tastes are known, and their choices between real "
        "sentences follow the ratings of real people.");
  SearchRecord record(run, "the seed Θ");
  describe_rows(experiment, record);
  record.keep();

  PersonaRun teacher(experiment, users, "teacher", record, run);
  for (const OptimizerConfig& optimizer : experiment.optimizers)
    check_gated(teacher.validation_examples(), optimizer.gate, optimizer.max_evaluations);
  teacher.learn_training_users();
  const auto train = teacher.training_examples();
  teacher.optimise(train);
  teacher.add_baselines();
  teacher.add_optimised();
  teacher.add_demos();
  teacher.judge_test_users();

  if (!run.models.has("student")) return;
  PersonaRun student(experiment, users, "student", record, run);
  student.learn_training_users();
  student.optimise(train);
  student.add_baselines();
  student.add_moved(teacher);
  student.add_optimised();
  student.add_demos();
  student.judge_test_users();
}

}  // namespace theta
