#include "experiments/runs/persona_settings.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/rng.hpp"
#include "experiments/data/data_config.hpp"
#include "experiments/program.hpp"
#include "experiments/runs/made_up.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// A value of an enum and its word in a config. The first is the usual one.
template <typename T>
using Words = std::vector<std::pair<T, std::string>>;

const Words<Judging> kJudgings = {{Judging::kContrast, "contrast"},
                                  {Judging::kScored, "scored"},
                                  {Judging::kGenerated, "generated"}};
const Words<PersonaPlace> kPlaces = {{PersonaPlace::kBehindPair, "behind_pair"},
                                     {PersonaPlace::kInstruction, "instruction"}};
const Words<HistoryStyle> kStyles = {{HistoryStyle::kBrief, "brief"},
                                     {HistoryStyle::kChosen, "chosen"},
                                     {HistoryStyle::kPublished, "published"}};

template <typename T>
T read_word(const Config& mapping, const char* key, const Words<T>& words) {
  std::vector<std::string> known;
  for (const auto& [value, word] : words) known.push_back(word);
  const std::string said = mapping.choice(key, known, known[0]);
  return std::ranges::find(words, said, &std::pair<T, std::string>::second)->first;
}

template <typename T>
const std::string& word_of(T value, const Words<T>& words) {
  return std::ranges::find(words, value, &std::pair<T, std::string>::first)->second;
}

void read_judge(const Config& judge, PersonaSettings& settings) {
  JudgeOptions& options = settings.judge;
  settings.judge_adapter = judge.choice("adapter", {"chat", "json", "terse"}, "terse");
  settings.judge_lists_options = read_list_options(judge, settings.judge_adapter);
  options.signature = default_judge_signature();
  if (const auto text = judge.find("signature")) {
    options.signature = read_signature(*text, judge.text("instructions", ""));
  } else if (const auto instructions = judge.find("instructions")) {
    options.signature = options.signature.with_instructions(instructions->text());
  }
  options.signature = read_descriptions(judge, options.signature);
  options.persona_instructions = judge.text("persona_instructions", "");
  options.judging = read_word(judge, "judging", kJudgings);
  options.place = read_word(judge, "persona", kPlaces);
  options.reasoning = judge.boolean("reasoning", false);
  options.both_orders = judge.choice("orders", {"one", "both"}, "one") == "both";
  options.max_tokens = read_int(judge, "max_tokens", options.max_tokens, 1);
  if (const auto demos = judge.find("demos")) settings.judge_demos = read_demos(*demos);
  try {
    (void)settings.make_judge();
  } catch (const UserError& e) {
    judge.fail(e.what());
  }
}

Json judge_json(const PersonaSettings& settings) {
  const JudgeOptions& options = settings.judge;
  Json out = {{"signature", options.signature.text()},
              {"instructions", options.signature.instructions},
              {"persona_instructions", options.persona_instructions},
              {"adapter", settings.judge_adapter},
              {"options", settings.judge_lists_options ? "listed" : "hidden"},
              {"judging", word_of(options.judging, kJudgings)},
              {"persona", word_of(options.place, kPlaces)},
              {"orders", options.both_orders ? "both" : "one"},
              {"reasoning", options.reasoning},
              {"max_tokens", options.max_tokens}};
  for (const auto* fields : {&options.signature.inputs, &options.signature.outputs})
    for (const Field& field : *fields)
      if (field.description != make_field(field.name).description)
        out["descriptions"][field.name] = field.description;
  if (!settings.judge_demos.empty()) out["demos"] = demos_json(settings.judge_demos);
  return out;
}

/// `reasoning:` of a Θ; by default that of a judge that reasons is shown in the published history.
bool read_reasoning(const Config& theta, const JudgeOptions& judge) {
  const std::string history = theta.text("history", "brief");
  const bool reasoning = theta.boolean("reasoning", judge.reasoning && history == "published");
  if (reasoning && history == "chosen")
    theta.at("reasoning").fail("the history `chosen` shows no reasoning: take brief or published");
  return reasoning;
}

