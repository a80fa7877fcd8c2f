#include "experiments/persona_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/rng.hpp"
#include "experiments/data_config.hpp"
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

/// One method's way to a persona for a test user.
struct Method {
  std::string name;
  std::map<std::string, FoundPersona> personas;  ///< by user id; empty: the judge without persona
  std::map<std::string, std::vector<Demo>> demos;
  bool kept = true;  ///< its personas are listed in the report
  Usage usage;
};

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
        judge_(experiment.judge, std::shared_ptr<const Adapter>(make_adapter(
                                     experiment.judge_adapter, experiment.judge_lists_options))),
        finder_{judge_, experiment.writing, experiment.contrasts, experiment.max_copied, &written_},
        seed_theta_(seed_theta) {}

  void stage(const std::string& name) { run_.stage(role_ + ": " + name); }

  /// Finds personas for the training users with `theta`: raw material of demos, and candidates for
  /// others.
  std::vector<FoundPersona> learn_training_users(const Module& theta) {
    stage("personas of training users");
    std::vector<FoundPersona> found;
    for (const User& user : users_.train)
      found.push_back(finder_.find(theta, user, {}, writing_, judging_call_));
    std::ranges::stable_sort(found, std::ranges::greater{}, &FoundPersona::fit);
    return found;
  }

  ThetaChoices propose(std::span<const FoundPersona> found) {
    stage("proposing instructions for Θ");
    const Call proposer{.model = run_.models["proposer"], .stop = run_.stop};
    ThetaChoices choices =
        propose_theta(seed_theta_, found, experiment_.writing.style, proposer, experiment_.search);
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
    Method& method = begin(name);
    std::vector<std::string> pool;
    for (const FoundPersona& one : learn_training_users(theta))
      if (!one.persona.empty() && pool.size() < experiment_.pool &&
          std::ranges::find(pool, one.persona) == pool.end())
        pool.push_back(one.persona);
    stage(name);
    for (const User& user : users_.test)
      method.personas.emplace(user.id, finder_.find(theta, user, pool, writing_, judging_call_));
    end(method);
    report_written();
    pools_[name] = std::move(pool);
  }

  void add_baselines() {
    begin(kDefault).kept = false;
    if (!users_.test.at(0).true_persona.empty()) {
      Method& truth = begin(kTrue);
      for (const User& user : users_.test)
        truth.personas[user.id] = {&user, user.true_persona, 1, 0};
    }
    Method& plain = begin(kPersonas);
    stage(kPersonas);
    PersonaWriting greedy = experiment_.writing;
    greedy.samples = 1;
    for (const User& user : users_.test) {
      const auto written = write_personas(seed_theta_, user, greedy, writing_);
      plain.personas[user.id] = {&user, written.empty() ? "" : written[0], 1, 0};
    }
    end(plain);
  }

  /// The verified personas again, with some of the user's own choices as demos before the pair.
  void add_demos() {
    Method method = *std::ranges::find(methods_, std::string(kVerified), &Method::name);
    method.name = kDemos;
    method.kept = false;
    for (const User& user : users_.test) {
      auto& demos = method.demos[user.id];
      for (const PreferencePair& pair : user.context)
        if (demos.size() < experiment_.demos)
          demos.push_back(judge_.demo(pair, pair.flip, method.personas[user.id].persona));
    }
    methods_.push_back(std::move(method));
  }

  /// Judges every test pair in both orders under every method, a user at a time, and keeps the
  /// rows.
  void judge_test_users() {
    stage("judging test users");
    std::map<std::string, std::vector<Outcome>> outcomes;
    for (const User& user : users_.test) {
      std::vector<Question> questions;
      std::vector<std::size_t> asker;
      std::vector<double> contrasts;
      for (std::size_t m = 0; m < methods_.size(); ++m) {
        const auto persona = methods_[m].personas.find(user.id);
        const auto demos = methods_[m].demos.find(user.id);
        for (const PreferencePair& pair : user.test)
          for (const bool chosen_first : {true, false}) {
            if (experiment_.judge.both_orders && !chosen_first) continue;  // asked with the other
            questions.push_back(
                {&pair, chosen_first,
                 persona == methods_[m].personas.end() ? std::string() : persona->second.persona,
                 demos == methods_[m].demos.end() ? nullptr : &demos->second});
            asker.push_back(m);
            contrasts.push_back(persona == methods_[m].personas.end() ? 0
                                                                      : persona->second.contrast);
          }
      }
      const auto judgements = judge_.judge(questions, judging_call_);
      for (std::size_t i = 0; i < judgements.size(); ++i) {
        Method& method = methods_[asker[i]];
        method.usage += judgements[i].usage;
        const auto keep = [&](int variant, const Verdict& verdict) {
          outcomes[method.name].push_back({method.name, role_, questions[i].pair->id, user.id,
                                           variant, judgements[i].score(contrasts[i]),
                                           verdict.margin(contrasts[i]), judgements[i].status,
                                           judgements[i].error});
        };
        keep(questions[i].chosen_first ? 0 : 1, judgements[i].asked);
        if (judgements[i].turned) keep(1, *judgements[i].turned);
      }
    }
    put_random_row();
    for (const Method& method : methods_) {
      run_.put_row(method.name, role_, outcomes[method.name], method.usage);
      if (method.kept) put_personas(method);
    }
  }

 private:
  Method& begin(const std::string& name) {
    asked_ = asked();
    return methods_.emplace_back(Method{name, {}, {}, true, {}});
  }
  void end(Method& method) { method.usage = asked() - asked_; }

  void report_written() {
    proposals_.put("personas by " + role_, {{"written", written_.written},
                                            {"copied", written_.copied},
                                            {"kept_copies", written_.kept_copies},
                                            {"longest_copy_bytes", written_.longest_copy}});
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

  void put_personas(const Method& method) {
    std::vector<PersonaRecord> records;
    for (const User& user : users_.test) {
      const FoundPersona& found = method.personas.at(user.id);
      const auto pool = pools_.find(method.name);
      const bool from_pool = pool != pools_.end() &&
                             std::ranges::find(pool->second, found.persona) != pool->second.end();
      records.push_back({method.name, role_, user.id, found.persona,
                         method.name == kTrue ? "taste"
                         : from_pool          ? "training user"
                                              : "theta",
                         user.taste, stated_taste(found.persona)});
    }
    run_.store.put_personas(records);
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
  PersonaCounts written_;  ///< of all that finder_ was asked for
  const PersonaFinder finder_;
  const Predict& seed_theta_;
  std::map<std::string, std::vector<std::string>> pools_;  ///< by method: training users' personas
  std::vector<Method> methods_;
  Usage asked_;
};

void read_judge(const Config& judge, PersonaExperiment& experiment) {
  JudgeOptions& options = experiment.judge;
  experiment.judge_adapter = judge.choice("adapter", {"chat", "json", "terse"}, "terse");
  experiment.judge_lists_options = read_list_options(judge, experiment.judge_adapter);
  options.signature = default_judge_signature();
  if (const auto text = judge.find("signature")) {
    options.signature = read_signature(*text, judge.text("instructions", ""));
  } else if (const auto instructions = judge.find("instructions")) {
    options.signature = options.signature.with_instructions(instructions->text());
  }
  options.persona_instructions = judge.text("persona_instructions", "");
  const std::string judging =
      judge.choice("judging", {"generated", "scored", "contrast"}, "contrast");
  options.judging = judging == "generated" ? Judging::kGenerated
                    : judging == "scored"  ? Judging::kScored
                                           : Judging::kContrast;
  const std::string place = judge.choice("persona", {"behind_pair", "instruction"}, "behind_pair");
  options.place = place == "instruction" ? PersonaPlace::kInstruction : PersonaPlace::kBehindPair;
  options.reasoning = judge.boolean("reasoning", false);
  options.both_orders = judge.choice("orders", {"one", "both"}, "one") == "both";
  options.max_tokens = read_int(judge, "max_tokens", options.max_tokens, 1);
  try {
    (void)Judge(options, std::shared_ptr<const Adapter>(make_adapter(experiment.judge_adapter)));
  } catch (const UserError& e) {
    judge.fail(e.what());
  }
}

void read_theta(const Config& theta, PersonaExperiment& experiment) {
  ProgramOptions& options = experiment.theta;
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
  PersonaWriting& writing = experiment.writing;
  writing.samples = read_int(theta, "samples", 4, 1);
  writing.temperature = read_temperature(theta, 1);
  writing.max_words = read_size(theta, "max_words", 0);
  experiment.max_copied = read_size(theta, "max_copied", experiment.max_copied);
  const std::string history = theta.choice("history", {"brief", "chosen", "published"}, "brief");
  writing.style = history == "brief"    ? HistoryStyle::kBrief
                  : history == "chosen" ? HistoryStyle::kChosen
                                        : HistoryStyle::kPublished;
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
                                 .max_tokens = read_int(search, "proposal_tokens", 64, 1)},
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
  read_judge(personas.at("judge"), experiment);
  read_theta(personas.at("theta"), experiment);
  if (const auto search = personas.find("search")) read_search(*search, experiment.search);
  if (const auto contrasts = personas.find("contrasts")) {
    experiment.contrasts.clear();
    for (const Config& contrast : contrasts->items())
      experiment.contrasts.push_back(contrast.number());
    if (experiment.contrasts.empty()) contrasts->fail("at least one contrast is needed");
  }
  experiment.pool = read_size(personas, "pool", 6);
  experiment.demos = read_size(personas, "demos", 3);
  const auto seed = static_cast<std::uint64_t>(config.integer("seed", 0));
  experiment.writing.seed = derive_seed(seed, "personas");
  experiment.search.seed = derive_seed(seed, "theta search");
  return experiment;
}

