#include "experiments/runs/taste_match.hpp"

#include <algorithm>

#include "modules/predict.hpp"

namespace theta {
namespace {

std::string_view without_stop(std::string_view text) {
  return text.substr(0, text.size() - text.ends_with('.'));
}

}  // namespace

StatedTastes stated_tastes(std::span<const std::string> personas, std::span<const User> users,
                           const Call& call) {
  StatedTastes stated;
  std::vector<std::string> names, read;
  Type words;
  words.kind = Type::Kind::kLiteral;
  std::vector<Record> inputs;
  for (const User& user : users) {
    if (user.taste.empty() || std::ranges::find(names, user.taste) != names.end()) continue;
    names.push_back(user.taste);
    const std::string own(without_stop(user.true_persona));
    words.literals.emplace_back(own);
    inputs.push_back({{"persona", own}});
  }
  stated.tastes = names.size();
  if (names.empty()) return stated;
  for (const std::string& persona : personas)
    if (!persona.empty() && std::ranges::find(read, persona) == read.end()) read.push_back(persona);

  Signature signature =
      Signature::parse("persona -> reader", "Which reader does the persona describe?");
  signature.outputs = {make_field("reader", std::move(words))};
  Format format{.adapter = "terse", .answering = Answering::kScore};
  if (names.size() > 1) format.calibration = Calibration::kTrain, format.calibrated_on = inputs;
  for (const std::string& persona : read)
    inputs.push_back({{"persona", std::string(without_stop(persona))}});
  const auto told = Predict(signature, std::move(format)).run(inputs, call);
  const auto taste = [&](std::size_t i) {
    const std::vector<std::string> options = signature.outputs[0].type.options();
    const auto at = std::ranges::find(options, told[i]->fields.text("reader"));
    return names.at(static_cast<std::size_t>(at - options.begin()));
  };
  for (std::size_t i = 0; i < told.size(); ++i) {
    if (!told[i]) continue;
    if (i < names.size())
      stated.told += taste(i) == names[i];
    else
      stated.of[read[i - names.size()]] = taste(i);
  }
  return stated;
}

double chance_of_match(std::span<const std::string> stated, std::span<const std::string> held) {
  double pairs = 0;
  for (const std::string& one : stated) pairs += static_cast<double>(std::ranges::count(held, one));
  const auto n = static_cast<double>(held.size());
  return n > 0 ? pairs / (n * n) : 0;
}

}  // namespace theta
