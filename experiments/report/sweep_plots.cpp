#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "experiments/report/axis_effects.hpp"
#include "experiments/report/gnuplot.hpp"
#include "experiments/report/html.hpp"
#include "experiments/report/text_table.hpp"

namespace theta {
namespace {

using Effects = std::vector<const SweepReport::Effect*>;

/// Rows of one plot, more of which nobody tells apart.
constexpr std::size_t kMostRows = 60;

std::string named(const std::string& method, const std::string& model) {
  return method + ", " + model;
}

/// The rows that a search made where there are some, else all.
std::vector<const SweepReport::Row*> plotted_rows(const SweepReport& report) {
  std::vector<const SweepReport::Row*> all, searched;
  for (const auto& row : report.rows) {
    all.push_back(&row);
    if (row.validation) searched.push_back(&row);
  }
  return searched.empty() ? all : searched;
}

/// Every row: its mean and interval, and its seeds as points.
std::string rows_script(const std::vector<const SweepReport::Row*>& rows) {
  std::string seeds, means, ticks;
  constexpr std::size_t kLabel = 58;  // its beginning and its end, by which settings differ
  double y = 0;
  for (const auto* row : rows) {
    means += fmt::format("{} {} {} {}\n", row->mean, row->interval.low, row->interval.high, y);
    for (const double accuracy : row->accuracies) seeds += fmt::format("{} {}\n", accuracy, y);
    const std::string label =
        named(row->method, row->model) + (row->setting.empty() ? "" : ": " + row->setting);
    ticks +=
        fmt::format("{}{} {}", y == 0 ? "" : ", ", gnuplot_quoted(cell_text(label, kLabel)), y);
    y += 1;
  }
  return fmt::format(
      "$means << END\n{}END\n$seeds << END\n{}END\nset ytics ({})\nset yrange [{}:-0.6]\n"
      "set xlabel 'accuracy'\nset grid x\nunset key\n"
      "plot $means using 1:4:2:3 with xerrorbars pt 7 ps 0.8 lw 2, "
      "$seeds using 1:2 with points pt 6 ps 0.8 lw 2 lc 2\n",
      means, seeds, ticks, y - .4);
}

/// Where the values of an axis stand: as numbers, or one beside another.
struct Scale {
  bool numbers = true, log = false;
  std::vector<std::string> values;

