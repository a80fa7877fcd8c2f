#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/report/sweep_report.hpp"
#include "experiments/report/table.hpp"

namespace theta {

/// What became of the rows of a sweep under each value of each axis that has two values or more:
/// axes in the order of their first settings, values in ascending order where all are numbers. Of
/// rows that a search made where there are some, else of all.
std::vector<SweepReport::Effect> axis_effects(const std::vector<SweepReport::Row>& rows);

Table effects_table(const SweepReport& report);
/// What it holds.
inline constexpr const char* kEffectsLegend =
    "mean: test accuracy over all runs of the value, whatever the other axes; best: the setting "
    "among them\nwith the highest validation score, with its own test accuracy and 95 % interval";

/// Plots as HTML with what they show in words: all rows with their seeds as points, and a plot an
/// axis. Without gnuplot a line that says so.
std::string sweep_plots(const SweepReport& report);

/// The number that a text is to its end; none otherwise.
std::optional<double> number_of(const std::string& text);

}  // namespace theta
