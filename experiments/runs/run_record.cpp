#include "experiments/runs/run_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace theta {

using Json = nlohmann::ordered_json;

// The shape of every struct: its members by name, in order.

template <typename F>
static void fields(Standing& one, const F& field) {
  field("stage", one.stage);
  field("at", one.at);
  field("seconds", one.seconds);
  field("left_s", one.left_s);
  field("trouble", one.trouble);
}
template <typename F>
static void fields(DescribedModel& one, const F& field) {
  field("name", one.name);
  field("how", one.how);
}
template <typename F>
static void fields(Comparison& one, const F& field) {
  field("method", one.method);
  field("against", one.against);
}
template <typename F>
static void fields(PromptText& one, const F& field) {
  field("title", one.title);
  field("text", one.text);
  field("from", one.from);
}
template <typename F>
static void fields(SearchProposals& one, const F& field) {
  field("search", one.search);
  field("counts", one.counts);
}
template <typename F>
static void fields(Tradeoff& one, const F& field) {
  field("candidate", one.candidate);
  field("score", one.score);
  field("sd", one.sd);
  field("prompt_tokens", one.prompt_tokens);
}
template <typename F>
static void fields(SearchFront& one, const F& field) {
  field("search", one.search);
  field("points", one.points);
}
template <typename F>
static void fields(Decision& one, const F& field) {
  field("estimate", one.estimate);
  field("low", one.low);
  field("high", one.high);
  field("p_better", one.p_better);
  field("claimed", one.claimed);
  field("n_fresh", one.n_fresh);
  field("found", one.found);
  field("saved", one.saved);
  field("broken", one.broken);
}
template <typename F>
static void fields(SearchVerdict& one, const F& field) {
  field("search", one.search);
  field("gate", one.gate);
}
template <typename F>
static void fields(OptionCount& one, const F& field) {
  field("option", one.option);
  field("chosen", one.chosen);
  field("right", one.right);
}
template <typename F>
static void fields(OptionCounts& one, const F& field) {
  field("method", one.method);
  field("model", one.model);
  field("options", one.options);
}
template <typename F>
static void fields(Loss& one, const F& field) {
  field("stage", one.stage);
  field("role", one.role);
  field("requests", one.requests);
  field("why", one.why);
  field("measures", one.measures);
}
template <typename F>
static void fields(PersonaRecord& one, const F& field) {
  field("method", one.method);
  field("model", one.model);
  field("user", one.user);
  field("persona", one.persona);
  field("source", one.source);
  field("taste", one.taste);
  field("matched", one.matched);
}

static void to_json(Json& json, const Candidate& candidate) {
  json = Json::parse(to_json(candidate));
}
static void from_json(const Json& json, Candidate& candidate) {
  candidate = candidate_of(json.dump());
}

template <typename T>
concept HasFields = requires(T& one) {
  fields(one, [](const char*, auto&) {});
};

template <HasFields T>
void to_json(Json& json, const T& one) {
  json = Json::object();
  T copy = one;
  fields(copy, [&](const char* name, auto& member) {
    if constexpr (requires { member.has_value(); }) {
      if (member) json[name] = *member;
    } else {
      json[name] = member;
    }
  });
}

template <HasFields T>
void from_json(const Json& json, T& one) {
  fields(one, [&](const char* name, auto& member) {
    if constexpr (requires { member.has_value(); }) {
      if (json.contains(name)) member.emplace(json.at(name));
    } else {
      json.at(name).get_to(member);
    }
  });
}

