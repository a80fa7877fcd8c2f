#pragma once

#include <string>

#include "experiments/report/comparison.hpp"
#include "experiments/report/report.hpp"

namespace theta {

enum class Plots { kNone, kDrawn };

/// What stands on a run's page below its title, as HTML.
/// @param plots  drawn by gnuplot, which takes a moment
std::string html_body(const Report& report, Plots plots = Plots::kDrawn);
/// The same of two runs side by side.
std::string html_body(const RunComparison& comparison);

}  // namespace theta
