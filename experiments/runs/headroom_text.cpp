#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/report/report_json.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/headroom.hpp"

namespace theta {
namespace {

/// From where a search is advised, and up to where it is not.
constexpr double kGoOn = .5, kLeave = .2;
/// A classifier that is better than the program by this would take more than prompts to catch up.
constexpr double kFarBetter = .05;
/// A third of the answers that cannot be read is the first thing to mend.
constexpr double kManyUnread = .1;

std::string points(double share) { return fmt::format("{:.0f} points", 100 * share); }

std::string accuracy_text(const Headroom::Accuracy& one) {
  return interval_text(one.mean, one.interval.low, one.interval.high);
}

std::string difference_text(const Headroom::Compared& one) {
  return fmt::format("{} [{}, {}]", fraction(one.difference, 2, true),
                     fraction(one.differs.low, 2, true), fraction(one.differs.high, 2, true));
}

std::string probes_text(const Headroom& headroom) {
  Table table{
      {{"beside it"}, {"rows", true}, {"accuracy"}, {"difference"}, {"answered alike", true}}};
  const auto add = [&](const Headroom::Compared& one, const std::string& alike) {
    table.rows.push_back({cell_text(one.name), std::to_string(one.rows), accuracy_text(one),
                          difference_text(one), alike});
  };
  for (const auto& probe : headroom.probes) add(probe, fraction(probe.agreement, 2));
  if (headroom.fitted) add(*headroom.fitted, "");
  return table.rows.empty() ? "" : "\n" + text_table(table);
}

std::string options_text(const Headroom& headroom) {
  if (headroom.options.empty()) return "";
  Table table{{{"option"}, {"answered", true}, {"right", true}}};
  for (const auto& [option, chosen, right] : headroom.options)
    table.rows.push_back({cell_text(option), fraction(chosen, 2), fraction(right, 2)});
  return "\n" + text_table(table) +
         fmt::format(
             "label bias: {} of the answers would have to change for these shares to agree\n",
             fraction(headroom.bias(), 2));
}

std::string classifiers_text(const Headroom& headroom) {
  if (headroom.classifiers.empty()) return "";
  Table table{{{"without a language model"}, {"rows", true}, {"accuracy"}}};
  for (const auto& one : headroom.classifiers)
    table.rows.push_back({one.name, std::to_string(one.rows), accuracy_text(one)});
  return "\n" + text_table(table) + "(cross-validated on the labelled rows)\n";
}

std::string forecast_text(const Headroom& headroom) {
  const GainForecast& forecast = headroom.forecast;
  std::string text = fmt::format(
      "\n{}, {} evaluations more on {} rows{}, played {} times:\n"
      "  P(some candidate is better by more than 2 points)   {}\n"
      "  P(the search finds it and the gate lets it through)   {}\n"
      "  gain expected                                       {}\n",
      headroom.search, headroom.plan.evaluations, headroom.plan.rows,
      headroom.assumed ? " (the config says no number)" : "", headroom.plan.draws,
      fraction(forecast.p_there, 2), fraction(forecast.p_gain, 2),
      fraction(forecast.expected, 3, true));
  text += fmt::format(
      "noise: a row's paired difference has a standard deviation of {}; 2 points are told, with 80 "
      "% power, on\n{:.0f} rows of both programs",
      fraction(forecast.sd, 2), headroom.rows_for_margin());
  if (forecast.if_found > 0)
    text += fmt::format(", and the {} that are gained where any are on {:.0f}: {:.0f} evaluations",
                        points(forecast.if_found), headroom.evaluations_to_tell() / 2,
                        headroom.evaluations_to_tell());
  return text + "\n";
}

/// The best classifier, where it is far better than the program.
const Headroom::Accuracy* far_better(const Headroom& headroom) {
  const auto best = std::ranges::max_element(headroom.classifiers, {}, &Headroom::Accuracy::mean);
  if (best == headroom.classifiers.end()) return nullptr;
  const double hoped = headroom.student.mean + std::max(0.0, headroom.forecast.expected);
  return best->interval.low > headroom.student.mean && best->mean > hoped + kFarBetter ? &*best
                                                                                       : nullptr;
}

/// Why a search gains nothing.
std::string why_not(const Headroom& headroom) {
  const GainForecast& forecast = headroom.forecast;
  if (headroom.student.interval.low > 1 - 2 * headroom.plan.margin || headroom.student.mean == 1)
    return "there is next to nothing left to gain";
  if (forecast.p_there < kGoOn) return "the answers hardly get better by what was tried";
  return fmt::format(
      "a better prompt may well be there ({}), but {} rows and {} evaluations seldom tell it from "
      "luck; give more validation rows first",
      fraction(forecast.p_there, 2), headroom.plan.rows, headroom.plan.evaluations);
}

}  // namespace

double Headroom::bias() const {
  double sum = 0;
  for (const auto& [option, chosen, right] : options) sum += std::abs(chosen - right);
  return sum / 2;
}

double Headroom::agreement() const {
  double sum = 0;
  for (const auto& probe : probes) sum += probe.agreement;
  return probes.empty() ? 1 : sum / static_cast<double>(probes.size());
}

double Headroom::evaluations_to_tell() const {
  return forecast.if_found > 0 ? 2 * rows_to_tell(forecast.if_found, forecast.sd) : 0;
}

std::string Headroom::advice() const {
  std::string text;
  const std::string p = fraction(forecast.p_gain, 2);
  if (forecast.p_gain >= kGoOn)
    text = fmt::format("go on: {} gains more than 2 points with probability {}, {} are expected",
                       search, p, points(forecast.expected));
  else if (forecast.p_gain < kLeave)
    text = fmt::format("leave it: {} gains more than 2 points with probability {} only; {}", search,
                       p, why_not(*this));
  else
    text = fmt::format(
        "open: {} gains more than 2 points with probability {}; {} evaluations here would say more "
        "(--evaluations), or go on where {} are worth {} evaluations",
        search, p, 2 * spent, points(forecast.if_found), plan.evaluations);
  if (static_cast<double>(unparsable + refused) > kManyUnread * static_cast<double>(answers))
    text += fmt::format(". First mend the format: {} of {} answers cannot be read",
                        unparsable + refused, answers);
  if (const Accuracy* better = far_better(*this))
    text += fmt::format(". {} does it without a language model: {} by cross-validation",
                        better->name, fraction(better->mean, 2));
  return text + ".";
}

std::string to_text(const Headroom& headroom) {
  std::string text = fmt::format(
      "accuracy now {} on {} rows; {} of {} answers unparsable, {} refused, {} failed\n",
      accuracy_text(headroom.student), headroom.student.rows, headroom.unparsable, headroom.answers,
      headroom.refused, headroom.failed);
  text += options_text(headroom) + probes_text(headroom);
  if (!headroom.probes.empty())
    text += fmt::format("answers stay as they are in {} of the cases\n",
                        fraction(headroom.agreement(), 2));
  return text + classifiers_text(headroom) + forecast_text(headroom) + "\n" + headroom.advice() +
         "\n";
}

nlohmann::ordered_json to_json(const Headroom& headroom) {
  using Json = nlohmann::ordered_json;
  const auto accuracy = [](const Headroom::Accuracy& one) {
    return Json{{"name", one.name},
                {"rows", one.rows},
                {"accuracy", rounded(one.mean)},
                {"low", rounded(one.interval.low)},
                {"high", rounded(one.interval.high)}};
  };
  const auto compared = [&](const Headroom::Compared& one) {
    Json json = accuracy(one);
    json["difference"] = rounded(one.difference);
    json["difference_low"] = rounded(one.differs.low);
    json["difference_high"] = rounded(one.differs.high);
    return json;
  };
  Json json{{"search", headroom.search},
            {"spent", headroom.spent},
            {"evaluations_left", headroom.plan.evaluations},
            {"evaluations_assumed", headroom.assumed},
            {"validation_rows", headroom.plan.rows},
            {"student", accuracy(headroom.student)},
            {"answers", headroom.answers},
            {"unparsable", headroom.unparsable},
            {"refused", headroom.refused},
            {"failed", headroom.failed},
            {"label_bias", headroom.options.empty() ? Json() : rounded(headroom.bias())},
            {"agreement", headroom.probes.empty() ? Json() : rounded(headroom.agreement())}};
  json["options"] = Json::array();
  for (const auto& [option, chosen, right] : headroom.options)
    json["options"].push_back(
        {{"option", option}, {"answered", rounded(chosen)}, {"right", rounded(right)}});
  json["probes"] = Json::array();
  for (const auto& probe : headroom.probes) {
    json["probes"].push_back(compared(probe));
    json["probes"].back()["agreement"] = rounded(probe.agreement);
  }
  json["options_fitted"] = headroom.fitted ? compared(*headroom.fitted) : Json();
  json["classifiers"] = Json::array();
  for (const auto& one : headroom.classifiers) json["classifiers"].push_back(accuracy(one));
  const GainForecast& forecast = headroom.forecast;
  json["sd_of_difference"] = rounded(forecast.sd);
  json["rows_for_2_points"] = rounded(headroom.rows_for_margin());
  json["p_there"] = rounded(forecast.p_there);
  json["p_gain"] = rounded(forecast.p_gain);
  json["gain_expected"] = rounded(forecast.expected);
  json["gain_if_found"] = rounded(forecast.if_found);
  json["evaluations_to_tell"] = rounded(headroom.evaluations_to_tell());
  json["advice"] = headroom.advice();
  return json;
}

}  // namespace theta
