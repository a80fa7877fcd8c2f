#include "experiments/persona_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/outage.hpp"
#include "core/rng.hpp"
#include "experiments/data_config.hpp"
#include "experiments/persona_prompt.hpp"
#include "experiments/persona_row.hpp"
#include "experiments/prompt_file.hpp"

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

/// The report's `proposals`, kept as they come in.
class ProposalReport {
 public:
  explicit ProposalReport(Store& store) : store_(store) {}

  void put(const std::string& search, std::vector<std::pair<std::string, std::int64_t>> counts) {
    counts_[search] = std::move(counts);
    store_.set_meta("proposals", nlohmann::json(std::vector<std::pair<std::string, Counts>>(
                                                    counts_.begin(), counts_.end()))
                                     .dump());
  }

 private:
  using Counts = std::vector<std::pair<std::string, std::int64_t>>;
  Store& store_;
  std::map<std::string, Counts> counts_;  ///< by search
};

/// Everything that is done with one model, teacher or student.
class PersonaRun {
 public:
  /// The references outlive this.
  PersonaRun(const PersonaExperiment& experiment, const Users& users, const Predict& seed_theta,
             std::string role, ProposalReport& proposals, RunContext& run)
      : experiment_(experiment),
        users_(users),
        role_(std::move(role)),
        proposals_(proposals),
        run_(run),
        writer_(run.models[role_]),
        judging_(run.models.as("judge", role_)),
        writing_{.model = writer_, .stop = run.stop},
        judging_call_{.model = judging_, .stop = run.stop},
        judge_(experiment.settings.make_judge()),
        finder_{judge_, experiment.settings.writing, experiment.settings.contrasts,
                experiment.settings.max_copied, &counts_},
        seed_theta_(seed_theta) {}

  void stage(const std::string& name, bool measures = false) {
    run_.stage(role_ + ": " + name, measures);
  }

  /// Finds personas for the training users with `theta`: raw material of demos, and candidates for
  /// others.
  /// @param purpose  what they are for
  /// @throws Outage if one took all of them.
  std::vector<FoundPersona> learn_training_users(const Module& theta, const std::string& purpose) {
    stage("personas of training users");
    std::vector<FoundPersona> found;
    std::string lost;  // why the first was
    for (const User& user : users_.train) {
      auto one = finder_.find(theta, user, {}, writing_, judging_call_);
      if (one)
        found.push_back(*std::move(one));
      else if (lost.empty())
        lost = one.error().message;
    }
    const std::size_t all = users_.train.size();
    const std::string line = fmt::format(
        "{}, {}: the personas of {} of {} training users are lost, the first because of: {}",
        purpose, role_, all - found.size(), all, lost);
    if (all > 0 && found.empty()) throw Outage(line);
    if (found.size() < all) run_.remark(line);
    std::ranges::stable_sort(found, std::ranges::greater{}, &FoundPersona::fit);
    return found;
  }

  ThetaChoices propose(std::span<const FoundPersona> found) {
    stage("proposing instructions for Θ");
    const Call proposer{.model = run_.models["proposer"], .stop = run_.stop};
    ThetaChoices choices = propose_theta(seed_theta_, found, proposer, experiment_.search);
    if (choices.counts.asked > 0) proposals_.put("instructions for Θ", choices.counts.list());
    return choices;
  }

  std::unique_ptr<Module> search(const ThetaChoices& choices) {
    const std::string name = "theta-" + role_;
    stage("searching Θ");
    const auto on_trial = [&](const Trial& trial) {
      const auto instruction = static_cast<std::size_t>(trial.combination[0]);
      const nlohmann::ordered_json candidate = {
          {"combination", trial.combination},
          {"instruction", choices.instructions[instruction]},
          {"demos", choices.demo_sets[static_cast<std::size_t>(trial.combination[1])].size()}};
      const TrialRecord record = record_of(name, trial, candidate.dump());
      run_.store.put_trial(record);
      run_.show_trial(record);
      return false;
    };
    const SearchResult result = search_theta(seed_theta_, choices, users_.validation, finder_,
                                             experiment_.search, on_trial, writing_, judging_call_);
    run_.progress.note("");
    report_written();
    return choose_theta(seed_theta_, choices, result.best);
  }

  /// Adds a row whose personas are the best of Θ's samples for the user and those that Θ found for
  /// training users.
  void add_verified(const std::string& name, const Module& theta) {
    PersonaRow& row = begin(name);
    std::vector<std::string> pool;
    for (const FoundPersona& one : learn_training_users(theta, name))
      if (!one.persona.empty() && pool.size() < experiment_.pool &&
          std::ranges::find(pool, one.persona) == pool.end())
        pool.push_back(one.persona);
    stage(name);
    for (const User& user : users_.test)
      row.personas.emplace(user.id, finder_.find(theta, user, pool, writing_, judging_call_));
    end(row);
    report_written();
    pools_[name] = std::move(pool);
  }

