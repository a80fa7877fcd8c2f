#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/records/kept_answers.hpp"
#include "core/records/trial.hpp"
#include "experiments/report/comparison.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/sweep_report.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/view/page.hpp"
#include "experiments/view/row_replay.hpp"

namespace theta::view {

// What is shown of records, each page a pure function of what was read of them. A run is named by
// its folder below the one that is viewed: `.` for that itself.

/// A run or a sweep in a list.
struct ListedFolder {
  std::string folder, label;
  std::optional<std::size_t> runs;  ///< of a sweep; none: it is a run
  RunStatus status = {};            ///< of a run
};
/// @param piece  which of them `listed` are
Page index_page(const std::string& title, const std::vector<ListedFolder>& listed,
                const Piece& piece, const std::string& above = "");

/// A row of a run's report.
struct RowName {
  std::string run, method, model;
  bool operator==(const RowName&) const = default;
};
/// A row in a query: a JSON list.
std::string key_of(const RowName& row);
std::optional<RowName> row_of(const std::string& key);
/// Asks for a row, and one beside it.
Query query_of(const RowName& row, const std::optional<RowName>& against = {});

/// @param report  none: the run has not come so far
/// @param others  folders of runs to compare it with
Page run_page(const std::string& run, const RunStatus& status, const std::optional<Report>& report,
              const std::vector<std::string>& others);

Page comparison_page(const std::string& a, const std::string& b, const RunComparison& comparison);

/// Which items are listed. Wrong: scored, and below 1.
enum class ItemFilter { kAll, kWrong, kUnparsable, kRefused, kFailed, kBetter, kWorse };
const char* name_of(ItemFilter filter);
/// Of a query; what is none is kAll.
ItemFilter filter_of(const std::string& name);
/// @param against  the outcome of the other row; null: there is none
bool passes(ItemFilter filter, const Outcome& outcome, const Outcome* against);

/// An item under a row, and under another.
struct ItemLine {
  Outcome outcome;
  std::optional<Outcome> against;
  std::string text;                                   ///< of its inputs; empty: not known
  std::optional<std::string> answer, answer_against;  ///< none: not known
};
struct ItemsView {
  RowName row;
  std::optional<RowName> against;
  std::vector<RowName> others;  ///< that it can be laid beside
  ItemFilter filter = ItemFilter::kAll;
  std::string text;  ///< that is sought
  Piece piece;
  std::vector<ItemLine> items;  ///< of this piece
  std::string note;             ///< why texts or answers are missing
  bool live = false;
};
Page items_page(const ItemsView& view);

/// What one row made of an item.
struct ItemSide {
  RowName row;
  std::vector<Outcome> outcomes;  ///< one a variant
  std::vector<Exchange> exchanges;
  std::string note;  ///< why there are none
};
struct ItemView {
  std::string item;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<Outcome> outcomes;  ///< of all rows of the run
  std::vector<ItemSide> sides;
};
Page item_page(const ItemView& view);

struct TrialsView {
  std::string run;
  std::vector<std::string> searches;
  std::string search;
  std::vector<TrialRecord> trials;  ///< of the piece
  Piece piece;
  bool live = false;
};
Page trials_page(const TrialsView& view);
/// Two trials side by side.
Page trial_page(const std::string& run, const TrialRecord& trial, const TrialRecord& against);

struct AnswersView {
  std::string run, text;
  std::int64_t after = 0;
  std::vector<KeptAnswer> answers;
  bool more = false;  ///< there are others behind these
  bool live = false;
};
Page answers_page(const AnswersView& view);
Page answer_page(const std::string& run, const KeptAnswer& answer);

/// Two prompts of the run, or of two runs.
struct PromptsView {
  std::string run, against_run;
  std::vector<PromptText> prompts, against_prompts;
  std::string title, against;  ///< those that are laid over one another: the second over the first
};
Page prompts_page(const PromptsView& view);

/// For what cannot be shown.
Page error_page(const std::string& why);

}  // namespace theta::view
