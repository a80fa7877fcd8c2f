#pragma once

#include "experiments/runs/saved_prompt.hpp"

namespace theta {

// What the commands `theta persona ..` have in common.

/// How the personas of a prompt's people are made: of these, both orders of a pair are judged.
/// @throws UserError for a prompt of no people.
PersonaPrompt& personas_of(SavedPrompt& saved);

/// Whom a file of `theta persona fit` is about.   @throws UserError for another.
const Person& person_of(const SavedPrompt& saved);

/// Whether the persona is used: where it helps, or all the same.
/// @throws UserError where it is wanted and there is none.
bool uses_persona(const SavedPrompt& saved, bool anyway);

}  // namespace theta
