#pragma once

#include <string>

#include "core/records/store.hpp"

namespace theta {

/// Why a run's rows came out as they did, for a terminal: for each row that is compared with
/// another, which items it won and lost; what its search believed and cost; and what it changed in
/// the prompt.
/// @param row  a method of the report; empty: all that are compared
/// @throws UserError if there is no such row.
std::string why_text(const Store& store, const std::string& row = "");

/// What a search gave each predictor of a candidate.
std::string candidate_text(const Candidate& candidate);

/// One trial of a search: the candidate against the one that the search started from, its score, and
/// what was the best then.   @throws UserError if there is none of that number.
std::string trial_text(const Store& store, const std::string& search, int number);

}  // namespace theta
