#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace theta {

/// The `<svg>` element that gnuplot draws for `script`, which sets neither terminal nor output.
/// @return nullopt, with a warning in the log, if gnuplot is not installed or fails.
std::optional<std::string> gnuplot_svg(const std::string& script, int width, int height);

/// Any text as a gnuplot string of one line: quoted so that gnuplot interprets nothing in it.
std::string gnuplot_quoted(std::string_view text);

}  // namespace theta
