#include "experiments/commands/persona.hpp"

#include "core/result.hpp"

namespace theta {

PersonaPrompt& personas_of(SavedPrompt& saved) {
  if (!saved.personas)
    throw UserError(saved.file +
                    ": it does not say how personas are made: give the prompt.json of a run on "
                    "people");
  saved.personas->settings.judge.both_orders = true;
  return *saved.personas;
}

const Person& person_of(const SavedPrompt& saved) {
  if (!saved.personas || !saved.personas->person)
    throw UserError(saved.file + ": it is of no person: give a file of `theta persona fit`");
  return *saved.personas->person;
}

bool uses_persona(const SavedPrompt& saved, bool anyway) {
  const Person& person = person_of(saved);
  if (anyway && !person.knows_anything())
    throw UserError(saved.file + ": no persona was found for this person");
  return person.use || anyway;
}

}  // namespace theta
