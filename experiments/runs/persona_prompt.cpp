#include "experiments/runs/persona_prompt.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "experiments/data/data_config.hpp"

namespace theta {

std::string to_json(const PersonaPrompt& prompt) {
  nlohmann::ordered_json out = to_json(prompt.settings);
  out["row"] = prompt.row;
  out["seed"] = prompt.settings.seed;
  out["pool"] = prompt.pool;
  out["people"] = people_json(prompt.people);
  out["test"] = prompt.test;
  out["made_with"] = prompt.made_with;
  if (prompt.person) out["person"] = to_json(*prompt.person);
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

PersonaPrompt read_persona_prompt(const Config& personas) {
  PersonaPrompt prompt{.row = personas.text("row"),
                       .settings = read_persona_settings(personas, read_seed(personas)),
                       .pool = personas.texts("pool"),
                       .people = read_people(personas.at("people")),
                       .test = personas.texts("test"),
                       .made_with = personas.texts("made_with")};
  if (const auto person = personas.find("person")) prompt.person = read_person(*person);
  personas.finish();
  return prompt;
}

std::vector<User> people_of(const PersonaPrompt& prompt, const std::filesystem::path& file) {
  if (file.empty()) {
    if (std::holds_alternative<PairsOptions>(prompt.people))
      throw UserError("this prompt is of people: give a file of their pairs");
    return load_users(prompt.people).test;
  }
  const auto* read_as = std::get_if<PairsOptions>(&prompt.people);
  PairsOptions options = read_as ? *read_as : PairsOptions{};
  options.file = file;
  std::vector<User> people = load_users(options).test;
  const auto is_one_of = [](const std::vector<std::string>& ids) {
    return [&ids](const User& user) { return std::ranges::find(ids, user.id) != ids.end(); };
  };
  const std::size_t all = people.size();
  const bool of_row = std::ranges::any_of(people, is_one_of(prompt.test));
  if (of_row)
    std::erase_if(people, std::not_fn(is_one_of(prompt.test)));
  else
    std::erase_if(people, is_one_of(prompt.made_with));
  if (people.size() < all)
    spdlog::warn("{}: {} of {} people are left out: the prompt {}", file.string(),
                 all - people.size(), all, of_row ? "has a row of others" : "was made with them");
  if (people.empty()) throw UserError(file.string() + ": there is nobody to score the prompt on");
  return people;
}

PersonaRow score_people(const PersonaPrompt& prompt, const Predict& theta,
                        std::span<const User> people, const Call& call) {
  const SynthesizeMe module = prompt.settings.make_module(theta, prompt.pool, people_by_id(people));
  PersonaRow row{.name = prompt.row,
                 .model = "prompt",
                 .judge = std::make_shared<const Judge>(module.judge())};
  row.add_personas(module, people, call);
  judge_rows(people, std::span(&row, 1), call);
  return row;
}

}  // namespace theta
