// What a decision costs: the surrogates' suggestions at 200 candidates, by observations, and the
// whole of what the paired search does between two evaluations.
//
// usage: suggest_bench [--json FILE]

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <optional>

#include "core/statistics.hpp"
#include "optimizers/paired_search.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/outcome_table.hpp"

namespace theta {
namespace {

constexpr Family kFamily{.instructions = 20, .demos = 10, .examples = 200};

/// CPU time: all of this runs in one thread, and others may be on the machine.
double milliseconds() { return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Median milliseconds of suggest() after each number of observations, spread over all candidates.
std::vector<double> suggestions(const std::string& name, const std::vector<std::size_t>& sizes) {
  constexpr int kRepeats = 9, kCalls = 20;
  const OutcomeTable table(kFamily, 1);
  const auto all = table.combinations();
  const auto surrogate = make_surrogate(name, table.space());
  Rng rng(1);
  std::size_t told = 0;
  std::vector<double> medians;
  for (const std::size_t size : sizes) {
    std::vector<Observation> outcomes;
    for (; told < size; ++told) {
      const auto& c = all[told % all.size()];
      const std::size_t j = told / all.size();
      outcomes.push_back({c, j, table.row(c)[j]});
    }
    surrogate->observe(outcomes);
    std::vector<double> times;
    for (int i = 0; i < kRepeats; ++i) {
      const double from = milliseconds();
      for (int k = 0; k < kCalls; ++k) surrogate->suggest(all, rng);
      times.push_back((milliseconds() - from) / kCalls);
    }
    medians.push_back(median(times));
  }
  return medians;
}

/// Mean milliseconds a suggestion between the end of a wave of evaluations and the next, over the
/// thousand evaluations before each number of them: learning, refits among it, and choosing.
std::vector<double> decisions(const std::vector<std::size_t>& sizes) {
  const OutcomeTable table(kFamily, 1);
  std::vector<double> times;
  std::optional<double> ended;
  const EvaluateWave evaluate = [&](std::span<const Suggestion> wave) {
    if (ended) times.push_back(milliseconds() - *ended);
    std::vector<std::vector<Result<double>>> scores(wave.size());
    for (std::size_t s = 0; s < wave.size(); ++s)
      for (const auto j : wave[s].examples)
        scores[s].emplace_back(table.row(wave[s].combination)[j]);
    ended = milliseconds();
    return scores;
  };
  PairedSearchOptions options{.budget = static_cast<std::int64_t>(sizes.back()), .checked = false};
  const std::size_t in_wave = options.step * options.in_flight;
  options.budget += static_cast<std::int64_t>(in_wave);
  paired_search(table.space(), kFamily.examples, evaluate, options);
  std::vector<double> means;
  for (const std::size_t size : sizes) {
    const auto to =
        times.begin() + static_cast<std::ptrdiff_t>(std::min(size / in_wave, times.size()));
    means.push_back(
        mean(std::vector<double>{to - static_cast<std::ptrdiff_t>(1000 / in_wave), to}) /
        static_cast<double>(options.in_flight));
  }
  return means;
}

std::vector<Figure> measure(std::vector<std::string>&) {
  const std::vector<std::size_t> sizes{1250, 2500, 5000};
  std::vector<Figure> figures;
  const auto add = [&](const std::string& name, const std::vector<double>& times) {
    for (std::size_t i = 0; i < sizes.size(); ++i)
      figures.push_back({.name = fmt::format("{}, {} observations, ms", name, sizes[i]),
                         .theta = times[i],
                         .target = 5,
                         .better = "lower"});
    figures.push_back({.name = name + ", 5000 to 2500",
                       .theta = times[2] / times[1],
                       .target = 2.2,  // linear is 2; a tenth is for noise
                       .better = "lower"});
  };
  for (const char* name : {"paired", "gp", "tpe"}) add(name, suggestions(name, sizes));
  add("paired search", decisions(sizes));
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("suggest", argc, argv, theta::measure); }
