#include "modules/program_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/ascii.hpp"
#include "core/config.hpp"
#include "core/json_text.hpp"
#include "core/json_value.hpp"
#include "core/python_literal.hpp"
#include "modules/module.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMetadata = "metadata";

/// Every field of a signature: DSPy's state knows them by their place only.
std::vector<Field*> all_fields(Signature& signature) {
  std::vector<Field*> fields;
  for (Field& field : signature.inputs) fields.push_back(&field);
  for (Field& field : signature.outputs) fields.push_back(&field);
  return fields;
}

Json to_json(std::span<const Demo> demos) {
  Json all = Json::array();
  for (const Demo& demo : demos) {
    Json out = Json::object();
    if (demo.augmented) out["augmented"] = true;
    for (const auto& [name, value] : demo.fields) {
      out[name] = json_of(value);
    }
    all.push_back(std::move(out));
  }
  return all;
}

Json to_json(Predictor predictor) {
  Json fields = Json::array();
  for (const Field* field : all_fields(predictor.signature)) {
    fields.push_back({{"prefix", field->prefix}, {"description", field->description}});
  }
  Json state = {
      {"traces", Json::array()},
      {"train", Json::array()},
      {"demos", to_json(predictor.demos)},
      {"signature",
       {{"instructions", predictor.signature.instructions}, {"fields", std::move(fields)}}},
      {"lm", nullptr}};
  // DSPy keeps what it does not know, and shows none of it.
  if (predictor.nearest)
    state["nearest"] = {{"k", predictor.nearest->k()},
                        {"demos", to_json(predictor.nearest->pool())}};
  return state;
}