  void add_baselines() {
    begin(kDefault);
    if (!users_.test.at(0).true_persona.empty()) {
      PersonaRow& truth = begin(kTrue);
      for (const User& user : users_.test)
        truth.personas.emplace(user.id, FoundPersona{&user, user.true_persona, 1, 0});
    }
    PersonaRow& plain = begin(kPersonas);
    stage(kPersonas);
    for (const User& user : users_.test)
      plain.personas.emplace(user.id,
                             finder_.write_one(seed_theta_, user, writing_, judging_call_));
    end(plain);
  }

  /// The verified personas again, with some of the user's own choices as demos before the pair, and
  /// the reasoning that verification had of them.
  void add_demos() {
    PersonaRow row = *std::ranges::find(rows_, std::string(kVerified), &PersonaRow::name);
    row.name = kDemos;
    for (const User& user : users_.test) {
      const auto& found = row.personas.at(user.id);
      if (!found) continue;
      auto& demos = row.demos[user.id];
      for (std::size_t i = 0; i < std::min(user.context.size(), experiment_.demos); ++i) {
        const PreferencePair& pair = user.context[i];
        demos.push_back(judge_.demo(pair, pair.flip, found->persona,
                                    found->reasoning.empty() ? "" : found->reasoning[i]));
      }
    }
    rows_.push_back(std::move(row));
  }

  /// Judges every test pair under every row, a user at a time, and keeps the rows.
  void judge_test_users() {
    stage("judging test users", /*measures=*/true);
    for (const User& user : users_.test) judge_user(judge_, user, rows_, judging_call_);
    put_random_row();
    const Judging judging = judge_.options().judging;
    for (const PersonaRow& row : rows_) {
      run_.put_row(row.name, role_, row.outcomes, row.usage);
      if (row.name != kDefault && row.name != kDemos) put_personas(row);
      for (const std::string& line : row.remarks(judging)) run_.remark(line);
    }
    if (counts_.named > 0)
      run_.remark(
          fmt::format("finding personas, {}: {} of {} judgements were named, not scored{}", role_,
                      counts_.named, counts_.judged,
                      counts_.no_contrast > 0 ? ": contrast fell back to the plain choice" : ""));
  }

  /// Leaves Θ where a run leaves its prompt, with what a row of it was made with.
  /// @param row  one that add_verified() added; empty: there is none yet
  void save(const std::string& file, const Module& theta, const std::string& row) const {
    const auto ids = [](std::initializer_list<const std::vector<User>*> splits) {
      std::vector<std::string> out;
      for (const auto* users : splits)
        for (const User& user : *users) out.push_back(user.id);
      return out;
    };
    const auto pool = pools_.find(row);
    save_prompt(
        run_.folder / file, theta, ProgramOptions{{experiment_.theta}}, run_.models.options(role_),
        PersonaPrompt{.row = row,
                      .settings = experiment_.settings,
                      .pool = pool == pools_.end() ? std::vector<std::string>{} : pool->second,
                      .people = experiment_.users,
                      .test = ids({&users_.test}),
                      .made_with = ids({&users_.train, &users_.validation})});
  }

 private:
  PersonaRow& begin(const std::string& name) {
    asked_ = asked();
    return rows_.emplace_back(PersonaRow{.name = name, .model = role_});
  }
  void end(PersonaRow& row) { row.usage = asked() - asked_; }

  void report_written() {
    proposals_.put("personas by " + role_, {{"asked", counts_.asked},
                                            {"failed", counts_.failed},
                                            {"unparsable", counts_.unparsable},
                                            {"refused", counts_.refused},
                                            {"not_fit", counts_.not_fit},
                                            {"repeated", counts_.repeated},
                                            {"written", counts_.written},
                                            {"copied", counts_.copied},
                                            {"kept_copies", counts_.kept_copies},
                                            {"longest_copy_bytes", counts_.longest_copy},
                                            {"judgements", counts_.judged},
                                            {"named", counts_.named},
                                            {"no_contrast", counts_.no_contrast}});
  }

  Usage asked() const {
    Usage usage = writer_.asked();
    usage += judging_.asked();
    return usage;
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
    const auto pool = pools_.find(row);
    const bool from_pool = pool != pools_.end() &&
                           std::ranges::find(pool->second, found.persona) != pool->second.end();
    return from_pool ? "training user" : "theta";
  }