void run_persona_experiment(const PersonaExperiment& experiment, RunContext& run) {
  const Users users = load_users(experiment.users);
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

  const auto seed_theta = make_program(experiment.theta);
  ProposalReport proposals(run.store);
  PersonaRun teacher(experiment, users, *seed_theta, "teacher", proposals, run);
  const ThetaChoices choices = teacher.propose(teacher.learn_training_users(*seed_theta));
  const auto theta = teacher.search(choices);
  save_prompt(run.folder / "prompt.json", *theta, experiment.theta, run.models.options("teacher"),
              "");
  teacher.add_baselines();
  teacher.add_verified(kVerified, *seed_theta);
  teacher.add_verified(kOptimised, *theta);
  teacher.add_demos();
  teacher.judge_test_users();

  if (!run.models.has("student")) return;
  PersonaRun student(experiment, users, *seed_theta, "student", proposals, run);
  const auto redone = student.search(choices);
  save_prompt(run.folder / "prompt.student.json", *redone, experiment.theta,
              run.models.options("student"), "");
  student.add_baselines();
  student.add_verified(kVerified, *seed_theta);
  student.add_verified(kMoved, *theta);
  student.add_verified(kReoptimised, *redone);
  student.add_demos();
  student.judge_test_users();
}

}  // namespace theta
