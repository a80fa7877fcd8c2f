#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/progress.hpp"
#include "core/records/store.hpp"
#include "optimizers/gate.hpp"
#include "optimizers/pareto.hpp"

namespace theta {

/// The store in a run's folder.
inline constexpr const char* kRecordFile = "run.db";

// What a run leaves for its report and for whoever asks how it stands, beside the store's tables:
// every part by name and type. How they are written is known to run_record.cpp alone.

enum class RunState { kWaiting, kRunning, kDone, kIncomplete, kFailed, kStopped };
/// `waiting`, `running`, ..
const char* name_of(RunState state);

/// How a run that goes on stands.
struct Standing {
  std::string stage;
  double at = 0;       ///< when this was written, in seconds of the Unix clock
  double seconds = 0;  ///< that the run has gone on, restarts added up
  std::optional<double> left_s = {};
  std::string trouble = {};  ///< with a service; empty: none
};

struct DescribedModel {
  std::string name;  ///< under `models`
  std::string how;   ///< its weights or server, in words
};

/// A row of the report, and the one that it is compared with.
struct Comparison {
  std::string method, against;
};

struct PromptText {
  std::string title, text;
  std::optional<std::string> from = {};  ///< title of the prompt that it was searched for from
};

/// What came of the texts that models were asked to write for a search.
struct SearchProposals {
  std::string search;
  std::vector<std::pair<std::string, std::int64_t>> counts;  ///< what, and how many
};

/// The best that a search knows for every length of prompt, the shortest first.
struct SearchFront {
  std::string search;
  std::vector<Tradeoff> points;
};

/// What the gate said of a search's winner.
struct SearchVerdict {
  std::string search;
  Decision gate;
};

/// How often an answer of a few was chosen, and how often it is right.
struct OptionCount {
  std::string option;
  std::size_t chosen = 0, right = 0;
};

/// Those of a row of the report.
struct OptionCounts {
  std::string method, model;
  std::vector<OptionCount> options;
};

/// Requests that a service left without an answer.
struct Loss {
  std::string stage, role;
  std::int64_t requests = 0;
  std::string why;        ///< of the first
  bool measures = false;  ///< of a row's test, by which nothing is decided
};

/// What a method settled on for a user.
struct PersonaRecord {
  std::string method, model, user, persona;
  std::string source;  ///< where the persona came from: `theta`, `training user`, `taste`
  std::string taste;   ///< the user's true taste where it is known, else empty
  std::string
      matched;  ///< the taste that the persona states, as stated_tastes() has it, else empty
};

/// A part of a run's record: its name, and the type of what it holds.
template <typename T>
struct RecordPart {
  std::string_view name;
};

namespace part {

inline constexpr RecordPart<std::string> kConfigHash{"config_hash"};
inline constexpr RecordPart<std::string> kDataHash{"data_hash"};
inline constexpr RecordPart<std::uint64_t> kSeed{"seed"};
inline constexpr RecordPart<std::string> kName{"name"};
inline constexpr RecordPart<std::string> kConfig{"config"};  ///< the resolved YAML
inline constexpr RecordPart<std::string> kNote{"note"};      ///< shown wherever users are
inline constexpr RecordPart<RunState> kState{"state"};
inline constexpr RecordPart<std::string> kError{"error"};      ///< why it is not done
inline constexpr RecordPart<std::string> kStopped{"stopped"};  ///< why it ended early: a budget
inline constexpr RecordPart<std::string> kIncomplete{"incomplete"};  ///< what was not answered
inline constexpr RecordPart<Standing> kStanding{"progress"};
inline constexpr RecordPart<Plan> kPlan{"plan"};  ///< that the first start made
inline constexpr RecordPart<std::vector<DescribedModel>> kModels{"models"};
inline constexpr RecordPart<std::string> kStudent{"student"};         ///< what searches start from
inline constexpr RecordPart<std::vector<std::string>> kRows{"rows"};  ///< in the order wanted
inline constexpr RecordPart<std::vector<Comparison>> kComparisons{"comparisons"};
inline constexpr RecordPart<std::vector<PromptText>> kPrompts{"prompts"};
inline constexpr RecordPart<std::vector<SearchProposals>> kProposals{"proposals"};
inline constexpr RecordPart<std::vector<SearchFront>> kFronts{"fronts"};
inline constexpr RecordPart<std::vector<SearchVerdict>> kGates{"gates"};
inline constexpr RecordPart<std::vector<OptionCounts>> kOptions{"options"};
inline constexpr RecordPart<std::vector<Loss>> kLost{"lost"};
inline constexpr RecordPart<std::vector<PersonaRecord>> kPersonas{"personas"};
inline constexpr RecordPart<std::vector<std::string>> kRemarks{"remarks"};

}  // namespace part

/// Keeps a part, in place of what it held. Bytes of texts that are not UTF-8 are replaced.
template <typename T>
void put(Store& store, const RecordPart<T>& part, const std::type_identity_t<T>& value);
/// What a part holds; nothing where the run left none.
/// @throws RunError if it cannot be read.
template <typename T>
std::optional<T> find(const Store& store, const RecordPart<T>& part);
template <typename T>
T get(const Store& store, const RecordPart<T>& part) {
  return find(store, part).value_or(T{});
}

/// Adds to a part's list, or takes the place of the first for which `is_it` holds. Not thread-safe.
template <typename T, typename F>
void put_one(Store& store, const RecordPart<std::vector<T>>& part, T value, const F& is_it) {
  std::vector<T> all = get(store, part);
  const auto earlier = std::ranges::find_if(all, is_it);
  if (earlier == all.end())
    all.push_back(std::move(value));
  else
    *earlier = std::move(value);
  put(store, part, all);
}

/// Keeps what was decided for the user, or what a number rests on, for the report: one line, once.
/// It takes the place of an earlier one that begins with `about`, unless `rest` is empty. Not
/// thread-safe.
/// @return whether it is a new one.
bool add_remark(Store& store, const std::string& about, const std::string& rest = "");

}  // namespace theta