namespace {

constexpr RunState kStates[] = {RunState::kWaiting,    RunState::kRunning, RunState::kDone,
                                RunState::kIncomplete, RunState::kFailed,  RunState::kStopped};

// A text, a number or a state is kept as it is, everything else as JSON.

std::string written(const std::string& text) { return text; }
std::string written(std::uint64_t number) { return std::to_string(number); }
std::string written(RunState state) { return name_of(state); }
template <typename T>
std::string written(const T& value) {
  return Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void read(const std::string& text, std::string& out) { out = text; }
void read(const std::string& text, RunState& out) {
  const auto found =
      std::ranges::find_if(kStates, [&](const RunState state) { return text == name_of(state); });
  if (found == std::end(kStates)) throw std::invalid_argument("no state of a run");
  out = *found;
}
template <typename T>
void read(const std::string& text, T& out) {
  Json::parse(text).get_to(out);
}

}  // namespace

const char* name_of(RunState state) {
  switch (state) {
    case RunState::kWaiting:
      return "waiting";
    case RunState::kRunning:
      return "running";
    case RunState::kDone:
      return "done";
    case RunState::kIncomplete:
      return "incomplete";
    case RunState::kFailed:
      return "failed";
    case RunState::kStopped:
      return "stopped";
  }
  throw std::logic_error("unknown state of a run");
}

template <typename T>
void put(Store& store, const RecordPart<T>& part, const std::type_identity_t<T>& value) {
  store.set_meta(part.name, written(value));
}

template <typename T>
std::optional<T> find(const Store& store, const RecordPart<T>& part) {
  const auto text = store.meta(part.name);
  if (!text) return std::nullopt;
  try {
    std::optional<T> value(std::in_place);
    read(*text, *value);
    return value;
  } catch (const std::exception&) {
    throw RunError(fmt::format("the run's record is damaged: its {} cannot be read", part.name));
  }
}

bool add_remark(Store& store, const std::string& about, const std::string& rest) {
  const std::string line = about + rest;
  const auto known = get(store, part::kRemarks);
  if (std::ranges::find(known, line) != known.end()) return false;
  put_one(store, part::kRemarks, line,
          [&](const std::string& one) { return !rest.empty() && one.starts_with(about); });
  return true;
}

template void put(Store&, const RecordPart<std::string>&, const std::string&);
template std::optional<std::string> find(const Store&, const RecordPart<std::string>&);
template void put(Store&, const RecordPart<std::uint64_t>&, const std::uint64_t&);
template std::optional<std::uint64_t> find(const Store&, const RecordPart<std::uint64_t>&);
template void put(Store&, const RecordPart<RunState>&, const RunState&);
template std::optional<RunState> find(const Store&, const RecordPart<RunState>&);
template void put(Store&, const RecordPart<Standing>&, const Standing&);
template std::optional<Standing> find(const Store&, const RecordPart<Standing>&);
template void put(Store&, const RecordPart<Plan>&, const Plan&);
template std::optional<Plan> find(const Store&, const RecordPart<Plan>&);
template void put(Store&, const RecordPart<std::vector<std::string>>&,
                  const std::vector<std::string>&);
template std::optional<std::vector<std::string>> find(const Store&,
                                                      const RecordPart<std::vector<std::string>>&);
template void put(Store&, const RecordPart<std::vector<DescribedModel>>&,
                  const std::vector<DescribedModel>&);
template std::optional<std::vector<DescribedModel>> find(
    const Store&, const RecordPart<std::vector<DescribedModel>>&);
template void put(Store&, const RecordPart<std::vector<Comparison>>&,
                  const std::vector<Comparison>&);
template std::optional<std::vector<Comparison>> find(const Store&,
                                                     const RecordPart<std::vector<Comparison>>&);
template void put(Store&, const RecordPart<std::vector<PromptText>>&,
                  const std::vector<PromptText>&);
template std::optional<std::vector<PromptText>> find(const Store&,
                                                     const RecordPart<std::vector<PromptText>>&);
template void put(Store&, const RecordPart<std::vector<SearchProposals>>&,
                  const std::vector<SearchProposals>&);
template std::optional<std::vector<SearchProposals>> find(
    const Store&, const RecordPart<std::vector<SearchProposals>>&);
template void put(Store&, const RecordPart<std::vector<SearchFront>>&,
                  const std::vector<SearchFront>&);
template std::optional<std::vector<SearchFront>> find(const Store&,
                                                      const RecordPart<std::vector<SearchFront>>&);
template void put(Store&, const RecordPart<std::vector<SearchVerdict>>&,
                  const std::vector<SearchVerdict>&);
template std::optional<std::vector<SearchVerdict>> find(
    const Store&, const RecordPart<std::vector<SearchVerdict>>&);
template void put(Store&, const RecordPart<std::vector<OptionCounts>>&,
                  const std::vector<OptionCounts>&);
template std::optional<std::vector<OptionCounts>> find(
    const Store&, const RecordPart<std::vector<OptionCounts>>&);
template void put(Store&, const RecordPart<std::vector<Loss>>&, const std::vector<Loss>&);
template std::optional<std::vector<Loss>> find(const Store&, const RecordPart<std::vector<Loss>>&);
template void put(Store&, const RecordPart<std::vector<PersonaRecord>>&,
                  const std::vector<PersonaRecord>&);
template std::optional<std::vector<PersonaRecord>> find(
    const Store&, const RecordPart<std::vector<PersonaRecord>>&);

}  // namespace theta