/// Names in backticks, as many as a line of a message holds.
std::string quoted_list(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 120;
  std::string out;
  std::size_t listed = 0;
  for (; listed < names.size() && (listed == 0 || out.size() + names[listed].size() < kMost);
       ++listed)
    out += (listed == 0 ? "`" : ", `") + names[listed] + "`";
  return listed < names.size() ? out + fmt::format(" and {} more", names.size() - listed) : out;
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

/// What DSPy and its predecessors write for a part of a prompt that is no text: an image, a sound, a
/// file. @return its name in a message, empty for a text.
std::string_view part_that_is_no_text(const std::string& text) {
  for (const auto mark :
       {"<<CUSTOM-TYPE-START-IDENTIFIER>>", "<DSPY_IMAGE_START>", "<DSPY_AUDIO_START>"})
    if (text.find(mark) != std::string::npos) return "a part that is no text, marked by DSPy";
  constexpr std::size_t kLongestType = 100;
  const bool data = text.starts_with("data:") &&
                    text.substr(0, kLongestType).find(";base64,") != std::string::npos;
  return data ? "a file in base64" : "";
}

/// Refuses what would go out as the text of its base64.
void check_texts(const Node& node) {
  if (node.json.is_string()) {
    const std::string_view what = part_that_is_no_text(node.text());
    if (!what.empty())
      node.fail(fmt::format("it holds {}, and only texts are sent: take the demo out", what));
  } else if (node.json.is_array()) {
    for (const Node& item : node.items()) check_texts(item);
  } else if (node.json.is_object()) {
    for (const auto& [key, value] : node.json.items()) check_texts(node.child(key));
  }
}

/// @param unshown  gets the names of what no field shows
Demo to_demo(const Node& node, const Signature& signature, std::set<std::string>& unshown) {
  if (!node.json.is_object()) node.fail("an object is expected");
  Demo demo;
  for (const auto& [key, value] : node.json.items()) {
    if (key == "augmented") {
      demo.augmented = value == true;
      continue;
    }
    const Field* field = signature.find(key);
    if (field == nullptr)
      unshown.insert(key);
    else
      check_texts(node.child(key));
    const bool listed = field != nullptr && field->type.kind == Type::Kind::kStr &&
                        value.is_array() && !value.empty();
    demo.fields.set(key, listed ? Value(python_texts(value)) : value_of(value));
  }
  return demo;
}

NearestDemos to_nearest(const Node& node, const Signature& signature,
                        std::set<std::string>& unshown) {
  const Node k = node.child("k");
  if (!k.json.is_number_unsigned() || k.json == 0) k.fail("a number of demos is expected");
  std::vector<Demo> pool;
  for (const Node& demo : node.child("demos").items()) {
    pool.push_back(to_demo(demo, signature, unshown));
    for (const Field& input : signature.inputs)
      if (!pool.back().fields.find(input.name))
        demo.fail(fmt::format("`{}` is missing, by which inputs pick their demos", input.name));
  }
  return {std::move(pool), signature, k.json.get<std::size_t>()};
}

/// The names of a saved signature's fields, told as in named_field(); `?` where both are worded.
std::vector<std::string> saved_names(const Node& signature) {
  std::vector<std::string> names;
  for (const Node& field : signature.child("fields").items()) {
    const std::string description = field.child("description").text();
    std::string prefix = field.child("prefix").text();
    if (prefix.ends_with(':')) prefix.pop_back();
    std::string name = ascii::lower(prefix);
    std::ranges::replace(name, ' ', '_');
    if (description.starts_with("${") && description.ends_with('}'))
      name = description.substr(2, description.size() - 3);
    else if (make_field(name).prefix != prefix + ":")
      name = "?";
    names.push_back(std::move(name));
  }
  return names;
}

/// Says of a saved signature that it has other fields than the program's.
[[noreturn]] void fail_at_fields(const Node& signature, const std::string& text) {
  const std::vector<std::string> names = saved_names(signature);
  const bool reasons =
      std::ranges::find(names, "reasoning") != names.end() && text.find("reasoning") == text.npos;
  signature.fail(fmt::format("its fields are {}, and the program's signature is `{}`{}",
                             quoted_list(names), text,
                             reasons ? ": set program.chain_of_thought=true" : ""));
}

/// The field that a saved one is of, told by its default description, `${name}`, or by its prefix;
/// nullptr where the user has worded both.
/// @throws UserError where it names one that the program, whose signature is `text`, does not have
const Field* named_field(const Node& signature, const Node& saved, const Field& in_its_place,
                         const std::vector<Field*>& fields, const std::string& text) {
  const std::string prefix = saved.child("prefix").text();
  const std::string description = saved.child("description").text();
  for (const Field* field : fields)
    if (description == make_field(field->name).description) return field;
  if (description.starts_with("${") && description.ends_with('}')) fail_at_fields(signature, text);
  if (prefix == make_field(in_its_place.name).prefix) return &in_its_place;
  for (const Field* field : fields)
    if (prefix == make_field(field->name).prefix) return field;
  return nullptr;
}

/// Gives every field its prefix and description. DSPy keeps them in the order of the fields, without
/// their names: where the order is another one, what names itself goes to its own field.
void restore_fields(const Node& signature, const std::string& text,
                    const std::vector<Field*>& fields, LoadedState& loaded) {
  const std::vector<Node> saved = signature.child("fields").items();
  if (saved.size() != fields.size()) fail_at_fields(signature, text);
  std::vector<const Field*> named;
  for (std::size_t i = 0; i < saved.size(); ++i)
    named.push_back(named_field(signature, saved[i], *fields[i], fields, text));
  const auto in_place = [&](std::size_t i) { return !named[i] || named[i] == fields[i]; };
  std::vector<Field*> order = fields;
  for (std::size_t i = 0; i < saved.size(); ++i) {
    if (in_place(i)) continue;
    const std::set<const Field*> all(named.begin(), named.end());
    if (all.size() < fields.size() || all.contains(nullptr))
      saved[i].fail(fmt::format(
          "it is the field `{}`, where the program's signature has `{}`: give the signature in the "
          "order of the file",
          named[i]->name, fields[i]->name));
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = *std::ranges::find(fields, named[k]);
    loaded.remarks.push_back(
        fmt::format("{}: the fields stand in another order than in `{}`: each is read by its name",
                    signature.file, text));
    break;
  }
  for (std::size_t i = 0; i < saved.size(); ++i) {
    order[i]->prefix = saved[i].child("prefix").text();
    order[i]->description = saved[i].child("description").text();
  }
}

/// The name by which a server knows a model, without the provider that DSPy puts before it.
std::string without_provider(const std::string& model) {
  constexpr std::array kProviders = {
      "openai", "azure",       "azure_ai",   "anthropic",   "ollama",   "ollama_chat",
      "groq",   "hosted_vllm", "openrouter", "together_ai", "deepseek", "text-completion-openai"};
  const std::size_t slash = model.find('/');
  const bool known = std::ranges::find(kProviders, model.substr(0, slash)) != kProviders.end();
  return known && slash != model.npos ? model.substr(slash + 1) : model;
}

/// What the `lm` of a predictor says of the model and of sampling goes to the last of `loaded`; of
/// the rest, what is not done is remarked.
void read_lm(const Node& state, LoadedState& loaded) {
  SavedSampling& sampling = loaded.sampling.emplace_back();
  // How DSPy calls a model, which changes no answer.
  constexpr std::array kOfTheCaller = {"_dspy_lm_class",  "cache",         "num_retries",
                                       "callbacks",       "launch_kwargs", "train_kwargs",
                                       "finetuning_model"};
  if (!state.json.contains("lm") || state.json["lm"].is_null()) return;
  const Node lm = state.child("lm");
  if (!lm.json.is_object()) lm.fail("an object or null is expected");
  std::vector<std::string> unused;
  for (const auto& [key, value] : lm.json.items()) {
    if (value.is_null() || std::ranges::find(kOfTheCaller, key) != kOfTheCaller.end()) continue;
    if (key == "model_type" && value == "chat") continue;
    if (key == "model" && value.is_string()) {
      loaded.model = without_provider(value.get<std::string>());
      continue;
    }
    const bool number = value.is_number();
    if (key == "temperature" && number && value >= 0) {
      sampling.temperature = value.get<double>();
    } else if (key == "top_p" && number && value > 0 && value <= 1) {
      sampling.top_p = value.get<double>();
    } else if ((key == "max_tokens" || key == "max_completion_tokens") &&
               value.is_number_unsigned() && value > 0 &&
               value <= std::numeric_limits<int>::max()) {
      sampling.max_tokens = value.get<int>();
    } else {
      unused.push_back(key);
    }
  }
  if (!unused.empty())
    loaded.remarks.push_back(
        fmt::format("{}: {}: not used: `{}`", lm.file, lm.path, fmt::join(unused, "`, `")));
}

/// The instructions and fields that a predictor is asked with. What DSPy up to 2.5 optimised stands
/// in `extended_signature` for its chain of thought; up to 2.5.2 in keys of its own, which hold
/// the prefix of the last field alone.
void restore_signature(Predictor& predictor, const Node& state, LoadedState& loaded) {
  const auto has = [&](const char* key) { return state.json.contains(key); };
  const bool extended = has("extended_signature") || has("extended_signature_instructions");
  const std::string which = extended ? "extended_signature" : "signature";
  if (extended) {
    if (predictor.signature.outputs.size() < 2)
      state.fail(
          "`extended_signature` is DSPy 2.5's chain of thought, which the program does not have: "
          "set program.chain_of_thought=true");
    loaded.remarks.push_back(fmt::format(
        "{}: `extended_signature`, as DSPy 2.5 asks, is used in place of `signature`", state.file));
  }
  const std::string text = predictor.signature.text();
  if (has(which.c_str())) {
    const Node signature = state.child(which);
    predictor.signature =
        predictor.signature.with_instructions(signature.child("instructions").text());
    restore_fields(signature, text, all_fields(predictor.signature), loaded);
  } else if (has((which + "_instructions").c_str())) {
    predictor.signature =
        predictor.signature.with_instructions(state.child(which + "_instructions").text());
    if (has((which + "_prefix").c_str()))
      predictor.signature.outputs.back().prefix = state.child(which + "_prefix").text();
  } else {
    state.child("signature");
  }
}

/// @param as_is  its demos' field markers stay whole
Predictor restored(Predictor predictor, const Node& state, bool as_is, LoadedState& loaded) {
  restore_signature(predictor, state, loaded);
  read_lm(state, loaded);
  if (state.json.contains("fields") && !state.json["fields"].empty())
    state.fail("`fields`: DSPy's criteria of decisions are not read: take them out");
  std::set<std::string> unshown;
  predictor.demos.clear();
  if (state.json.contains("demos")) {
    for (const Node& demo : state.child("demos").items()) {
      predictor.demos.push_back(to_demo(demo, predictor.signature, unshown));
      predictor.demos.back().as_is = as_is;
    }
  }
  predictor.nearest.reset();
  if (state.json.contains("nearest"))
    predictor.nearest = to_nearest(state.child("nearest"), predictor.signature, unshown);
  if (!unshown.empty())
    loaded.remarks.push_back(fmt::format("{}: demos hold `{}`, which no field shows", state.file,
                                         fmt::join(unshown, "`, `")));
  constexpr std::array kRead = {"traces",
                                "train",
                                "demos",
                                "nearest",
                                "lm",
                                "fields",
                                "metadata",
                                "signature",
                                "extended_signature",
                                "signature_instructions",
                                "signature_prefix",
                                "extended_signature_instructions",
                                "extended_signature_prefix"};
  for (const auto& [key, value] : state.json.items())
    if (std::ranges::find(kRead, key) == kRead.end() && !value.empty())
      loaded.remarks.push_back(fmt::format("{}: `{}` is not used", state.file,
                                           state.path.empty() ? key : state.path + "." + key));
  return predictor;
}

bool is_predictor(const Json& state) {
  return state.is_object() &&
         (state.contains("signature") || state.contains("signature_instructions"));
}

/// `there are `a`, `b``, the keys of an object.
std::string key_names(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys.empty() ? "it is empty" : "there are " + quoted_list(keys);
}

/// Where the state of a predictor stands. DSPy names it by its place in the program's Python: the
/// only one of a file is that of a program with one.
/// @param chosen  of a program with one: the key in a file with several
Node state_of(const Predictor& predictor, bool only, const std::string& chosen, const Node& root) {
  if (only && is_predictor(root.json)) return root;
  std::vector<std::string> names;
  if (root.json.is_object())
    for (const auto& [key, value] : root.json.items())
      if (is_predictor(value)) names.push_back(key);
  if (!only) {
    if (!root.json.contains(predictor.name) && !names.empty())
      root.fail(
          fmt::format("it has no predictor `{}`; it has {}", predictor.name, quoted_list(names)));
    return root.child(predictor.name);
  }
  if (names.empty())
    root.fail(fmt::format("it holds no predictor, an object with `signature` and `demos`: {}",
                          key_names(root.json)));
  const bool unknown = !chosen.empty() && std::ranges::find(names, chosen) == names.end();
  if (unknown || (chosen.empty() && names.size() > 1))
    root.fail(
        fmt::format("it has the predictors {}, {}: choose one with --set program.predictor={}, or "
                    "give each its step in program.steps",
                    quoted_list(names), unknown ? "and none `" + chosen + "`" : "and one is run",
                    names.empty() ? "KEY" : names[0]));
  return root.child(chosen.empty() ? names[0] : chosen);
}

Json parse(const std::string& text, const std::string& name) {
  try {
    return parse_json(text);
  } catch (const Json::exception& e) {
    const auto [at, why] = json_fault(text, e);
    throw UserError(position_in(name, text, at).text() + ": " + why);
  }
}

}  // namespace

