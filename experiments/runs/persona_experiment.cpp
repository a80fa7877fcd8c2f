#include "experiments/runs/persona_experiment.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "experiments/data/data_config.hpp"
#include "experiments/files.hpp"
#include "experiments/runs/made_up.hpp"
#include "experiments/runs/persona_run.hpp"
#include "experiments/runs/search_record.hpp"
#include "experiments/runs/state_file.hpp"
#include "modules/program_state.hpp"

namespace theta {

using namespace persona_rows;

namespace {

/// The rows that a config can name.
const std::vector<std::string> kRows = {
    kRandom,     kPopulation, kDefault,           kDemographics,  kHistory,
    kDemosOnly,  kTrue,       kPersonas,          kVerified,      kDemos,
    kAbstaining, kReference,  kPublishedPersonas, kPublishedDemos};
/// Those that are made if none is named.
const std::vector<std::string> kUsualRows = {kRandom,   kDefault,  kTrue,
                                             kPersonas, kVerified, kDemos};
/// Those that Θ has a part in.
const std::vector<std::string> kRowsOfTheta = {kPersonas,   kVerified,  kDemos,
                                               kAbstaining, kReference, kPublishedPersonas};

bool holds(const std::vector<std::string>& all, const std::string& one) {
  return std::ranges::find(all, one) != all.end();
}

bool holds_seed(const NamedRow& row) {
  return std::ranges::find(row.thetas, ThetaOf::kSeed) != row.thetas.end();
}

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
  std::vector<std::string> models = {"teacher"};
  models.insert(models.end(), experiment.students.begin(), experiment.students.end());
  std::vector<std::string> optimised, moved, reoptimised;
  const auto add = [](std::vector<std::string>& rows, const std::string& row) {
    if (!holds(rows, row)) rows.push_back(row);
  };
  for (const std::string& model : models) {
    const auto optimizers = optimizers_of(experiment, model);
    const bool teacher = model == "teacher";
    for (std::size_t i = 0; i < optimizers.size(); ++i) {
      if (teacher)
        add(optimised, labelled(kOptimised, optimizers, i));
      else
        add(reoptimised, labelled(kReoptimised, optimizers, i));
      if ((teacher && models.size() > 1) || experiment.transfer_all)
        add(moved, labelled(moved_row(model), optimizers, i));
    }
  }
  for (const NamedRow& row : experiment.rows)
    for (const ThetaOf whose : row.thetas) {
      if (whose == ThetaOf::kSeed) record.add_row(row.name);
      if (whose == ThetaOf::kMoved)
        for (const std::string& theta : moved) record.add_row(row.name + ", " + theta);
      if (whose != ThetaOf::kOptimised) continue;
      for (const auto& rows : {optimised, reoptimised})
        for (const std::string& theta : rows) record.add_row(row.name + ", " + theta);
    }
  for (const auto& rows : {optimised, moved, reoptimised})
    for (const std::string& row : rows) record.add_row(row);