  explicit Scale(const Effects& effects) {
    double low = 0, high = 0;
    for (const auto* effect : effects) {
      if (std::ranges::find(values, effect->value) != values.end()) continue;
      const auto number = number_of(effect->value);
      numbers = numbers && number;
      const double x = number.value_or(0);
      low = values.empty() ? x : std::min(low, x);
      high = values.empty() ? x : std::max(high, x);
      values.push_back(effect->value);
    }
    constexpr double kDecades = 50;
    log = numbers && low > 0 && high / low >= kDecades;
  }
  double at(const std::string& value) const {
    if (numbers) return *number_of(value);
    return static_cast<double>(std::ranges::find(values, value) - values.begin());
  }
  /// Few enough to be named on the axis and joined by a line.
  bool few() const { return values.size() <= 12; }
  std::string settings() const {
    std::string ticks;
    for (const auto& value : values)
      ticks += fmt::format("{}{} {}", ticks.empty() ? "" : ", ", gnuplot_quoted(value), at(value));
    if (numbers)
      return (log ? "set logscale x\n" : "") + (few() ? "set xtics (" + ticks + ")\n" : "");
    constexpr std::size_t kRoom = 60;  // characters of labels that stand beside one another
    return fmt::format("set xtics ({}){}\nset xrange [-0.5:{}]\n", ticks,
                       ticks.size() > kRoom + 10 * values.size() ? " rotate by -20" : "",
                       static_cast<double>(values.size()) - .5);
  }
};

/// The values of an axis: a series a method and model, its mean over its runs, which are points.
/// @param colors  of the series of all plots, in their order
std::string axis_script(const Effects& effects, const std::vector<std::string>& colors) {
  const Scale scale(effects);
  std::map<std::string, Effects> series;
  for (const auto* effect : effects) series[named(effect->method, effect->model)].push_back(effect);
  const bool line = scale.numbers && scale.few();
  std::string data, plots;
  double low = 1, high = 0;
  std::size_t s = 0;
  for (const auto& [name, own] : series) {
    std::string runs, means;
    const double aside =
        scale.numbers
            ? 0
            : .12 * (static_cast<double>(s) - .5 * static_cast<double>(series.size() - 1));
    for (const auto* effect : own) {
      const double x = scale.at(effect->value) + aside;
      means += fmt::format("{} {}\n", x, effect->mean);
      for (const double accuracy : effect->accuracies) {
        runs += fmt::format("{} {}\n", x, accuracy);
        low = std::min(low, accuracy);
        high = std::max(high, accuracy);
      }
    }
    data += fmt::format("$means{0} << END\n{1}END\n$runs{0} << END\n{2}END\n", s, means, runs);
    plots += fmt::format(
        "{0} $runs{1} using 1:2 with points pt 6 ps 0.6 lc {2} notitle, $means{1} using 1:2 with "
        "{3} pt 7 ps 1 lw 2 lc {2} title {4}",
        s == 0 ? "plot" : ",", s, std::ranges::find(colors, name) - colors.begin() + 1,
        line ? "linespoints" : "points", gnuplot_quoted(name));
    ++s;
  }
  return data + scale.settings() +
         fmt::format(
             "set xlabel {}\nset ylabel 'accuracy'\nset offsets graph 0.05, graph 0.05, 0, 0\n"
             "set yrange [{}:{}]\nset grid y\nset key outside top center horizontal\n{}\n",
             gnuplot_quoted(effects.front()->axis), std::max(-.02, low - .05),
             std::min(1.02, high + .05), plots);
}

/// A plot of an axis in words: `surrogate: mipro, tiny: .61 at paired, .58 at tpe`.
std::string axis_words(const Effects& effects) {
  std::string out = "Mean accuracy by " + effects.front()->axis, last;
  std::vector<std::string> names;
  for (const auto* effect : effects)
    if (const auto name = named(effect->method, effect->model);
        std::ranges::find(names, name) == names.end())
      names.push_back(name);
  for (const std::string& name : names) {
    out += "; " + name;
    const char* joint = ": ";
    for (const auto* effect : effects) {
      if (named(effect->method, effect->model) != name) continue;
      out += fmt::format("{}{} at {} ({} runs)", joint, fraction(effect->mean, 2), effect->value,
                         effect->accuracies.size());
      joint = ", ";
    }
  }
  return out + ".";
}

}  // namespace

std::string sweep_plots(const SweepReport& report) {
  constexpr int kWidth = 900, kHead = 120, kRow = 28, kAxisHeight = 340;
  std::string out;
  bool drawn = true;
  const auto add = [&](const std::string& title, const std::string& script, int height,
                       const std::string& words) {
    const auto svg = drawn ? gnuplot_svg(script, kWidth, height) : std::nullopt;
    drawn = svg.has_value();
    if (drawn) out += fmt::format("<h3>{}</h3>\n{}", html_escaped(title), html_figure(*svg, words));
  };
  const auto rows = plotted_rows(report);
  if (!rows.empty() && rows.size() <= kMostRows)
    add("Settings: mean, its 95 % interval, and every seed", rows_script(rows),
        kHead + kRow * static_cast<int>(rows.size()),
        "Accuracy, interval and seeds of the rows of the table of results.");
  std::vector<std::string> axes, colors;
  const auto add_new = [](std::vector<std::string>& names, const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const auto& effect : report.effects) {
    add_new(axes, effect.axis);
    add_new(colors, named(effect.method, effect.model));
  }
  for (const std::string& axis : axes) {
    Effects own;
    for (const auto& effect : report.effects)
      if (effect.axis == axis) own.push_back(&effect);
    add("Axis " + axis, axis_script(own, colors), kAxisHeight, axis_words(own));
  }
  if (!drawn) return "<p class=\"muted\">No plots: gnuplot is not installed or failed.</p>\n";
  if (rows.size() > kMostRows)
    out += fmt::format("<p class=\"muted\">More than {} rows are not plotted.</p>\n", kMostRows);
  return out;
}

}  // namespace theta
