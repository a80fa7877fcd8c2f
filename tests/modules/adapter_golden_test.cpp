#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "modules/adapter.hpp"
#include "tests/support/named_types.hpp"
#include "tests/support/places.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

Json cases() {
  std::ifstream file(source_dir() + "/tests/golden/dspy_messages.json");
  return Json::parse(file);
}

Record record_of(const Json& json) {
  Record record;
  for (const auto& [name, value] : json.items()) {
    if (name != "augmented") record.set(name, value_of(value));
  }
  return record;
}

Signature signature_of(const Json& json) {
  Signature signature =
      Signature::parse(json.at("signature").get<std::string>(), json.value("instructions", ""),
                       named_types(json.value("types", Json::object())));
  if (json.contains("descriptions")) {
    for (const auto& [name, text] : json.at("descriptions").items()) {
      signature = signature.describe(name, text.get<std::string>());
    }
  }
  return json.contains("chain_of_thought") ? chain_of_thought(signature) : signature;
}

std::string shown(const Messages& messages) {
  std::string out;
  for (const Message& message : messages)
    out += "<" + message.role + ">\n" + message.content + "\n";
  return out;
}

void expect_dspys_messages(const Adapter& adapter, const std::string& dspys_name) {
  for (const Json& json : cases()) {
    std::vector<Demo> demos;
    for (const Json& demo : json.value("demos", Json::array())) {
      demos.push_back({record_of(demo), demo.contains("augmented")});
    }
    Messages expected;
    for (const Json& message : json.at("messages").at(dspys_name)) {
      expected.push_back({message.at("role"), message.at("content")});
    }
    EXPECT_EQ(shown(adapter.format(signature_of(json), demos, record_of(json.at("inputs")))),
              shown(expected))
        << json.at("name");
  }
}

TEST(ChatAdapterGolden, WritesDspysMessagesToTheByte) {
  expect_dspys_messages(*make_chat_adapter(), "ChatAdapter");
}

TEST(JsonAdapterGolden, WritesDspysMessagesToTheByte) {
  expect_dspys_messages(*make_json_adapter(), "JSONAdapter");
}

}  // namespace
}  // namespace theta
