#pragma once

#include <string>

#include "core/config.hpp"
#include "core/signature.hpp"

namespace theta {

/// The `types:` section of a config or a saved prompt: enums, `Mood: [good, bad]`, and records,
/// `Person: {name: str, mood: Mood | None}`, each of those above it; or JSON Schema,
/// `Person: {type: object, properties: {name: {type: string}}}`. None where the section is missing.
/// @throws UserError with the position of what cannot be read.
Types read_types(const Config& root);

/// The named types that a signature's fields are made of, as JSON that read_types() reads below
/// `types`; `{}` where there are none.
std::string types_json(const Signature& signature);

}  // namespace theta
