#pragma once

#include <optional>
#include <string>

#include "core/records/store.hpp"

namespace theta {

/// Keeps the prompt that a row of the report is scored with, as prompt_json() writes it: which
/// requests were made for which item can then be told from the record and the data.
void put_row_prompt(Store& store, const std::string& method, const std::string& model,
                    const std::string& prompt);
/// Nothing where the row has none, such as a classifier, or people's personas.
std::optional<std::string> row_prompt(const Store& store, const std::string& method,
                                      const std::string& model);

}  // namespace theta
