#include "modules/program_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/config.hpp"
#include "core/json_text.hpp"
#include "modules/predict.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

bool is_flat(const Module& program) {
  const auto* predict = dynamic_cast<const Predict*>(&program);
  return predict != nullptr && predict->signature().outputs.at(0).name != "reasoning";
}

/// Every field of a signature: DSPy's state knows them by their place only.
std::vector<Field*> all_fields(Signature& signature) {
  std::vector<Field*> fields;
  for (Field& field : signature.inputs) fields.push_back(&field);
  for (Field& field : signature.outputs) fields.push_back(&field);
  return fields;
}

Json to_json(Predictor predictor) {
  Json demos = Json::array();
  for (const Demo& demo : predictor.demos) {
    Json out = Json::object();
    if (demo.augmented) out["augmented"] = true;
    for (const auto& [name, value] : demo.fields) {
      std::visit([&out, &key = name](const auto& held) { out[key] = held; }, value);
    }
    demos.push_back(std::move(out));
  }
  Json fields = Json::array();
  for (const Field* field : all_fields(predictor.signature)) {
    fields.push_back({{"prefix", field->prefix}, {"description", field->description}});
  }
  return {{"traces", Json::array()},
          {"train", Json::array()},
          {"demos", std::move(demos)},
          {"signature",
           {{"instructions", predictor.signature.instructions}, {"fields", std::move(fields)}}},
          {"lm", nullptr}};
}

/// A node of a state file that knows where it stands.
struct Node {
  const Json& json;
  std::string file;
  std::string path;  ///< `predict.signature`, empty at the root

  [[noreturn]] void fail(const std::string& message) const {
    throw UserError(file + ": " + (path.empty() ? "" : path + ": ") + message);
  }
  Node child(const std::string& key) const {
    if (!json.is_object()) fail("an object is expected");
    const auto found = json.find(key);
    if (found == json.end()) fail(fmt::format("`{}` is missing", key));
    return {*found, file, path.empty() ? key : path + "." + key};
  }
  std::vector<Node> items() const {
    if (!json.is_array()) fail("a list is expected");
    std::vector<Node> out;
    for (std::size_t i = 0; i < json.size(); ++i) {
      out.push_back({json[i], file, fmt::format("{}[{}]", path, i)});
    }
    return out;
  }
  std::string text() const {
    if (!json.is_string()) fail("a text is expected");
    return json.get<std::string>();
  }
};

Value to_value(const Node& node) {
  const Json& json = node.json;
  if (json.is_string()) return json.get<std::string>();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_number()) return json.get<std::int64_t>();
  if (!json.is_array()) node.fail("a text, a number, a boolean or a list of texts is expected");
  std::vector<std::string> items;
  for (const Node& item : node.items()) items.push_back(item.text());
  return items;
}

Demo to_demo(const Node& node) {
  if (!node.json.is_object()) node.fail("an object is expected");
  Demo demo;
  for (const auto& [key, value] : node.json.items()) {
    if (value.is_null()) continue;  // DSPy takes it for not supplied
    if (key == "augmented") {
      demo.augmented = value == true;
    } else {
      demo.fields.set(key, to_value(node.child(key)));
    }
  }
  return demo;
}

/// @param as_is  its demos' field markers stay whole
Predictor restored(Predictor predictor, const Node& state, bool as_is) {
  const Node signature = state.child("signature");
  state.child("lm");
  predictor.signature =
      predictor.signature.with_instructions(signature.child("instructions").text());
  const std::vector<Node> saved = signature.child("fields").items();
  const std::vector<Field*> fields = all_fields(predictor.signature);
  if (saved.size() != fields.size()) {
    signature.fail(fmt::format("it has {} fields, the program's signature `{}` has {}",
                               saved.size(), predictor.signature.text(), fields.size()));
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    fields[i]->prefix = saved[i].child("prefix").text();
    fields[i]->description = saved[i].child("description").text();
  }
  predictor.demos.clear();
  if (state.json.contains("demos")) {
    for (const Node& demo : state.child("demos").items()) {
      predictor.demos.push_back(to_demo(demo));
      predictor.demos.back().as_is = as_is;
    }
  }
  return predictor;
}

Json parse(const std::string& text, const std::string& name) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    const auto [at, why] = json_fault(text, e);
    throw UserError(position_in(name, text, at).text() + ": " + why);
  }
}

}  // namespace

std::string dump_state(const Module& program, const std::string& theta_block_json) {
  Json state = Json::object();
  if (is_flat(program)) {
    state = to_json(*program.predictors().front());
  } else {
    for (const Predictor* predictor : program.predictors()) {
      state[predictor->name] = to_json(*predictor);
    }
  }
  state["metadata"] = {{"dependency_versions", Json::object()},
                       {"theta", Json::parse(theta_block_json)}};
  return state.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void load_state(Module& program, const std::string& json, const std::string& name) {
  const Json state = parse(json, name);
  const Node root{state, name, ""};
  const Node versions = root.child("metadata").child("dependency_versions");
  for (const auto& [key, version] : versions.json.items()) {
    constexpr std::array kKnown = {"python", "dspy", "cloudpickle"};
    if (std::ranges::find(kKnown, key) == kKnown.end()) {
      versions.fail(fmt::format("unknown key `{}`; DSPy knows python, dspy and cloudpickle", key));
    }
  }
  // What Theta saved was made of data, and is asked with as it was scored.
  const bool as_is = !state.at("metadata").contains("theta");
  const std::vector<Predictor*> predictors = program.predictors();
  const bool flat = predictors.size() == 1 && state.contains("signature");
  std::vector<Predictor> loaded;
  for (const Predictor* predictor : predictors) {
    const Node node = flat ? root : root.child(predictor->name);
    loaded.push_back(restored(*predictor, node, as_is));
  }
  for (std::size_t i = 0; i < loaded.size(); ++i) *predictors[i] = std::move(loaded[i]);
}

}  // namespace theta
