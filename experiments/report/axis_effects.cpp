#include "experiments/report/axis_effects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "core/statistics.hpp"
#include "experiments/report/text_table.hpp"

namespace theta {
namespace {

/// The axes with their values, those that do not vary left out.
std::vector<std::pair<std::string, std::vector<std::string>>> varied_axes(
    const std::vector<SweepReport::Row>& rows) {
  std::vector<std::pair<std::string, std::vector<std::string>>> axes;
  for (const auto& row : rows)
    for (const auto& [axis, value] : row.values) {
      auto found = std::ranges::find(axes, axis, [](const auto& one) { return one.first; });
      if (found == axes.end()) found = axes.insert(found, {axis, {}});
      if (std::ranges::find(found->second, value) == found->second.end())
        found->second.push_back(value);
    }
  std::erase_if(axes, [](const auto& one) { return one.second.size() < 2; });
  for (auto& [axis, values] : axes)
    if (std::ranges::all_of(values, [](const auto& one) { return number_of(one).has_value(); }))
      std::ranges::sort(values, {}, [](const auto& one) { return *number_of(one); });
  return axes;
}

bool has_value(const SweepReport::Row& row, const std::string& axis, const std::string& value) {
  return std::ranges::any_of(
      row.values, [&](const AxisValue& one) { return one.axis == axis && one.value == value; });
}

/// @param rows  of one method and model, not empty
SweepReport::Effect effect_of(const std::string& axis, const std::string& value,
                              const std::vector<const SweepReport::Row*>& rows) {
  SweepReport::Effect effect{axis, value, rows.front()->method, rows.front()->model};
  std::vector<double> means;
  const SweepReport::Row* best = nullptr;
  for (const SweepReport::Row* row : rows) {
    means.push_back(row->mean);
    effect.accuracies.insert(effect.accuracies.end(), row->accuracies.begin(),
                             row->accuracies.end());
    if (row->validation && (best == nullptr || *row->validation > *best->validation)) best = row;
  }
  effect.mean = mean(means);
  if (best != nullptr) effect.best = {best->setting, *best->validation, best->mean, best->interval};
  return effect;
}

}  // namespace

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<SweepReport::Effect> axis_effects(const std::vector<SweepReport::Row>& rows) {
  const bool searched =
      std::ranges::any_of(rows, [](const auto& row) { return row.validation.has_value(); });
  std::vector<SweepReport::Effect> effects;
  for (const auto& [axis, values] : varied_axes(rows))
    for (const std::string& value : values) {
      std::map<std::pair<std::string, std::string>, std::vector<const SweepReport::Row*>> of;
      for (const auto& row : rows)
        if (has_value(row, axis, value) && (row.validation || !searched))
          of[{row.method, row.model}].push_back(&row);
      for (const auto& [who, own] : of) effects.push_back(effect_of(axis, value, own));
    }
  return effects;
}

Table effects_table(const SweepReport& report) {
  Table table{{{"axis"},
               {"value"},
               {"method"},
               {"model"},
               {"runs", true},
               {"mean", true},
               {"best on validation", true},
               {"its accuracy", true},
               {"best", false, kWidestLabel}}};
  for (const auto& effect : report.effects) {
    const auto& best = effect.best;
    table.rows.push_back(
        {effect.axis, effect.value, effect.method, effect.model,
         std::to_string(effect.accuracies.size()), fraction(effect.mean, 2),
         best ? fraction(best->validation, 2) : "-",
         best ? interval_text(best->mean, best->interval.low, best->interval.high) : "-",
         best ? best->setting : "-"});
  }
  return table;
}

}  // namespace theta
