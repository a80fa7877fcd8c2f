#include "experiments/report/report_json.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "experiments/report/report.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// A list of what `make` makes of each.
template <typename T, typename F>
Json list(const std::vector<T>& all, const F& make) {
  Json out = Json::array();
  for (const T& one : all) out.push_back(make(one));
  return out;
}

Json json_of(const Loss& loss) {
  return {{"stage", loss.stage},
          {"role", loss.role},
          {"requests", loss.requests},
          {"why", loss.why},
          {"measures", loss.measures}};
}

Json json_of(const Report::Row& row) {
  Json json = {{"method", row.method},
               {"model", row.model},
               {"accuracy", rounded(row.accuracy)},
               {"low", rounded(row.low)},
               {"high", rounded(row.high)},
               {"interval", row.interval},
               {"users", row.users},
               {"judgements", row.judgements},
               {"order_consistency", rounded(row.order_consistency)},
               {"persona_match", rounded(row.persona_match)},
               {"unparsable", row.unparsable},
               {"refused", row.refused},
               {"failed", row.failed},
               {"why_unparsable", row.why_unparsable},
               {"why_refused", row.why_refused},
               {"why_failed", row.why_failed},
               {"calls", row.usage.calls},
               {"prompt_tokens", row.usage.prompt_tokens},
               {"generated_tokens", row.usage.generated_tokens}};
  if (!row.options.empty())
    json["options"] = list(row.options, [](const OptionCount& one) {
      return Json{{"option", one.option}, {"chosen", one.chosen}, {"right", one.right}};
    });
  return json;
}

Json json_of(const Report::Paired& paired) {
  return {{"method", paired.method},
          {"against", paired.against},
          {"model", paired.model},
          {"users", paired.users},
          {"judgements", paired.judgements},
          {"missing", paired.missing},
          {"missing_against", paired.missing_against},
          {"difference", rounded(paired.difference)},
          {"low", rounded(paired.low)},
          {"high", rounded(paired.high)},
          {"p", rounded(paired.p)},
          {"interval", paired.interval}};
}

Json json_of(const Candidate& candidate) { return Json::parse(to_json(candidate)); }

Json json_of(const Tradeoff& point) {
  return {{"prompt_tokens", point.prompt_tokens},
          {"score", rounded(point.score)},
          {"sd", rounded(point.sd)},
          {"candidate", json_of(point.candidate)}};
}

Json json_of(const TrialRecord& trial) {
  return {{"search", trial.search},        {"number", trial.number},
          {"kind", name_of(trial.kind)},   {"candidate", json_of(trial.candidate)},
          {"score", rounded(trial.score)}, {"evaluations", trial.evaluations},
          {"improved", trial.improved},    {"best", rounded(trial.best)},
          {"low", rounded(trial.low)},     {"high", rounded(trial.high)}};
}

Json json_of(const PersonaRecord& persona) {
  return {{"method", persona.method},   {"model", persona.model},   {"user", persona.user},
          {"persona", persona.persona}, {"source", persona.source}, {"taste", persona.taste},
          {"matched", persona.matched}};
}

template <typename T>
Json list(const std::vector<T>& all) {
  return list(all, [](const T& one) { return json_of(one); });
}

}  // namespace

Json rounded(std::optional<double> value) {
  if (!value) return nullptr;
  return std::strtod(fmt::format("{:.6g}", *value).c_str(), nullptr) + 0.0;
}

Json usage_json(const std::vector<UsageRecord>& by_role) {
  return list(by_role, [](const UsageRecord& one) {
    return Json{{"role", one.method},
                {"model", one.model},
                {"calls", one.usage.calls},
                {"prompt_tokens", one.usage.prompt_tokens},
                {"generated_tokens", one.usage.generated_tokens}};
  });
}

Json gate_json(const Decision& gate) {
  Json json{{"estimate", rounded(gate.estimate)},
            {"low", rounded(gate.low)},
            {"high", rounded(gate.high)},
            {"p_better", rounded(gate.p_better)},
            {"claimed", rounded(gate.claimed)},
            {"n_fresh", gate.n_fresh},
            {"found", gate.found},
            {"saved", gate.saved}};
  if (gate.broken) json["broken"] = *gate.broken;
  return json;
}

std::string to_json(const Report& report) {
  Json json = {{"schema", 1},
               {"name", report.name},
               {"note", report.note},
               {"config_hash", report.config_hash},
               {"seed", report.seed},
               {"stopped", report.stopped},
               {"incomplete", report.incomplete},
               {"lost", list(report.lost)},
               {"remarks", report.remarks},
               {"models", Json::object()},
               {"rows", list(report.rows)},
               {"paired", list(report.paired)},
               {"proposals", Json::object()},
               {"fronts", Json::object()},
               {"gates", Json::object()},
               {"trials", list(report.trials)},
               {"personas", list(report.personas)},
               {"usage_by_role", usage_json(report.usage_by_role)},
               {"timing", Json::object()}};
  for (const auto& [name, how] : report.models) json["models"][name] = how;
  for (const auto& [search, counts] : report.proposals)
    for (const auto& [what, count] : counts) json["proposals"][search][what] = count;
  for (const auto& [search, points] : report.fronts) json["fronts"][search] = list(points);
  for (const auto& [search, gate] : report.gates) json["gates"][search] = gate_json(gate);
  for (const auto& [what, amount] : report.timing) json["timing"][what] = amount;
  // What a model wrote can end in the middle of a character; a reader of JSON needs UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace theta
