#pragma once

#include <cstddef>
#include <string>

#include "core/signature.hpp"
#include "core/type.hpp"

namespace theta {

/// The JSON schema of a type as DSPy shows it: pydantic's, each object's `type` first and its other
/// keys by name, on one line (dspy 3.4.1, adapters/utils.py _get_json_schema).
std::string json_schema(const Type& type);

/// The JSON schema of an object that holds the first `count` outputs and nothing else, in their
/// order, as structured outputs want it: `strict` by OpenAI's rules, by which every member is
/// required and every object closed. Empty where these cannot say it: a dict or Any among them.
std::string answer_schema(const Signature& signature, std::size_t count);

}  // namespace theta
