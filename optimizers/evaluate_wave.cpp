#include "optimizers/evaluate_wave.hpp"

#include <future>
#include <utility>

namespace theta {

EvaluateWave in_turn(EvaluateCandidate evaluate) {
  return [evaluate = std::move(evaluate)](std::span<const Suggestion> wave) {
    std::vector<std::vector<Result<double>>> scores;
    for (const auto& [combination, examples] : wave)
      scores.push_back(evaluate(combination, examples));
    return scores;
  };
}

EvaluateWave side_by_side(EvaluateCandidate evaluate) {
  return [evaluate = std::move(evaluate)](std::span<const Suggestion> wave) {
    std::vector<std::future<std::vector<Result<double>>>> asked;
    for (const Suggestion& suggestion : wave)
      asked.push_back(std::async(std::launch::async, [&] {
        return evaluate(suggestion.combination, suggestion.examples);
      }));
    std::vector<std::vector<Result<double>>> scores;
    for (auto& one : asked) scores.push_back(one.get());
    return scores;
  };
}

}  // namespace theta
