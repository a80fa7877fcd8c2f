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
  /// Every right answer of the text outputs that have several; `fields` holds the first of them.
  Record accepted = {};
};

/// A worked example shown in a prompt.
struct Demo {
  Record fields;
  bool augmented = false;  ///< a model wrote its outputs (DSPy's word)
  bool as_is = false;      ///< of a state that DSPy wrote: its field markers are left whole
  bool operator==(const Demo&) const = default;
};

/// Every member names the same rows for the same config and seed. Ids are disjoint over the splits.
struct Dataset {
  std::vector<Example> train;
  std::vector<Example> validation;
  std::vector<Example> test;
  std::vector<std::string> remarks;  ///< what a reader of its numbers has to know, a line each
};

}  // namespace theta
