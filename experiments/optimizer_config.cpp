#include "experiments/optimizer_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "experiments/data/data_config.hpp"
#include "optimizers/pipeline.hpp"

namespace theta {
namespace {

/// Up to what no search can work with, so that no product of two is too large.
std::size_t read_count(const Config& options, std::string_view key, std::size_t fallback,
                       std::size_t least = 0, std::int64_t most = 1'000'000'000) {
  return read_size(options, key, fallback, least, most);
}

/// The search keeps something to search by.
constexpr double kMostFresh = 0.9;

const std::vector<std::string> kOptimizers = {"labeled_few_shot",
                                              "knn_few_shot",
                                              "bootstrap_few_shot",
                                              "random_search",
                                              "mipro",
                                              "copro",
                                              "gepa",
                                              "fit_options",
                                              "pipeline"};

WriterOptions read_writer(const Config& section, WriterOptions writer) {
  writer.adapter =
      make_adapter({.adapter = section.choice("adapter", {"chat", "json", "terse"}, "chat")});
  writer.temperature = read_temperature(section, writer.temperature);
  writer.max_tokens = read_int(section, "max_tokens", writer.max_tokens, 1);
  writer.attempts = read_int(section, "attempts", writer.attempts, 1);
  writer.max_copied = read_count(section, "max_copied", writer.max_copied);
  return writer;
}

/// `proposer:` of an optimiser that only writes.
WriterOptions find_writer(const Config& options, const WriterOptions& fallback) {
  const auto section = options.find("proposer");
  return section ? read_writer(*section, fallback) : fallback;
}

ProposerOptions read_proposer(const Config& options) {
  ProposerOptions proposer;
  if (const auto section = options.find("proposer")) {
    proposer.writer = read_writer(*section, proposer.writer);
    proposer.data_summary = section->boolean("data_summary", proposer.data_summary);
    proposer.program_summary = section->boolean("program_summary", proposer.program_summary);
    proposer.demos = section->boolean("demos", proposer.demos);
    proposer.history = section->boolean("history", proposer.history);
    if (const auto tips = section->find("tips"); tips && tips->is_sequence())
      proposer.own_tips = section->texts("tips");
    else
      proposer.tips = section->boolean("tips", proposer.tips);
  }
  return proposer;
}

PromptLimits read_limits(const Config& options) {
  PromptLimits limits;
  limits.frozen = options.texts("frozen");
  limits.keep = options.texts("keep");
  limits.max_prompt_tokens = read_count(options, "max_prompt_tokens", 0);
  return limits;
}

BootstrapOptions read_bootstrap(const Config& options, BootstrapOptions bootstrap) {
  bootstrap.max_bootstrapped = read_count(options, "max_bootstrapped", bootstrap.max_bootstrapped);
  bootstrap.max_labeled = read_count(options, "max_labeled", bootstrap.max_labeled);
  bootstrap.max_rounds = read_count(options, "max_rounds", bootstrap.max_rounds, 1);
  bootstrap.threshold = read_share(options, "threshold", bootstrap.threshold, 0, 1);
  return bootstrap;
}

/// The values of a key of `space`: the same that it may have in `program`.
std::vector<std::string> read_values(const Config& space, const std::string& key,
                                     std::span<const std::string_view> names) {
  std::vector<std::string> values;
  if (const auto list = space.find(key))
    for (const Config& value : list->items()) {
      if (std::ranges::find(names, value.text()) == names.end())
        value.fail(fmt::format("'{}' is a list of {}; this is '{}'", key, fmt::join(names, ", "),
                               value.text()));
      values.push_back(value.text());
    }
  return values;
}

template <typename Enum>
std::vector<Enum> read_values_as(const Config& space, const std::string& key,
                                 std::span<const std::string_view> names) {
  std::vector<Enum> values;
  for (const std::string& value : read_values(space, key, names))
    values.push_back(static_cast<Enum>(std::ranges::find(names, value) - names.begin()));
  return values;
}

/// `space: {adapter: [chat, terse], ..}`; nothing where it is not given.
std::optional<FormatSpace> read_space(const Config& options) {
  const auto section = options.find("space");
  if (!section) return std::nullopt;
  constexpr std::array<std::string_view, 3> kAdapters{"chat", "json", "terse"};
  constexpr std::array<std::string_view, 2> kOptions{"hidden", "listed"}, kBools{"false", "true"},
      kAnswers{"free", "seen"};
  FormatSpace space;
  space.adapters = read_values(*section, "adapter", kAdapters);
  space.list_options = read_values_as<bool>(*section, "options", kOptions);
  space.label_orders = read_values_as<LabelOrder>(*section, "label_order", kLabelOrderNames);
  space.instruction_places =
      read_values_as<InstructionPlace>(*section, "instruction_place", kInstructionPlaceNames);
  space.openings = section->texts("opening");
  space.answerings = read_values_as<Answering>(*section, "answering", kAnsweringNames);
  space.calibrations = read_values_as<Calibration>(*section, "calibrate", kCalibrationNames);
  space.reasoning = read_values_as<bool>(*section, "chain_of_thought", kBools);
  space.seen_answers = read_values_as<bool>(*section, "answers", kAnswers);
  space.calibration_examples =
      read_count(*section, "calibration_examples", space.calibration_examples, 1);
  return space;
}

/// What is DSPy's alone, and what it does not go with.
void read_faithful(const Config& options, MiproOptions& mipro) {
  const auto refuse = [&](const char* key, const std::string& message) {
    if (options.find(key)) options.at(key).fail(message);
  };
  mipro.faithful = options.boolean("faithful", false);
  if (mipro.faithful) {
    refuse("surrogate", "a faithful mipro searches with tpe: leave 'surrogate' out");
    refuse("glossary",
           "a faithful mipro has instructions and demo sets alone: leave 'glossary' out");
    refuse("nearest", "a faithful mipro shows every input the same demos: leave 'nearest' out");
    refuse("max_by_rule",
           "a faithful mipro makes demo sets by DSPy's rules: leave 'max_by_rule' out");
    refuse("max_prompt_tokens", "a faithful mipro has no token limit, as DSPy has none");
    refuse("space", "a faithful mipro tries no formats, as DSPy's does not: leave 'space' out");
    refuse("stop_below",
           "a faithful mipro runs to its end, as DSPy's does: leave 'stop_below' out");
  } else {
    refuse("auto", "'auto' is DSPy's: it wants 'faithful: true'");
  }
  const auto sizes = {"num_instructions", "num_demo_sets", "num_trials"};
  if (!options.find("auto")) {
    const auto given = [&](const char* key) { return options.find(key).has_value(); };
    if (mipro.faithful && std::ranges::none_of(sizes, given)) mipro.auto_mode = "light";
    return;
  }
  mipro.auto_mode = options.choice("auto", {"light", "medium", "heavy"}, "");
  for (const char* key : sizes)
    refuse(key, std::string("'auto' decides '") + key + "': leave one of them out");
}

MiproOptions read_mipro(const Config& options, std::uint64_t seed) {
  MiproOptions mipro;
  read_faithful(options, mipro);
  constexpr std::int64_t kMostChoices = 1000;  // a surrogate's matrices grow with their square
  mipro.num_instructions =
      read_count(options, "num_instructions", mipro.num_instructions, 1, kMostChoices);
  mipro.num_demo_sets = read_count(options, "num_demo_sets", mipro.num_demo_sets, 1, kMostChoices);
  mipro.max_bootstrapped = read_count(options, "max_bootstrapped", mipro.max_bootstrapped);
  mipro.max_labeled = read_count(options, "max_labeled", mipro.max_labeled);
  mipro.num_trials = read_count(options, "num_trials", mipro.num_trials);
  mipro.minibatch_size = read_count(options, "minibatch_size", mipro.minibatch_size);
  mipro.full_every = read_count(options, "full_every", mipro.full_every, 1);
  mipro.surrogate = options.choice("surrogate", {"paired", "gp", "tpe", "random"}, mipro.surrogate);
  if (const auto widening = options.find("widening")) {
    if (mipro.surrogate != "paired" || mipro.faithful)
      widening->fail("'widening' wants 'surrogate: paired'");
    mipro.widening = read_share(options, "widening", 0, 0, 1);
  }
  if (const auto threshold = options.find("stop_below")) {
    if (mipro.surrogate != "paired") threshold->fail("'stop_below' wants 'surrogate: paired'");
    mipro.stop_below = threshold->number();
    if (!(mipro.stop_below >= 0)) threshold->fail("'stop_below' must be at least 0");
  }
  mipro.space = read_space(options);
  mipro.fit_options = options.boolean("fit_options", !mipro.faithful);
  if (mipro.faithful && mipro.fit_options)
    options.at("fit_options").fail("a faithful mipro answers as DSPy does: leave it out");
  mipro.nearest = read_count(options, "nearest", mipro.nearest);
  mipro.max_by_rule = read_count(options, "max_by_rule", mipro.max_by_rule);
  if (const auto glossary = options.find("glossary")) {
    mipro.glossary.written =
        read_count(*glossary, "written", mipro.glossary.written, 0, kMostChoices);
    mipro.glossary.read_off = glossary->boolean("read_off", mipro.glossary.read_off);
    mipro.glossary.rows = read_count(*glossary, "rows", mipro.glossary.rows, 1);
    mipro.glossary.most_labels = read_count(*glossary, "most_labels", mipro.glossary.most_labels);
  }
  mipro.limits = read_limits(options);
  const auto instructions = options.find("instructions");
  if (!instructions || !instructions->is_map())
    mipro.instructions = options.texts("instructions");
  else
    for (const auto& [step, of_step] : instructions->entries())
      mipro.instructions_of[step] = instructions->texts(step);
  mipro.proposer = read_proposer(options);
  if (mipro.faithful && mipro.proposer.history)
    options.at("proposer")
        .at("history")
        .fail("a faithful mipro shows no history, as DSPy's does not: leave 'history' out");
  mipro.seed = seed;
  return mipro;
}

CoproOptions read_copro(const Config& options, std::uint64_t seed) {
  CoproOptions copro;
  copro.breadth = read_count(options, "breadth", copro.breadth, 1);
  copro.depth = read_count(options, "depth", copro.depth, 1);
  copro.limits = read_limits(options);
  copro.writer = find_writer(options, copro.writer);
  copro.seed = seed;
  return copro;
}

GepaOptions read_gepa(const Config& options, std::uint64_t seed) {
  GepaOptions gepa;
  gepa.minibatch_size = read_count(options, "minibatch_size", gepa.minibatch_size, 1);
  gepa.skip_perfect = options.boolean("skip_perfect", gepa.skip_perfect);
  gepa.max_merges = read_count(options, "max_merges", gepa.max_merges);
  gepa.limits = read_limits(options);
  gepa.writer = find_writer(options, gepa.writer);
  gepa.seed = seed;
  return gepa;
}

RandomSearchOptions read_random_search(const Config& options, std::uint64_t seed) {
  RandomSearchOptions search;
  search.num_candidates = read_int(options, "num_candidates", search.num_candidates, 1);
  search.bootstrap = read_bootstrap(options, search.bootstrap);
  search.space = read_space(options);
  search.seed = seed;
  return search;
}

OptimizerOptions read_options(const Config& section, std::uint64_t seed) {
  section.at("name");
  const std::string name = section.choice("name", kOptimizers, "");
  if (name == "labeled_few_shot")
    return LabeledFewShotOptions{.k = read_count(section, "k", 16, 1)};
  if (name == "knn_few_shot") return KnnFewShotOptions{.k = read_count(section, "k", 4, 1)};
  if (name == "bootstrap_few_shot") return read_bootstrap(section, {});
  if (name == "random_search") return read_random_search(section, seed);
  if (name == "mipro") return read_mipro(section, seed);
  if (name == "copro") return read_copro(section, seed);
  if (name == "gepa") return read_gepa(section, seed);
  if (name == "fit_options") return FitOptionsOptions{};
  PipelineOptions pipeline;
  for (const Config& step : section.at("steps").items())
    pipeline.steps.push_back(read_options(step, seed));
  if (pipeline.steps.empty()) section.at("steps").fail("a pipeline has at least one step");
  return pipeline;
}

}  // namespace

OptimizerConfig read_optimizer(const Config& section, std::uint64_t seed) {
  OptimizerConfig config{"", read_options(section, seed)};
  config.label = section.text("label", section.text("name"));
  if (config.label.empty()) section.at("label").fail("a label is not empty");
  config.max_evaluations = section.integer("max_evaluations", 0);
  config.gate.seed = seed;
  if (const auto gate = section.find("gate")) {
    config.gate.fresh = read_share(*gate, "fresh", config.gate.fresh, 0, kMostFresh);
    config.gate.threshold = read_share(*gate, "threshold", config.gate.threshold, 0.5, 1);
    config.gate.anchors = gate->texts("anchors");
  }
  if (const auto shorten = section.find("shorten")) {
    config.shorten.emplace();
    config.shorten->within = read_share(*shorten, "within", config.shorten->within, 0, 1);
    config.shorten->max_evaluations =
        shorten->integer("max_evaluations", config.shorten->max_evaluations);
  }
  return config;
}

PromptLimits limits_of(const OptimizerOptions& options) {
  if (const auto* mipro = std::get_if<MiproOptions>(&options)) return mipro->limits;
  if (const auto* copro = std::get_if<CoproOptions>(&options)) return copro->limits;
  if (const auto* gepa = std::get_if<GepaOptions>(&options)) return gepa->limits;
  PromptLimits limits;
  if (const auto* pipeline = std::get_if<PipelineOptions>(&options))
    for (const OptimizerOptions& step : pipeline->steps) {
      const PromptLimits own = limits_of(step);
      limits.frozen.insert(limits.frozen.end(), own.frozen.begin(), own.frozen.end());
      limits.keep.insert(limits.keep.end(), own.keep.begin(), own.keep.end());
    }
  return limits;
}

void check_names_in(const Config& section, const OptimizerOptions& options, const Module& program) {
  if (const auto* pipeline = std::get_if<PipelineOptions>(&options)) {
    const auto steps = section.at("steps").items();
    for (std::size_t i = 0; i < steps.size(); ++i)
      check_names_in(steps[i], pipeline->steps[i], program);
    return;
  }
  const auto* mipro = std::get_if<MiproOptions>(&options);
  try {
    limits_of(options).check(program);
  } catch (const UserError& e) {
    section.at("frozen").fail(e.what());
  }
  if (!mipro) return;
  const auto predictors = program.predictors();
  for (const auto& [name, instructions] : mipro->instructions_of)
    if (std::ranges::none_of(predictors, [&](const auto* p) { return is_called(*p, name); }))
      section.at("instructions")
          .at(name)
          .fail(fmt::format("the program has no step `{}` to instruct", name));
}

OptimizerConfig read_search(const Config& search, std::uint64_t seed) {
  MiproOptions mipro;
  mipro.num_instructions = read_count(search, "num_instructions", mipro.num_instructions, 1, 1000);
  mipro.num_demo_sets = read_count(search, "num_demo_sets", mipro.num_demo_sets, 1, 1000);
  mipro.max_bootstrapped = 0;
  mipro.max_labeled = read_count(search, "demos", mipro.max_labeled, 1);
  mipro.num_trials = read_count(search, "num_trials", mipro.num_trials);
  mipro.minibatch_size = read_count(search, "minibatch_size", mipro.minibatch_size);
  mipro.full_every = read_count(search, "full_every", mipro.full_every, 1);
  mipro.instructions = search.texts("instructions");
  mipro.proposer = {.writer = {.adapter = make_terse_adapter(),
                               .max_tokens = read_int(search, "proposal_tokens", 128, 1)},
                    .data_summary = search.boolean("data_summary", false),
                    .program_summary = search.boolean("program_summary", false),
                    .demos = search.boolean("show_demos", true),
                    .own_tips = search.texts("tips")};
  mipro.seed = seed;
  OptimizerConfig config{"mipro", mipro};
  config.gate.seed = seed;
  return config;
}

std::vector<OptimizerConfig> read_optimizers(const Config& config, std::uint64_t seed,
                                             const Module& program, std::set<std::string> taken) {
  std::vector<OptimizerConfig> all;
  if (const auto optimizers = config.find("optimizers"))
    for (const Config& options : optimizers->items()) {
      const OptimizerConfig& read = all.emplace_back(read_optimizer(options, seed));
      check_names_in(options, read.options, program);
      if (!taken.insert(read.label).second)
        options.at(options.find("label") ? "label" : "name")
            .fail("'" + read.label +
                  "' stands here again, and rows are told apart by it: give a 'label'");
    }
  return all;
}

bool needs_training(const OptimizerOptions& options) {
  if (const auto* pipeline = std::get_if<PipelineOptions>(&options))
    return std::ranges::any_of(pipeline->steps, needs_training);
  return !std::holds_alternative<MiproOptions>(options) &&
         !std::holds_alternative<CoproOptions>(options) &&
         !std::holds_alternative<FitOptionsOptions>(options);
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options) {
  struct Make {
    std::unique_ptr<Optimizer> operator()(const LabeledFewShotOptions& o) const {
      return std::make_unique<LabeledFewShot>(o);
    }
    std::unique_ptr<Optimizer> operator()(const KnnFewShotOptions& o) const {
      return std::make_unique<KnnFewShot>(o);
    }
    std::unique_ptr<Optimizer> operator()(const BootstrapOptions& o) const {
      return std::make_unique<BootstrapFewShot>(o);
    }
    std::unique_ptr<Optimizer> operator()(const RandomSearchOptions& o) const {
      return std::make_unique<RandomSearch>(o);
    }
    std::unique_ptr<Optimizer> operator()(const MiproOptions& o) const {
      return std::make_unique<Mipro>(o);
    }
    std::unique_ptr<Optimizer> operator()(const CoproOptions& o) const {
      return std::make_unique<Copro>(o);
    }
    std::unique_ptr<Optimizer> operator()(const GepaOptions& o) const {
      return std::make_unique<Gepa>(o);
    }
    std::unique_ptr<Optimizer> operator()(const FitOptionsOptions&) const {
      return std::make_unique<FitOptions>();
    }
    std::unique_ptr<Optimizer> operator()(const PipelineOptions& o) const {
      std::vector<std::unique_ptr<Optimizer>> steps;
      for (const auto& step : o.steps) steps.push_back(make_optimizer(step));
      return std::make_unique<Pipeline>(std::move(steps));
    }
  };
  return std::visit(Make{}, options);
}

}  // namespace theta