  const PersonaExperiment& experiment_;
  const Users& users_;
  const std::string role_;
  ProposalReport& proposals_;
  RunContext& run_;
  RecordedModel& writer_;   ///< the role's model as it runs Θ
  RecordedModel& judging_;  ///< and as it judges
  const Call writing_;
  const Call judging_call_;
  const Judge judge_;
  PersonaCounts counts_;  ///< of all that finder_ was asked for
  const PersonaFinder finder_;
  const Predict& seed_theta_;
  std::map<std::string, std::vector<std::string>> pools_;  ///< by method: training users' personas
  std::vector<PersonaRow> rows_;
  Usage asked_;
};

/// The program; what is said of its samples is among the settings.
StepOptions read_theta(const Config& theta) {
  StepOptions options;
  options.signature = persona_signature();
  if (const auto text = theta.find("signature")) options.signature = read_signature(*text);
  if (const auto instructions = theta.find("instructions"))
    options.signature = options.signature.with_instructions(instructions->text());
  options.adapter = theta.choice("adapter", {"chat", "json", "terse"}, "terse");
  options.list_options = read_list_options(theta, options.adapter);
  options.chain_of_thought = theta.boolean("chain_of_thought", false);
  options.predict.max_tokens = read_int(theta, "max_tokens", 32, 1);
  options.predict.top_p = read_top_p(theta, 1);
  options.predict.opening = theta.text("opening", "");
  return options;
}

void read_search(const Config& search, ThetaSearchOptions& options) {
  const auto size = [&](const char* key, std::size_t& value, std::int64_t least) {
    value = static_cast<std::size_t>(search.integer(key, static_cast<std::int64_t>(value), least));
  };
  size("num_instructions", options.num_instructions, 1);
  size("num_demo_sets", options.num_demo_sets, 1);
  size("demos", options.demos, 1);
  size("num_trials", options.num_trials, 0);
  size("minibatch_size", options.minibatch_size, 0);
  size("full_every", options.full_every, 1);
  options.instructions = search.texts("instructions");
  options.proposer = {.writer = {.adapter = make_terse_adapter(),
                                 .max_tokens = read_int(search, "proposal_tokens", 128, 1)},
                      .data_summary = search.boolean("data_summary", false),
                      .program_summary = search.boolean("program_summary", false),
                      .demos = search.boolean("show_demos", true),
                      .own_tips = search.texts("tips")};
}

}  // namespace

PersonaExperiment read_persona_experiment(const Config& config) {
  PersonaExperiment experiment;
  experiment.users = read_users_options(config.at("data"));
  const Config personas = config.at("personas");
  const auto seed = static_cast<std::uint64_t>(config.integer("seed", 0));
  experiment.settings = read_persona_settings(personas, seed);
  experiment.theta = read_theta(personas.at("theta"));
  if (const auto search = personas.find("search")) read_search(*search, experiment.search);
  experiment.pool = read_size(personas, "pool", 6);
  experiment.demos = read_size(personas, "demos", 3);
  experiment.search.seed = derive_seed(seed, "theta search");
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
  const nlohmann::json rows = {kRandom, kDefault,   kTrue,  kPersonas,   kVerified,
                               kDemos,  kOptimised, kMoved, kReoptimised};
  run.store.set_meta("rows", rows.dump());
  run.store.set_meta("comparisons", nlohmann::json::array({{kOptimised, kDefault},
                                                           {kOptimised, kVerified},
                                                           {kVerified, kDefault},
                                                           {kPersonas, kDefault},
                                                           {kTrue, kDefault},
                                                           {kReoptimised, kDefault},
                                                           {kReoptimised, kVerified},
                                                           {kReoptimised, kMoved},
                                                           {kMoved, kDefault}})
                                        .dump());

  const auto seed_theta = make_predict(experiment.theta);
  ProposalReport proposals(run.store);
  PersonaRun teacher(experiment, users, *seed_theta, "teacher", proposals, run);
  const ThetaChoices choices =
      teacher.propose(teacher.learn_training_users(*seed_theta, "proposing"));
  const auto theta = teacher.search(choices);
  teacher.save("prompt.json", *theta, "");
  teacher.add_baselines();
  teacher.add_verified(kVerified, *seed_theta);
  teacher.add_verified(kOptimised, *theta);
  teacher.save("prompt.json", *theta, kOptimised);
  teacher.add_demos();
  teacher.judge_test_users();

  if (!run.models.has("student")) return;
  PersonaRun student(experiment, users, *seed_theta, "student", proposals, run);
  const auto redone = student.search(choices);
  student.save("prompt.student.json", *redone, "");
  student.add_baselines();
  student.add_verified(kVerified, *seed_theta);
  student.add_verified(kMoved, *theta);
  student.add_verified(kReoptimised, *redone);
  student.save("prompt.student.json", *redone, kReoptimised);
  student.add_demos();
  student.judge_test_users();
}

}  // namespace theta
