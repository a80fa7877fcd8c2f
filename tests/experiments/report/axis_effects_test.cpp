#include "experiments/report/axis_effects.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "experiments/report/csv.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

SweepReport::Row row(const std::string& method, std::vector<AxisValue> values,
                     std::vector<double> accuracies, std::optional<double> validation = {}) {
  SweepReport::Row row;
  row.method = method;
  row.model = "tiny";
  row.values = std::move(values);
  for (const auto& [axis, value] : row.values)
    row.setting += (row.setting.empty() ? "" : ", ") + axis + "=" + value;
  row.accuracies = std::move(accuracies);
  row.mean = mean(row.accuracies);
  row.interval = {row.mean - .1, row.mean + .1};
  row.users = 20;
  row.validation = validation;
  return row;
}

std::vector<std::string> texts(const std::vector<SweepReport::Effect>& effects) {
  std::vector<std::string> out;
  for (const auto& one : effects)
    out.push_back(fmt::format("{}={} {} {:.2f} {}", one.axis, one.value, one.method, one.mean,
                              one.best ? one.best->setting : "-"));
  return out;
}

TEST(AxisEffects, AveragesOverTheOtherAxesAndPicksTheBestByValidationNotByTest) {
  const auto effects = axis_effects({row("mipro", {{"n", "10"}, {"s", "tpe"}}, {.4, .6}, .9),
                                     row("mipro", {{"n", "10"}, {"s", "gp"}}, {.8, .8}, .7),
                                     row("mipro", {{"n", "9"}, {"s", "tpe"}}, {.3, .3}, .5),
                                     row("mipro", {{"n", "9"}, {"s", "gp"}}, {.2, .4}, .6)});
  EXPECT_THAT(texts(effects),
              ElementsAre("n=9 mipro 0.30 n=9, s=gp", "n=10 mipro 0.65 n=10, s=tpe",
                          "s=tpe mipro 0.40 n=10, s=tpe", "s=gp mipro 0.55 n=10, s=gp"));
  EXPECT_THAT(effects[0].accuracies, ElementsAre(.3, .3, .2, .4));
  EXPECT_EQ(effects[1].best->mean, .5);
}

TEST(AxisEffects, LeavesOutRowsThatNoSearchMadeAndAxesOfOneValue) {
  EXPECT_THAT(texts(axis_effects({row("untouched", {{"n", "1"}, {"m", "x"}}, {.5}),
                                  row("mipro", {{"n", "1"}, {"m", "x"}}, {.6}, .6),
                                  row("untouched", {{"n", "2"}, {"m", "x"}}, {.5}),
                                  row("mipro", {{"n", "2"}, {"m", "x"}}, {.7}, .6)})),
              ElementsAre("n=1 mipro 0.60 n=1, m=x", "n=2 mipro 0.70 n=2, m=x"));
  EXPECT_THAT(texts(axis_effects(
                  {row("untouched", {{"a", "x"}}, {.5}), row("untouched", {{"a", "y"}}, {.6})})),
              ElementsAre("a=x untouched 0.50 -", "a=y untouched 0.60 -"));
}

TEST(AxisEffects, AnAxisThatCountsInSomeRunsAloneIsComparedInThose) {
  EXPECT_THAT(texts(axis_effects({row("a", {{"name", "x"}, {"n", "1"}}, {.1}),
                                  row("a", {{"name", "x"}, {"n", "2"}}, {.2}),
                                  row("a", {{"name", "y"}}, {.3})})),
              ElementsAre("name=x a 0.15 -", "name=y a 0.30 -", "n=1 a 0.10 -", "n=2 a 0.20 -"));
}

TEST(AxisEffects, ThePageHasAPlotAnAxisAndSaysInWordsWhatItShows) {
  SweepReport report;
  report.name = "moods";
  report.rows = {row("mipro", {{"surrogate", "<tpe>"}}, {.4, .6}, .9),
                 row("mipro", {{"surrogate", "gp"}}, {.8, .8}, .7)};
  report.effects = axis_effects(report.rows);
  const std::string page = to_html(report);
  EXPECT_THAT(page, HasSubstr("aria-label=\"Mean accuracy by surrogate; mipro, tiny: .50 at "
                              "&lt;tpe&gt; (2 runs), .80 at gp (2 runs).\""));
  EXPECT_THAT(page, HasSubstr("<h3>Axis surrogate</h3>"));
  EXPECT_THAT(page, HasSubstr("<h3>Settings: mean, its 95 % interval, and every seed</h3>"));
  EXPECT_THAT(page, Not(HasSubstr("<tpe>")));
  EXPECT_THAT(to_table(report), HasSubstr("surrogate  gp     mipro   tiny      2   .80"));
  std::string csv;
  for (const auto& table : csv_tables(to_json(report)))
    if (table.name == "axes") csv = table.text;
  EXPECT_THAT(csv, HasSubstr("surrogate,gp,mipro,tiny,2,0.8,\"[0.8,0.8]\",surrogate=gp,0.7,0.8,"));
}

}  // namespace
}  // namespace theta
