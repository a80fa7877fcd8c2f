#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/records/store.hpp"
#include "experiments/report/report.hpp"

namespace theta {

/// Those of a row.
std::vector<Outcome> outcomes_of(const std::vector<Outcome>& all, const std::string& method,
                                 const std::string& model);
/// Whom an outcome is clustered by: an item that belongs to no user stands for itself.
const std::string& cluster_of(const Outcome& outcome);
/// What outcomes are clustered by: `by users`, or `by items` where none belongs to a user.
const char* clustering(const std::vector<Outcome>& outcomes);
std::size_t distinct_of(const std::vector<std::string>& clusters);

/// The mean difference of two rows' scores over the judgements that both have, with what a paired
/// t (jackknife over clusters) says of it. Names are the caller's to fill in.
/// @return none if there is no judgement that both have.
std::optional<Report::Paired> compare(const std::vector<Outcome>& outcomes,
                                      const std::vector<Outcome>& against);

/// An item that one row scores higher than another: the mean of its variants that both have.
struct TurnedItem {
  std::string item, group;
  double score = 0, against = 0;
};
/// Those of two rows, in the order of the first.
std::vector<TurnedItem> turned_items(const std::vector<Outcome>& outcomes,
                                     const std::vector<Outcome>& against);
/// How many are better and worse, and the first of them, for a terminal.
std::string turned_text(const std::vector<TurnedItem>& items);

}  // namespace theta
