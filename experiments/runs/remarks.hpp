#pragma once

#include <string>

#include "core/records/store.hpp"

namespace theta {

/// Keeps what was decided for the user, or what a number rests on, for the report: one line, once.
/// It takes the place of an earlier one that begins with `about`, unless `rest` is empty. Not
/// thread-safe.
/// @return whether it is a new one.
bool add_remark(Store& store, const std::string& about, const std::string& rest = "");

}  // namespace theta