void read_frozen(const Config& personas, SynthesizeMeOptions& module) {
  const auto frozen = personas.find("frozen");
  if (!frozen) return;
  module.tune_theta = module.tune_judge = true;
  for (const Config& one : frozen->items()) {
    if (one.text() == "theta")
      module.tune_theta = false;
    else if (one.text() == "judge")
      module.tune_judge = false;
    else
      one.fail("'" + one.text() + "' is no part of it to freeze; there are theta and judge");
  }
  if (!module.tune_theta && !module.tune_judge)
    frozen->fail("nothing is left to tune: take 'theta' or 'judge' out");
}

}  // namespace

std::vector<Demo> read_demos(const Config& demos) {
  std::vector<Demo> read;
  for (const Config& demo : demos.items()) {
    Demo& one = read.emplace_back();
    for (const auto& [field, text] : demo.entries()) one.fields.set(field, text.text());
  }
  return read;
}

Json demos_json(std::span<const Demo> demos) {
  Json out = Json::array();
  for (const Demo& demo : demos) {
    Json& fields = out.emplace_back(Json::object());
    for (const auto& [name, value] : demo.fields) fields[name] = to_text(value);
  }
  return out;
}

Judge PersonaSettings::make_judge() const {
  auto adapter = make_adapter({.adapter = judge_adapter, .list_options = judge_lists_options});
  if (made_up) adapter = make_lenient_adapter(std::move(adapter), judge.max_tokens);
  Judge made(judge, std::move(adapter));
  made.predictor().demos = judge_demos;
  return made;
}

void PersonaSettings::adopt(const Judge& tuned) {
  const Predictor& predictor = tuned.predictor();
  (judge.persona_instructions.empty() ? judge.signature.instructions : judge.persona_instructions) =
      predictor.signature.instructions;
  judge_demos = predictor.demos;
}

SynthesizeMe PersonaSettings::make_module(Predict theta, std::vector<std::string> pool,
                                          std::shared_ptr<const People> people) const {
  SynthesizeMeOptions options = module;
  options.pool = std::move(pool);
  return {std::move(theta), make_judge(), std::move(options), std::move(people)};
}

PersonaSettings read_persona_settings(const Config& personas, std::uint64_t seed) {
  PersonaSettings settings;
  settings.seed = seed;
  read_judge(personas.at("judge"), settings);
  const Config theta = personas.at("theta");
  SynthesizeMeOptions& module = settings.module;
  module.writing = {.samples = read_int(theta, "samples", 4, 1),
                    .temperature = read_temperature(theta, 1),
                    .max_words = read_size(theta, "max_words", 0),
                    .style = read_word(theta, "history", kStyles),
                    .reasoning = read_reasoning(theta, settings.judge),
                    .seed = derive_seed(seed, "personas")};
  module.max_copied = read_size(theta, "max_copied", module.max_copied);
  module.verify = theta.boolean("verify", module.verify);
  read_frozen(personas, module);
  const bool contrast = settings.judge.judging == Judging::kContrast;
  if (!contrast) module.contrasts = {0};
  if (const auto contrasts = personas.find("contrasts")) {
    if (!contrast)
      contrasts->fail(
          "`contrasts` weigh the judge without persona, which is only asked where `judging` is "
          "'contrast'");
    module.contrasts.clear();
    for (const Config& one : contrasts->items()) module.contrasts.push_back(one.number());
    if (module.contrasts.empty()) contrasts->fail("at least one contrast is needed");
  }
  return settings;
}

nlohmann::ordered_json to_json(const PersonaSettings& settings) {
  const SynthesizeMeOptions& module = settings.module;
  Json out = {{"judge", judge_json(settings)},
              {"theta",
               {{"samples", module.writing.samples},
                {"temperature", module.writing.temperature},
                {"history", word_of(module.writing.style, kStyles)},
                {"reasoning", module.writing.reasoning},
                {"max_words", module.writing.max_words},
                {"max_copied", module.max_copied},
                {"verify", module.verify}}}};
  if (settings.judge.judging == Judging::kContrast) out["contrasts"] = module.contrasts;
  return out;
}

}  // namespace theta