void check_names(const Module& program) {
  std::set<std::string> names{kMetadata};
  for (const Predictor* predictor : program.predictors()) {
    if (names.insert(predictor->name).second) continue;
    if (predictor->name == kMetadata)
      throw UserError("a predictor is not named `metadata`: a saved state keeps its own under it");
    throw UserError(
        fmt::format("two predictors of the program are named `{}`, and a saved state tells them "
                    "apart by their names: give each its own",
                    predictor->name));
  }
}

std::string dump_state(const Module& program, const std::string& theta_block_json) {
  Json state = Json::object();
  check_names(program);
  if (program.is_bare()) {
    state = to_json(*program.predictors().front());
  } else {
    for (const Predictor* predictor : program.predictors()) {
      state[predictor->name] = to_json(*predictor);
    }
  }
  state["metadata"] = {{"dependency_versions", Json::object()},
                       {"theta", Json::parse(theta_block_json)}};
  return write_json(state, JsonStyle::kIndented) + "\n";
}

LoadedState load_state(Module& program, const std::string& json, const std::string& name,
                       const std::string& chosen) {
  const Json state = parse(json, name);
  const Node root{state, name, ""};
  if (!state.is_object()) root.fail("an object is expected");
  // What Theta saved was made of data, and is asked with as it was scored.
  const bool as_is = !state.contains("metadata") || !state["metadata"].contains("theta");
  check_names(program);
  const std::vector<Predictor*> predictors = program.predictors();
  LoadedState loaded;
  std::vector<Predictor> restored_ones;
  for (const Predictor* predictor : predictors) {
    const Node node = state_of(*predictor, predictors.size() == 1, chosen, root);
    restored_ones.push_back(restored(*predictor, node, as_is, loaded));
  }
  if (!is_predictor(state))
    for (const auto& [key, value] : state.items())
      if (key != "metadata" && !(predictors.size() == 1 && is_predictor(value)) &&
          std::ranges::find(predictors, key, &Predictor::name) == predictors.end())
        loaded.remarks.push_back(fmt::format("{}: `{}` is not used", name, key));
  for (std::size_t i = 0; i < predictors.size(); ++i) *predictors[i] = std::move(restored_ones[i]);
  return loaded;
}

}  // namespace theta
