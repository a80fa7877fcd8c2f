#include "modules/samples.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "modules/text.hpp"
#include "modules/words.hpp"

namespace theta {
namespace {

/// What answers are counted by: the words of a text, where it has any.
std::string key_of(const Value& answer) {
  const std::string text = to_text(answer);
  const bool is_text = std::holds_alternative<std::string>(answer);
  const std::string words = is_text ? join(counted(words_of(text), {}), " ") : "";
  return words.empty() ? text : words;
}

}  // namespace

Samples::Samples(std::unique_ptr<Module> module, std::size_t samples, Choose choose,
                 double temperature)
    : module_(std::move(module)),
      samples_(samples),
      choose_(std::move(choose)),
      temperature_(temperature) {
  if (samples_ == 0) throw UserError("at least one sample is asked for");
  if (samples_ > 1 && temperature_ <= 0)
    throw UserError("samples are all alike at temperature 0: set a higher one");
}

std::unique_ptr<Module> Samples::clone() const {
  return std::make_unique<Samples>(module_->clone(), samples_, choose_, temperature_);
}

std::vector<Result<Prediction>> Samples::run(std::span<const Record> inputs,
                                             const Call& call) const {
  std::vector<Record> wave;
  for (const Record& input : inputs) wave.insert(wave.end(), samples_, input);
  Call sampled = call;
  if (sampled.temperature < 0 && samples_ > 1) sampled.temperature = temperature_;
  auto answers = module_->run(wave, sampled);
  require(answers.size() == wave.size(), "a module answers every input");
  std::vector<Result<Prediction>> predictions;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    predictions.push_back(kept(inputs[i], std::span(answers).subspan(i * samples_, samples_)));
  return predictions;
}

Result<Prediction> Samples::kept(const Record& inputs,
                                 std::span<Result<Prediction>> answers) const {
  Usage usage;
  for (const auto& answer : answers) usage += usage_of(answer);
  const auto lost = std::ranges::find_if(answers, [](const auto& answer) {
    return !answer && answer.error().fault == Fault::kService;
  });
  auto chosen = lost == answers.end() ? answers.begin() : lost;
  std::vector<const Prediction*> read;
  std::vector<std::ptrdiff_t> places;
  for (auto answer = answers.begin(); lost == answers.end() && answer != answers.end(); ++answer) {
    if (!*answer) continue;
    read.push_back(&**answer);
    places.push_back(answer - answers.begin());
  }
  if (!read.empty()) chosen = answers.begin() + places.at(choose_(inputs, read));
  set_usage(*chosen, usage);
  return std::move(*chosen);
}

std::size_t majority(const Record& /*inputs*/, std::span<const Prediction* const> answers) {
  std::vector<std::string> keys;
  for (const Prediction* answer : answers)
    keys.push_back(key_of(std::prev(answer->fields.end())->second));
  std::size_t best = 0;
  std::tuple<std::size_t, double> of_best;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    std::size_t votes = 0;
    double logprobs = 0;
    for (std::size_t k = 0; k < answers.size(); ++k) {
      if (keys[k] != keys[i]) continue;
      ++votes;
      const auto& options = answers[k]->option_logprobs;
      if (!options.empty()) logprobs += std::ranges::max(options);
    }
    const std::tuple mine(votes, logprobs / static_cast<double>(votes));
    if (i > 0 && mine <= of_best) continue;
    best = i;
    of_best = mine;
  }
  return best;
}

Samples::Choose best_of_n(std::function<double(const Record&, const Prediction&)> reward) {
  return [reward = std::move(reward)](const Record& inputs,
                                      std::span<const Prediction* const> answers) {
    std::vector<double> rewards;
    for (const Prediction* answer : answers) rewards.push_back(reward(inputs, *answer));
    return static_cast<std::size_t>(std::ranges::max_element(rewards) - rewards.begin());
  };
}

}  // namespace theta
