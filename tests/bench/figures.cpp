#include "tests/bench/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/result.hpp"

namespace theta {

std::optional<double> Figure::ratio() const {
  return peer ? std::optional(theta / *peer) : std::nullopt;
}

std::optional<bool> Figure::reached() const {
  if (!target) return std::nullopt;
  const double value = ratio().value_or(theta);
  return better == "lower" ? value <= *target : value >= *target;
}

void report_figures(const std::string& bench, const std::vector<Figure>& figures,
                    const std::string& json) {
  std::size_t width = 6;
  for (const auto& figure : figures) width = std::max(width, figure.name.size());
  const auto number = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.4g}", *value) : std::string("-");
  };
  fmt::print("{:<{}}  {:>10}  {:>10}  {:>8}  {:>8}\n", bench, width, "theta", "peer", "ratio",
             "target");
  auto list = nlohmann::ordered_json::array();
  const auto value_of = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
  };
  for (const auto& figure : figures) {
    const auto reached = figure.reached();
    fmt::print("{:<{}}  {:>10}  {:>10}  {:>8}  {:>8}{}\n", figure.name, width, number(figure.theta),
               number(figure.peer), number(figure.ratio()), number(figure.target),
               !reached   ? ""
               : *reached ? "  reached"
                          : "  MISSED");
    list.push_back({{"name", figure.name},
                    {"theta", figure.theta},
                    {"peer", value_of(figure.peer)},
                    {"ratio", value_of(figure.ratio())},
                    {"target", value_of(figure.target)},
                    {"better", figure.better}});
  }
  if (json.empty()) return;
  std::ofstream out(json);
  out << nlohmann::ordered_json{{"bench", bench}, {"figures", list}}.dump(2) << "\n";
  if (!out.flush()) throw UserError(fmt::format("{}: cannot be written", json));
}

std::string take_option(std::vector<std::string>& arguments, const std::string& name,
                        const std::string& otherwise) {
  const auto at = std::find(arguments.begin(), arguments.end(), name);
  if (at == arguments.end()) return otherwise;
  if (at + 1 == arguments.end()) throw UserError(fmt::format("{} needs a value", name));
  const std::string value = at[1];
  arguments.erase(at, at + 2);
  return value;
}

std::vector<std::string> take_list(std::vector<std::string>& arguments, const std::string& name,
                                   const std::string& otherwise) {
  std::vector<std::string> all;
  std::istringstream in(take_option(arguments, name, otherwise));
  for (std::string part; std::getline(in, part, ',');) all.push_back(part);
  return all;
}

bool take_flag(std::vector<std::string>& arguments, const std::string& name) {
  return std::erase(arguments, name) > 0;
}

int bench_main(const std::string& bench, int argc, char** argv,
               std::vector<Figure> (*measure)(std::vector<std::string>& arguments)) {
  try {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::string json = take_option(arguments, "--json");
    const auto figures = measure(arguments);
    if (!arguments.empty())
      throw UserError(fmt::format("{} knows no `{}`", bench, arguments.front()));
    report_figures(bench, figures, json);
    return 0;
  } catch (const UserError& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}

}  // namespace theta
