#include "core/records/trial.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/result.hpp"

namespace theta {

using Json = nlohmann::ordered_json;

std::string to_json(const Candidate& candidate) {
  Json json = Json::object();
  if (!candidate.combination.empty()) json["combination"] = candidate.combination;
  for (const auto& [predictor, instruction, demos, format, nearest] : candidate.parts) {
    Json& part = json["predictors"][predictor];
    part = {{"instruction", instruction}, {"demos", demos}};
    if (nearest > 0) part["nearest"] = nearest;
    if (!format.empty()) part["format"] = format;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Candidate candidate_of(std::string_view json) {
  try {
    const Json read = Json::parse(json);
    Candidate candidate{.combination = read.value("combination", Combination{})};
    const Json predictors = read.value("predictors", Json::object());
    for (const auto& [predictor, part] : predictors.items())
      candidate.parts.push_back({predictor, part.at("instruction"), part.at("demos"),
                                 part.value("format", std::string()),
                                 part.value("nearest", std::size_t{0})});
    return candidate;
  } catch (const Json::exception& e) {
    throw RunError(std::string("the run's record is damaged: a candidate of a trial cannot be "
                               "read: ") +
                   e.what());
  }
}

std::string_view name_of(TrialKind kind) {
  switch (kind) {
    case TrialKind::kDefault:
      return "default";
    case TrialKind::kMinibatch:
      return "minibatch";
    case TrialKind::kFull:
      return "full";
    case TrialKind::kGate:
      return "gate";
  }
  throw std::logic_error("unknown kind of trial");
}

}  // namespace theta
