#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "modules/predict.hpp"
#include "modules/program_state.hpp"
#include "tests/support/places.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// States that DSPy saved, made by scripts/golden_dspy_states.py, with what it sends of each.
Json states() {
  std::ifstream file(source_dir() + "/tests/golden/dspy_states.json");
  return Json::parse(file);
}

std::string shown(const Json& messages) {
  std::string out;
  for (const Json& message : messages)
    out += "<" + message.at("role").get<std::string>() + ">\n" +
           message.at("content").get<std::string>() + "\n";
  return out;
}

std::string shown(const Messages& messages) {
  std::string out;
  for (const Message& message : messages)
    out += "<" + message.role + ">\n" + message.content + "\n";
  return out;
}

TEST(DspyState, OfEveryShapeLoadsAndIsSentAsDspySendsIt) {
  const auto adapter = make_chat_adapter();
  for (const Json& row : states()) {
    SCOPED_TRACE(row.at("name").get<std::string>());
    const Signature signature = Signature::parse(row.at("signature").get<std::string>());
    Predict program{
        row.at("chain_of_thought").get<bool>() ? chain_of_thought(signature) : signature};
    load_state(program, row.at("state").dump(), "state.json",
               row.at("predictor").get<std::string>());
    Record inputs;
    for (const auto& [name, value] : row.at("inputs").items()) inputs.set(name, value_of(value));
    const Predictor& predictor = *program.predictors()[0];
    EXPECT_EQ(shown(adapter->format(predictor.signature, predictor.demos, inputs)),
              shown(row.at("messages")));
  }
}

}  // namespace
}  // namespace theta
