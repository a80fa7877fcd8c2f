#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "optimizers/gate.hpp"

namespace theta {

/// How a few program evaluations are spent before a search is.
struct ProbePlan {
  std::size_t student = 0;  ///< rows that the student is asked
  std::size_t probes = 0;   ///< candidates that are asked beside it
  std::size_t each = 0;     ///< rows that each of them is asked, the first of the student's
  std::size_t evaluations() const { return student + probes * each; }
};

/// A third for the student, by which everything is measured, and what is left for as many probes as
/// get at least kLeastRows rows each, in their order.
/// @param evaluations  at most; > 0   @param probes  that there are   @param rows  that there are
ProbePlan plan_probes(std::size_t evaluations, std::size_t probes, std::size_t rows);
inline constexpr std::size_t kLeastRows = 6;

/// The search that a forecast is of.
struct SearchPlan {
  std::int64_t evaluations = 600;  ///< of programs, the student's and the gate's among them
  std::size_t rows = 100;          ///< of validation, before the gate holds some back
  GateOptions gate = {};
  std::size_t candidates = 32;  ///< that it can tell apart at all
  double margin = 0.02;         ///< a gain is one above it
  std::size_t draws = 1000;
  std::uint64_t seed = 0;
};

/// What a few scores say of a search before it is paid for.
struct GainForecast {
  double p_gain = 0;    ///< that the search's program is truly better by more than the margin
  double p_there = 0;   ///< that one of the candidates is, found or not
  double expected = 0;  ///< true gain of what the search saves, 0 where it keeps the student
  double if_found = 0;  ///< the same where it is above the margin; 0: never
  double sd = 0;        ///< of one row's paired difference
  double error = 0;     ///< standard error of p_gain, from the number of draws
};

/// The posterior predictive of the model of shrunken(): see gain_model.hpp, with every spread as
/// likely as another beforehand, as formats and demos move scores by much in some tasks and by
/// nothing in others.
///
/// Each draw takes a and t from their posterior, then g and the worth of the tried candidates given
/// the scores (Matheron's rule: a draw from the prior, plus what the scores' residuals make of it),
/// and g + u*, u* ~ N(0, t^2), for the candidates that nobody has tried; no worth exceeds what the
/// student leaves, 1 - p with p from the posterior of its accuracy. On these a search is played with
/// the budget that there is: sequential halving (Karnin, Koren & Somekh 2013), whose rounds score
/// the survivors on further rows with the noise of the scores; and the gate, which is the very model
/// of shrunken() on those means, its best updated on the rows held back and saved or not.
///
/// @param probes  each of as many rows as the student's; not scored: nothing
/// @return of nothing but the prior where no probe shares a row with the student
/// @throws std::logic_error unless the student was scored on something
GainForecast forecast_gain(const Scores& student, const std::vector<Scores>& probes,
                           const SearchPlan& plan);

/// Rows on which both programs are to be scored for a true difference of `gain` to be told from
/// none: 5 % two-sided, with 80 % power, (z.975 + z.80)^2 sd^2 / gain^2.
/// @param sd  of one row's paired difference
double rows_to_tell(double gain, double sd);

}  // namespace theta
