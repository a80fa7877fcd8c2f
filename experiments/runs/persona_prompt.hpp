#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/data/users.hpp"
#include "experiments/runs/person.hpp"
#include "experiments/runs/persona_row.hpp"
#include "experiments/runs/persona_settings.hpp"

namespace theta {

/// What a saved prompt Θ says of the row that it is named for: everything beside Θ and its model that
/// the row's personas and judgements came from. `metadata.theta.personas`. Names no file: whose
/// choices are read, and sent to the model, is said where it is run.
struct PersonaPrompt {
  std::string row;  ///< `optimised Θ`
  PersonaSettings settings;
  std::vector<std::string> pool;       ///< personas that everybody's candidates include
  UsersOptions people;                 ///< how people are read from a file, or made up
  std::vector<std::string> test;       ///< ids of the row's people
  std::vector<std::string> made_with;  ///< ids of those that Θ and the pool were made with
  std::optional<Person> person = {};   ///< whom a file of `theta persona fit` is about
};

/// As JSON; read_persona_prompt() of it is `prompt`.
std::string to_json(const PersonaPrompt& prompt);
PersonaPrompt read_persona_prompt(const Config& personas);

/// The people of a file of pairs that a prompt can be scored on: those of its row, if the file holds
/// one of them; else all but those that it was made with.
/// @param file  empty: the row's own, where they are made up
/// @throws UserError if there is nobody, or no file where one is needed.
std::vector<User> people_of(const PersonaPrompt& prompt, const std::filesystem::path& file);

/// The prompt's row for these people: finds a persona for each of them and judges.
PersonaRow score_people(const PersonaPrompt& prompt, const Predict& theta,
                        std::span<const User> people, const Call& call);

}  // namespace theta