  const auto compare = [&](const std::string& row, std::initializer_list<const char*> against) {
    for (const char* other : against) record.compare(row, other);
  };
  for (const std::string& row : optimised) compare(row, {kDefault, kPersonas, kVerified});
  for (const NamedRow& row : experiment.rows)
    if (row.name != kDefault && row.name != kRandom && holds_seed(row))
      record.compare(row.name, kDefault);
  for (const std::string& row : reoptimised) {
    compare(row, {kDefault, kPersonas, kVerified});
    for (const std::string& other : moved) record.compare(row, other);
  }
  for (const std::string& row : moved) compare(row, {kDefault, kPersonas});
}

/// `personas`, or `{row: personas, theta: [seed, optimised]}`.
NamedRow read_row(const Config& row) {
  const Config name = row.is_map() ? row.at("row") : row;
  NamedRow read{name.text()};
  if (!holds(kRows, read.name))
    name.fail(
        fmt::format("there is no row `{}`; there are: {}", read.name, fmt::join(kRows, ", ")));
  const auto theta = row.is_map() ? row.find("theta") : std::nullopt;
  if (!theta) return read;
  if (!holds(kRowsOfTheta, read.name))
    theta->fail("no Θ has a part in the row `" + read.name + "`");
  read.thetas.clear();
  for (const Config& one : theta->is_sequence() ? theta->items() : std::vector{*theta}) {
    if (one.text() == "seed")
      read.thetas.push_back(ThetaOf::kSeed);
    else if (one.text() == "optimised")
      read.thetas.push_back(ThetaOf::kOptimised);
    else if (one.text() == "moved")
      read.thetas.push_back(ThetaOf::kMoved);
    else
      one.fail("there is no Θ `" + one.text() + "`; there are seed, optimised and moved");
  }
  return read;
}

std::vector<NamedRow> read_rows(const Config& personas) {
  std::vector<NamedRow> read;
  const auto rows = personas.find("rows");
  if (!rows) {
    for (const std::string& name : kUsualRows) read.push_back({name});
    return read;
  }
  for (const Config& row : rows->items()) {
    NamedRow one = read_row(row);
    if (std::ranges::find(read, one.name, &NamedRow::name) != read.end())
      row.fail("the row `" + one.name + "` stands here twice");
    read.push_back(std::move(one));
  }
  return read;
}

/// `demos: 3`, the first of a person's pairs, or `demos: {chosen: 3}`.
void read_demos(const Config& personas, PersonaExperiment& experiment) {
  const auto demos = personas.find("demos");
  experiment.choose_demos = demos && demos->is_map();
  experiment.demos =
      experiment.choose_demos ? read_size(*demos, "chosen", 0, 1) : read_size(personas, "demos", 3);
}

/// `compat: reference`, or the reference's parameters.
PublishedOptions read_published(const Config& personas) {
  PublishedOptions options{.faithful = true};
  const auto compat = personas.find("compat");
  if (!compat) return options;
  if (!compat->is_map()) {
    personas.choice("compat", {"reference"}, "reference");
    return options;
  }
  options.train_share = read_share(*compat, "train_share", options.train_share, 0, 1);
  options.max_bootstrapped = read_int(*compat, "max_bootstrapped", options.max_bootstrapped, -1);
  options.max_labeled = read_int(*compat, "max_labeled", options.max_labeled, 0);
  options.candidates = read_int(*compat, "candidates", options.candidates, 0);
  options.stop_at_score = read_share(*compat, "stop_at_score", options.stop_at_score, 0, 1);
  options.keeps_sides = compat->choice("sides", {"drawn", "given"}, "drawn") == "given";
  return options;
}

/// The models beside the teacher: those that are named, else `student` if the config has one.
std::vector<std::string> read_students(const Config& config) {
  const Config models = config.at("models");
  const Config personas = config.at("personas");
  if (!personas.find("students"))
    return models.find("student") ? std::vector<std::string>{"student"}
                                  : std::vector<std::string>{};
  for (const Config& student : personas.at("students").items()) {
    if (student.text() == "teacher") student.fail("the teacher is no student");
    if (!models.find(student.text()))
      student.fail("`" + student.text() + "` is not a model of this config: add it under 'models'");
  }
  return personas.texts("students");
}

std::vector<ThetaOptimizer> read_theta_optimizers(const Config& config, std::uint64_t seed,
                                                  const Module& theta,
                                                  const std::vector<std::string>& students) {
  std::vector<ThetaOptimizer> read;
  for (OptimizerConfig& one : read_optimizers(config, seed, theta)) {
    const Config section = config.at("optimizers").items()[read.size()];
    // The judge's options are two texts that stand in either order: none of them has a level.
    if (auto* mipro = std::get_if<MiproOptions>(&one.options)) mipro->fit_options = false;
    read.push_back({std::move(one), section.texts("models")});
    for (const std::string& model : read.back().models)
      if (model != "teacher" && !holds(students, model))
        section.at("models").fail(fmt::format("`{}` writes no personas here; there are teacher{}{}",
                                              model, students.empty() ? "" : ", ",
                                              fmt::join(students, ", ")));
  }
  return read;
}

/// The experiment as a dry run makes it.
PersonaExperiment reading_anything(PersonaExperiment experiment) {
  experiment.settings.made_up = true;
  Format& format = experiment.theta.format;
  // A persona that is held to a number of words would be dropped for its length.
  const bool short_ones = experiment.settings.module.writing.max_words > 0;
  format.own_adapter = make_lenient_adapter(make_adapter(format),
                                            short_ones ? 0 : experiment.theta.predict.max_tokens);
  return experiment;
}

}  // namespace

