#include "experiments/program.hpp"

#include <nlohmann/json.hpp>

#include "experiments/data_config.hpp"

namespace theta {

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
    (void)make_adapter(adapter, listed);
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
  ProgramOptions options;
  const Config signature = program.at("signature");
  options.signature = read_signature(signature, program.text("instructions", ""), types);
  options.signature = read_descriptions(program, options.signature);
  options.adapter = program.choice("adapter", {"chat", "json", "terse"}, options.adapter);
  options.list_options = read_list_options(program, options.adapter);
  options.chain_of_thought = program.boolean("chain_of_thought", false);
  const std::string answering = program.choice("answering", {"generate", "score"}, "generate");
  options.predict.answering = answering == "score" ? Answering::kScore : Answering::kGenerate;
  const std::string calibrate =
      program.choice("calibrate", {"none", "content_free", "train"}, "none");
  options.predict.calibrate = calibrate == "content_free";
  if (calibrate == "train")
    options.calibration_examples = read_size(program, "calibration_examples", 20, 1);
  if (const auto inputs = program.find("calibrated_on"))
    for (const Config& input : inputs->items()) {
      Record record;
      for (const auto& [name, value] : input.entries()) record.set(name, value.text());
      options.calibration.push_back(std::move(record));
    }
  options.predict.grammar = program.boolean("grammar", true);
  options.predict.opening = program.text("opening", "");
  options.predict.max_tokens = read_int(program, "max_tokens", options.predict.max_tokens, 1);
  options.predict.temperature = read_temperature(program, 0);
  options.predict.top_p = read_top_p(program, 1);
  if (options.predict.answering == Answering::kScore &&
      options.signature.outputs.back().type.options().empty())
    signature.fail("answering 'score' needs a Literal or bool as the last output");
  if (calibrate != "none" && options.predict.answering != Answering::kScore)
    program.at("calibrate").fail("only scored outputs can be calibrated: set answering to 'score'");
  return options;
}

std::unique_ptr<Predict> make_program(const ProgramOptions& options) {
  const Signature& signature = options.signature;
  auto program = std::make_unique<Predict>(
      options.chain_of_thought ? chain_of_thought(signature) : signature,
      std::shared_ptr<const Adapter>(make_adapter(options.adapter, options.list_options)),
      options.predict);
  if (!options.calibration.empty()) program->calibrate_on(options.calibration);
  return program;
}

std::string program_json(const ProgramOptions& options) {
  const bool score = options.predict.answering == Answering::kScore;
  nlohmann::ordered_json out = {{"signature", options.signature.text()},
                                {"adapter", options.adapter},
                                {"options", options.list_options ? "listed" : "hidden"},
                                {"chain_of_thought", options.chain_of_thought},
                                {"answering", score ? "score" : "generate"},
                                {"calibrate", options.predict.calibrate ? "content_free" : "none"},
                                {"grammar", options.predict.grammar},
                                {"opening", options.predict.opening},
                                {"max_tokens", options.predict.max_tokens},
                                {"temperature", options.predict.temperature},
                                {"top_p", options.predict.top_p}};
  for (const Record& input : options.calibration) {
    nlohmann::ordered_json record;
    for (const auto& [name, value] : input) record[name] = to_text(value);
    out["calibrated_on"].push_back(std::move(record));
  }
  return out.dump();
}

}  // namespace theta
