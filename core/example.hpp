#pragma once

#include <string>
#include <vector>

#include "core/value.hpp"

namespace theta {

/// One row of a data set: inputs and labels side by side; the signature says which is which.
struct Example {
  std::string id;     ///< unique in its data set; splits are checked disjoint by it
  std::string group;  ///< whoever the row belongs to (a user); intervals are clustered by it
  Record fields;
};

/// A worked example shown in a prompt. `augmented` marks one whose outputs a model wrote (DSPy's
/// word).
struct Demo {
  Record fields;
  bool augmented = false;
  bool operator==(const Demo&) const = default;
};

/// Every member names the same rows for the same config and seed. Ids are disjoint over the splits.
struct Dataset {
  std::vector<Example> train;
  std::vector<Example> validation;
  std::vector<Example> test;
};

}  // namespace theta
