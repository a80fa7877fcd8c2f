#include "experiments/program.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "experiments/data/data_config.hpp"
#include "experiments/runs/made_up.hpp"
#include "experiments/runs/state_file.hpp"
#include "modules/program_state.hpp"
#include "modules/samples.hpp"

namespace theta {
namespace {

constexpr double kSampling = 0.7;  ///< the temperature of samples, if none is given

bool holds(const std::vector<Field>& fields, const std::string& name) {
  return std::ranges::find(fields, name, &Field::name) != fields.end();
}

/// Whether step `i` reads what only the data give.
bool reads_data_alone(const ProgramOptions& program, std::size_t i) {
  return std::ranges::none_of(program.steps[i].signature.inputs, [&](const Field& field) {
    return std::ranges::any_of(
        program.steps.begin(), program.steps.begin() + static_cast<std::ptrdiff_t>(i),
        [&](const StepOptions& step) { return holds(step.asked().outputs, field.name); });
  });
}

template <typename Enum, std::size_t N>
Enum read_name(const Config& section, std::string_view key,
               const std::array<std::string_view, N>& names, Enum fallback) {
  const std::string chosen = section.choice(key, {names.begin(), names.end()},
                                            names.at(static_cast<std::size_t>(fallback)));
  return static_cast<Enum>(std::ranges::find(names, chosen) - names.begin());
}

Record record_of(const Config& fields) {
  Record record;
  for (const auto& [name, value] : fields.entries()) record.set(name, value.text());
  return record;
}

/// `{weights: [..], bias: [..], rows: N}` of a saved prompt.
OptionMap read_option_map(const Config& map, const StepOptions& step) {
  OptionMap read{.rows = read_size(map, "rows", 0)};
  const auto numbers = [&](const char* key, std::vector<double>& out, std::size_t size) {
    for (const Config& number : map.at(key).items()) out.push_back(number.number());
    if (out.size() != size)
      map.at(key).fail(fmt::format("a map of {} options has {} numbers here, not {}",
                                   step.signature.outputs.back().type.options().size(), size,
                                   out.size()));
  };
  const std::size_t n = step.signature.outputs.back().type.options().size();
  numbers("weights", read.weights, n * n);
  numbers("bias", read.bias, n);
  return read;
}

void read_answering(const Config& section, StepOptions& step) {
  Format& format = step.format;
  format.answering = read_name(section, "answering", kAnsweringNames, format.answering);
  format.calibration = read_name(section, "calibrate", kCalibrationNames, format.calibration);
  if (format.calibration == Calibration::kTrain)
    step.calibration_examples = read_size(section, "calibration_examples", 20, 1);
  if (const auto inputs = section.find("calibrated_on"))
    for (const Config& input : inputs->items()) format.calibrated_on.push_back(record_of(input));
  if (const auto map = section.find("option_map")) format.option_map = read_option_map(*map, step);
  const bool scores = format.answering == Answering::kScore;
  if (scores && step.signature.outputs.back().type.options().empty())
    section.at("signature").fail("answering 'score' needs a Literal or bool as the last output");
  if (format.calibration != Calibration::kNone && !scores)
    section.at("calibrate").fail("only scored outputs can be calibrated: set answering to 'score'");
}

void read_format(const Config& section, StepOptions& step) {
  Format& format = step.format;
  format.adapter = section.choice("adapter", {"chat", "json", "terse"}, format.adapter);
  format.list_options = read_list_options(section, format.adapter);
  format.label_order = read_name(section, "label_order", kLabelOrderNames, format.label_order);
  format.instruction_place =
      read_name(section, "instruction_place", kInstructionPlaceNames, format.instruction_place);
  if (format.adapter != "terse" && format.instruction_place != InstructionPlace::kBefore)
    section.at("instruction_place")
        .fail(
            "an instruction can stand elsewhere with the terse adapter alone: DSPy's, chat and "
            "json, have it in the system's message");
  format.opening = section.text("opening", "");
  read_answering(section, step);
}

void read_samples(const Config& section, StepOptions& step) {
  step.samples = read_size(section, "samples", step.samples, 1, 1000);
  step.predict.temperature = read_temperature(section, step.samples > 1 ? kSampling : 0);
  if (step.samples == 1) return;
  if (step.predict.temperature == 0)
    section.at("temperature").fail("samples are all alike at temperature 0: set a higher one");
  if (step.format.answering == Answering::kScore && step.asked().outputs.size() == 1)
    section.at("samples").fail(
        "samples of scored options are all alike, as nothing is generated: leave 'samples' out, "
        "or set chain_of_thought or answering");
}

StepOptions read_step(const Config& section, const Types& types) {
  StepOptions step;
  const Config signature = section.at("signature");
  step.signature = read_signature(signature, section.text("instructions", ""), types);
  step.signature = read_descriptions(section, step.signature);
  step.chain_of_thought = section.boolean("chain_of_thought", false);
  read_format(section, step);
  step.predict.grammar = section.boolean("grammar", true);
  step.predict.max_tokens = read_int(section, "max_tokens", step.predict.max_tokens, 1);
  step.predict.retry_unparsable = read_int(section, "retry_unparsable", 0, 0);
  read_samples(section, step);
  step.predict.top_p = read_top_p(section, 1);
  return step;
}

/// Fields are found by their names: none is given twice, nor read before it is given.
void check_outputs(const ProgramOptions& program, const Config& section) {
  const StepOptions& last = program.steps.back();
  for (const Field& output : last.signature.outputs)
    for (const StepOptions& step : program.steps) {
      if (&step == &last) continue;
      if (holds(step.signature.inputs, output.name))
        section.at("signature")
            .fail(fmt::format("step `{}` gives `{}`, which step `{}` reads before it: let it come "
                              "first, or give the output another name",
                              last.name, output.name, step.name));
      if (holds(step.signature.outputs, output.name))
        section.at("signature")
            .fail(fmt::format("steps `{}` and `{}` both give `{}`: give one output another name",
                              step.name, last.name, output.name));
    }
}

ProgramOptions read_steps(const Config& steps, const Types& types) {
  ProgramOptions program;
  for (const Config& section : steps.items()) {
    StepOptions step = read_step(section, types);
    step.name = section.text("name", step.signature.outputs.back().name);
    step.model = section.text("model", "");
    const Config named = section.at(section.find("name") ? "name" : "signature");
    if (step.name.empty() || step.name == "metadata")
      named.fail("a step's name is not empty, nor `metadata`, under which states keep their own");
    if (std::ranges::find(program.steps, step.name, &StepOptions::name) != program.steps.end())
      named.fail(
          fmt::format("another step is named `{}`: give this one a 'name' of its own", step.name));
    program.steps.push_back(std::move(step));
    check_outputs(program, section);
    const std::size_t i = program.steps.size() - 1;
    if (program.steps[i].format.calibration == Calibration::kTrain && !reads_data_alone(program, i))
      section.at("calibrate")
          .fail(
              "a step that reads what other steps give has no training inputs: set calibrate to "
              "'content_free'");
  }
  if (program.steps.empty()) steps.fail("a program has at least one step");
  return program;
}

nlohmann::ordered_json step_json(const StepOptions& step) {
  const auto name_of = [](const auto& names, auto value) {
    return names.at(static_cast<std::size_t>(value));
  };
  const Format& format = step.format;
  nlohmann::ordered_json out;
  if (!step.name.empty()) out["name"] = step.name;
  out.update({{"signature", step.signature.text()},
              {"adapter", format.adapter},
              {"options", format.list_options ? "listed" : "hidden"},
              {"label_order", name_of(kLabelOrderNames, format.label_order)},
              {"instruction_place", name_of(kInstructionPlaceNames, format.instruction_place)},
              {"chain_of_thought", step.chain_of_thought},
              {"answering", name_of(kAnsweringNames, format.answering)},
              {"calibrate", name_of(kCalibrationNames, format.calibration)},
              {"grammar", step.predict.grammar},
              {"opening", format.opening},
              {"max_tokens", step.predict.max_tokens},
              {"retry_unparsable", step.predict.retry_unparsable},
              {"temperature", step.predict.temperature},
              {"top_p", step.predict.top_p}});
  if (step.samples > 1) out["samples"] = step.samples;
  if (!step.model.empty()) out["model"] = step.model;
  const auto texts_of = [](const Record& fields) {
    nlohmann::ordered_json record;
    for (const auto& [name, value] : fields) record[name] = to_text(value);
    return record;
  };
  for (const Record& input : format.calibrated_on) out["calibrated_on"].push_back(texts_of(input));
  if (const auto& map = format.option_map)
    out["option_map"] = {{"weights", map->weights}, {"bias", map->bias}, {"rows", map->rows}};
  return out;
}

std::unique_ptr<Module> make_step(const StepOptions& step) {
  std::unique_ptr<Module> made = make_predict(step);
  if (step.samples == 1) return made;
  return std::make_unique<Samples>(std::move(made), step.samples, majority,
                                   step.predict.temperature);
}

}  // namespace

Signature StepOptions::asked() const {
  return chain_of_thought ? theta::chain_of_thought(signature) : signature;
}

Signature ProgramOptions::data_signature() const {
  if (!has_steps()) return steps.front().signature;
  Signature rows;
  std::vector<Field> given;
  for (const StepOptions& step : steps) {
    for (const Field& field : step.signature.inputs)
      if (!holds(given, field.name) && !holds(rows.inputs, field.name))
        rows.inputs.push_back(field);
    for (const Field& field : step.signature.outputs) rows.outputs.push_back(field);
    for (const Field& field : step.asked().outputs) given.push_back(field);
  }
  return rows;
}

bool ProgramOptions::needs_training() const {
  return std::ranges::any_of(steps, [](const StepOptions& step) {
    return step.format.calibration == Calibration::kTrain;
  });
}

Signature read_signature(const Config& text, std::string instructions, const Types& types) {
  try {
    return Signature::parse(text.text(), std::move(instructions), types);
  } catch (const UserError& e) {
    text.fail(e.what());
  }
}

bool read_list_options(const Config& section, std::string_view adapter) {
  const bool listed = section.choice("options", {"listed", "hidden"}, "listed") == "listed";
  try {
    (void)make_adapter({.adapter = std::string(adapter), .list_options = listed});
  } catch (const UserError& e) {
    section.at("options").fail(e.what());
  }
  return listed;
}

Signature read_descriptions(const Config& mapping, Signature signature) {
  if (const auto described = mapping.find("descriptions"))
    for (const auto& [field, description] : described->entries()) {
      if (!signature.find(field)) description.fail("the signature has no field '" + field + "'");
      signature = signature.describe(field, description.text());
    }
  return signature;
}

ProgramOptions read_program(const Config& program, const Types& types) {
  const auto steps = program.find("steps");
  if (steps && program.find("signature"))
    steps->fail("give a program a 'signature' or 'steps', not both");
  return steps ? read_steps(*steps, types) : ProgramOptions{{read_step(program, types)}};
}

void read_start(const Config& program, ProgramOptions& options) {
  const std::string predictor = program.text("predictor", "");
  const auto load = program.find("load");
  if (!load && !predictor.empty())
    program.at("predictor").fail("it names one of a state that is loaded: give 'load' too");
  if (!load) return;
  const auto steps = program.find("steps");
  for (const Config& step : steps ? steps->items() : std::vector{program})
    if (const auto own = step.find("instructions"))
      own->fail("the state that is loaded has instructions: leave these out, or 'load'");
  try {
    const std::filesystem::path file = path_of(*load);
    ProgramOptions::Start start{read_state_file(file), file.string(), predictor, {}};
    start.known = load_state(*make_program(options), start.state, start.name, predictor).remarks;
    options.start = std::move(start);
  } catch (const UserError& e) {
    load->fail(e.what());
  }
}

std::vector<Config> step_models(const Config& program) {
  std::vector<Config> models;
  if (const auto steps = program.find("steps"))
    for (const Config& step : steps->items())
      if (const auto model = step.find("model")) models.push_back(*model);
  return models;
}

void fail_without_input(const Config& program, const ProgramOptions& options,
                        const std::string& input, const std::string& data_give) {
  if (!options.has_steps())
    program.at("signature")
        .fail(fmt::format("the program reads `{}`, and the data give {}", input, data_give));
  std::vector<std::string> given;
  for (std::size_t i = 0; i < options.steps.size(); ++i) {
    const StepOptions& step = options.steps[i];
    if (holds(step.signature.inputs, input))
      program.at("steps")
          .items()[i]
          .at("signature")
          .fail(fmt::format(
              "step `{}` reads `{}`, which neither the data nor a step before it gives; "
              "the data give {}{}",
              step.name, input, data_give,
              given.empty() ? "" : fmt::format(", the steps `{}`", fmt::join(given, "`, `"))));
    for (const Field& field : step.asked().outputs) given.push_back(field.name);
  }
  throw std::logic_error("broken invariant: an input is read by a step");
}

std::unique_ptr<Predict> make_predict(const StepOptions& step) {
  return std::make_unique<Predict>(step.asked(), step.format, step.predict);
}

ProgramOptions uncalibrated(ProgramOptions options) {
  for (StepOptions& step : options.steps)
    if (step.format.calibration == Calibration::kTrain)
      step.format.calibration = Calibration::kNone;
  return options;
}

ProgramOptions as_compiled(ProgramOptions options, const Module& program) {
  const auto predictors = program.predictors();
  require(predictors.size() == options.steps.size(), "a step has a predictor");
  options.start.reset();
  for (std::size_t i = 0; i < predictors.size(); ++i) {
    StepOptions& step = options.steps[i];
    if (predictors[i]->format) step.format = *predictors[i]->format;
    step.signature.outputs.back().type = predictors[i]->signature.outputs.back().type;
    const bool reasoning = reasons(predictors[i]->signature);
    if (!reasoning) step.signature = without_reasoning(step.signature);
    step.chain_of_thought = reasoning && !reasons(step.signature);
  }
  return options;
}

namespace {

std::unique_ptr<Module> make_untouched(const ProgramOptions& options, const ProgramUse& use) {
  if (!options.has_steps()) return make_step(options.steps.front());
  auto program = std::make_unique<Program>();
  for (const StepOptions& step : options.steps) {
    auto made = make_step(step);
    if (use.made_up && &step != &options.steps.back())
      made = std::make_unique<MadeUpOutputs>(std::move(made));
    const StepId id = program->add(std::move(made), step.name);
    if (use.model && !step.model.empty()) program->set_model(id, use.model(step.model));
  }
  return program;
}

}  // namespace

std::unique_ptr<Module> make_program(const ProgramOptions& options, const ProgramUse& use) {
  auto program = make_untouched(options, use);
  if (const auto& start = options.start)
    load_state(*program, start->state, start->name, start->predictor);
  return program;
}

std::string program_json(const ProgramOptions& options) {
  if (!options.has_steps()) return step_json(options.steps.front()).dump();
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (const StepOptions& step : options.steps) steps.push_back(step_json(step));
  return nlohmann::ordered_json{{"steps", std::move(steps)}}.dump();
}

}  // namespace theta
