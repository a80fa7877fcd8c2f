#pragma once

#include <string>

#include "core/type.hpp"

namespace theta {

/// The JSON schema of a type as DSPy shows it: pydantic's, each object's `type` first and its other
/// keys by name, on one line (dspy 3.4.1, adapters/utils.py _get_json_schema).
std::string json_schema(const Type& type);

}  // namespace theta