std::unique_ptr<Predict> make_theta(const PersonaExperiment& experiment) {
  auto theta = make_predict(experiment.theta);
  if (experiment.theta_file.empty()) return theta;
  const LoadedState loaded = load_state(*theta, read_state_file(experiment.theta_file),
                                        experiment.theta_file.string(), experiment.theta_predictor);
  for (const std::string& line : loaded.remarks) spdlog::warn("{}", line);
  return theta;
}

bool ThetaOptimizer::is_of(const std::string& model) const {
  return models.empty() || std::ranges::find(models, model) != models.end();
}

PersonaExperiment read_persona_experiment(const Config& config) {
  PersonaExperiment experiment;
  experiment.users = read_users_options(config.at("data"));
  const Config personas = config.at("personas");
  const auto seed = static_cast<std::uint64_t>(config.integer("seed", 0));
  experiment.settings = read_persona_settings(personas, seed);
  experiment.theta = read_theta(personas.at("theta"));
  if (const auto file = personas.at("theta").find("load")) experiment.theta_file = path_of(*file);
  experiment.theta_predictor = personas.at("theta").text("predictor", "");
  experiment.pool = read_size(personas, "pool", 6);
  experiment.opposites = personas.boolean("opposites", false);
  read_demos(personas, experiment);
  experiment.published = read_published(personas);
  experiment.rows = read_rows(personas);
  experiment.students = read_students(config);
  experiment.rewards = read_rewards(config);
  experiment.transfer_all = personas.choice("transfer", {"teacher", "all"}, "teacher") == "all";
  experiment.optimizers =
      read_theta_optimizers(config, seed, of_nobody(experiment, personas), experiment.students);
  if (const auto search = personas.find("search")) {
    if (!experiment.optimizers.empty())
      search->fail("'optimizers' say how Θ is searched for: take 'search' out");
    experiment.optimizers.push_back({read_search(*search, seed), {}});
  }
  return experiment;
}

void run_persona_experiment(const PersonaExperiment& given, RunContext& run) {
  const PersonaExperiment experiment = run.models.made_up() ? reading_anything(given) : given;
  const Users users = load_users(experiment.users);
  for (const std::string& line : users.remarks) run.remark(line);
  if (users.test.empty()) throw UserError("a persona experiment needs test users");
  if (users.test[0].simulated)
    put(run.store, part::kNote,
        "The users are simulated: their tastes are known, and their choices between real "
        "sentences follow the ratings of real people.");
  SearchRecord record(run, "the seed Θ");
  describe_rows(experiment, record);
  describe_rewards(experiment.rewards, kDefault, record);
  record.keep();

  if (!experiment.rewards.rows.empty()) {
    run.stage("rewards", /*measures=*/true);
    put_rewards(experiment.rewards, users, "teacher", run);
  }
  std::vector<std::string> roles = {"teacher"};
  roles.insert(roles.end(), experiment.students.begin(), experiment.students.end());
  std::vector<std::unique_ptr<PersonaRun>> runs;
  std::vector<Example> train;  // whom the teacher found personas for
  for (const std::string& role : roles) {
    runs.push_back(std::make_unique<PersonaRun>(experiment, users, role, record, run));
    PersonaRun& one = *runs.back();
    for (const OptimizerConfig* optimizer : optimizers_of(experiment, role))
      check_gated(one.validation_examples(), optimizer->gate, optimizer->max_evaluations);
    if (role == "teacher") {
      one.learn_training_users();
      train = one.training_examples();
    } else {
      one.take_pool(*runs.front());
    }
    one.optimise(train);
    if (!experiment.transfer_all) {
      std::vector<const PersonaRun*> others;
      if (role != "teacher") others.push_back(runs.front().get());
      one.add_rows(others);
      one.judge_test_users();
    }
  }
  for (std::size_t i = 0; experiment.transfer_all && i < runs.size(); ++i) {
    std::vector<const PersonaRun*> others;
    for (const auto& other : runs)
      if (other != runs[i]) others.push_back(other.get());
    runs[i]->add_rows(others);
    runs[i]->judge_test_users();
  }
}

}  // namespace theta
