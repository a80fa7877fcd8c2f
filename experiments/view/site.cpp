#include "experiments/view/site.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "core/ascii.hpp"
#include "core/log.hpp"
#include "core/private_file.hpp"
#include "core/records/store.hpp"
#include "experiments/report/paired_outcomes.hpp"
#include "experiments/runs/run_record.hpp"
#include "experiments/runs/sweep.hpp"
#include "experiments/view/pages.hpp"
#include "experiments/view/random_hex.hpp"

namespace theta::view {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFolders = 50, kItems = 50, kTrials = 100, kAnswers = 25;  // of a page
/// Records that are kept open: opening one reads it whole.
constexpr std::size_t kOpen = 8;
constexpr std::size_t kLongestReport = 256UL << 20;
constexpr std::size_t kLongestSought = 1000;  // bytes

/// What tells that a file is another than it was, or was written to.
struct FileState {
  std::uint64_t device = 0, inode = 0;
  std::int64_t bytes = 0, seconds = 0, nanoseconds = 0;

  bool is_same_file(const FileState& other) const {
    return device == other.device && inode == other.inode;
  }
  bool operator==(const FileState&) const = default;
};

FileState state_of(const fs::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

std::int64_t number_of(const std::string& text, std::int64_t fallback) {
  std::int64_t number = fallback;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Whether a text stands in another, upper and lower case of ASCII alike.
bool holds(std::string_view text, std::string_view sought) {
  const auto same = [](char a, char b) { return ascii::lower(a) == ascii::lower(b); };
  return std::search(text.begin(), text.end(), sought.begin(), sought.end(), same) != text.end() ||
         sought.empty();
}

/// A run's record while somebody looks at it.
struct OpenRun {
  explicit OpenRun(const fs::path& record)
      : state(state_of(record)), store(record, Store::Access::kRead), answers(record) {}

  /// The rows that it is tested on; null, and `note`, where they cannot be read.
  const std::vector<Example>* rows() {
    if (!rows_ && note.empty()) try {
        rows_ = test_rows(store);
        for (std::size_t i = 0; i < rows_->size(); ++i) by_id.emplace((*rows_)[i].id, i);
      } catch (const std::exception& e) {
        note = fmt::format("texts and answers are not known: {}", e.what());
      }
    return rows_ ? &*rows_ : nullptr;
  }

  const FileState state;
  const Store store;
  KeptAnswers answers;
  std::string note;
  std::map<std::string, std::size_t> by_id;
  std::uint64_t used = 0;

 private:
  std::optional<std::vector<Example>> rows_;
};

std::string inputs_text(const Example& row) {
  std::string out;
  for (const auto& [name, value] : row.fields)
    out += (out.empty() ? "" : "\n") + name + ": " + to_text(value);
  return out;
}

std::vector<RowName> rows_in(const std::string& run, const std::vector<Outcome>& outcomes) {
  std::vector<RowName> rows;
  for (const Outcome& one : outcomes) {
    const RowName row{run, one.method, one.model};
    if (rows.empty() || rows.back() != row) rows.push_back(row);
  }
  return rows;
}

}  // namespace

struct Site::Impl {
  explicit Impl(fs::path folder) : root(std::move(folder)) {
    if (!fs::exists(root)) throw UserError(root.string() + ": there is no such folder");
    if (listed().empty())
      throw UserError(root.string() + " holds neither a run nor a sweep, nor folders of them");
  }

  fs::path path_of(const std::string& run) const { return run == "." ? root : root / run; }

  /// The runs and sweeps of the folder, by name; of a sweep its runs.
  std::vector<ListedFolder> listed() const {
    if (holds_sweep(root)) return runs_of(".");
    if (fs::exists(root / kRecordFile)) return {{".", root.filename().string(), {}}};
    std::vector<ListedFolder> all;
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(root, gone)) {
      const std::string name = entry.path().filename().string();
      if (holds_sweep(entry.path()))
        all.push_back({name, name, read_sweep_list(entry.path()).runs.size()});
      else if (fs::exists(entry.path() / kRecordFile))
        all.push_back({name, name, {}});
    }
    std::ranges::sort(all, {}, &ListedFolder::folder);
    return all;
  }

  std::vector<ListedFolder> runs_of(const std::string& sweep) const {
    std::vector<ListedFolder> all;
    for (const ListedRun& run : read_sweep_list(path_of(sweep)).runs)
      all.push_back({sweep == "." ? run.folder : sweep + "/" + run.folder, run.label, {}});
    return all;
  }

  /// The name of a run or a sweep that a query names: one of those that are listed.
  std::string named(const std::string& run) const {
    const auto is_it = [&](const ListedFolder& one) { return one.folder == run; };
    const auto all = listed();
    if (std::ranges::any_of(all, is_it) || (run == "." && holds_sweep(root))) return run;
    const std::string sweep = run.substr(0, run.find('/'));
    const bool of_sweep = std::ranges::any_of(
        all, [&](const ListedFolder& one) { return one.folder == sweep && one.runs; });
    if (of_sweep && std::ranges::any_of(runs_of(sweep), is_it)) return run;
    throw UserError("there is no such run here");
  }

  OpenRun& open(const std::string& run) {
    const fs::path record = path_of(named(run)) / kRecordFile;
    if (const auto found = runs.find(run);
        found != runs.end() && !found->second->state.is_same_file(state_of(record)))
      runs.erase(found);
    auto& mine = runs[run];
    if (!mine) try {
        mine = std::make_unique<OpenRun>(record);
      } catch (...) {
        runs.erase(run);
        throw;
      }
    mine->used = ++uses;
    while (runs.size() > kOpen)
      runs.erase(
          std::ranges::min_element(runs, {}, [](const auto& entry) { return entry.second->used; }));
    return *mine;
  }

  bool is_live(const std::string& run) const {
    return Store::owner(path_of(run) / kRecordFile).has_value();
  }

  /// How a run stands. Of one that nobody writes it is known until its record changes.
  const RunStatus& status_of(const std::string& run) {
    const fs::path record = path_of(run) / kRecordFile;
    const std::pair now(state_of(record), state_of(record.string() + "-wal"));
    auto& [seen, status] = statuses[run];
    const bool settled = status && status->state != RunState::kRunning && !is_live(run);
    if (!settled || seen != now) {
      status = read_status(path_of(run));
      seen = now;
    }
    return *status;
  }

  Page folders(std::vector<ListedFolder> all, const std::string& title, const std::string& above,
               const PageRequest& asked) {
    const Piece piece = piece_of(asked["page"], kFolders, all.size());
    all = {all.begin() + static_cast<std::ptrdiff_t>(piece.begin()),
           all.begin() + static_cast<std::ptrdiff_t>(piece.end())};
    for (ListedFolder& one : all)
      if (!one.runs) one.status = status_of(one.folder);
    return index_page(title, all, piece, above);
  }

  Page run(const PageRequest& asked) {
    const std::string run = named(asked["run"]);
    std::optional<Report> report;
    RunStatus status = status_of(run);
    try {
      report = make_report(open(run).store);
    } catch (const RunError& e) {  // it has not come so far
      if (status.error.empty()) status.error = e.what();
    }
    std::vector<std::string> others;
    const std::string sweep =
        run.find('/') == std::string::npos ? "" : run.substr(0, run.find('/'));
    for (const ListedFolder& one : sweep.empty() ? listed() : runs_of(sweep))
      if (one.folder != run && !one.runs) others.push_back(one.folder);
    return run_page(run, status, report, others);
  }

  Page compare(const PageRequest& asked) const {
    const std::string a = named(asked["run"]), b = named(asked["with"]);
    return comparison_page(a, b, compare_runs(path_of(a), path_of(b)));
  }

  /// The row that is asked for: the first of the run where none is named.
  RowName row_asked(const PageRequest& asked, const std::vector<RowName>& rows) const {
    RowName row{asked["run"], asked["row"], asked["model"]};
    if (row.method.empty() && !rows.empty()) return rows.front();
    if (std::ranges::find(rows, row) == rows.end())
      throw UserError(rows.empty() ? "this run has scored no row so far"
                                   : "this run has no such row");
    return row;
  }

  std::optional<RowName> beside(const PageRequest& asked) const {
    auto row = row_of(asked["beside"]);
    if (row) named(row->run);
    return row;
  }

  /// What the row's program made of the items of a page.
  void add_answers(OpenRun& run, const RowName& row, std::vector<ItemLine>& lines,
                   std::optional<std::string> ItemLine::*to, std::string& note) const {
    const auto* rows = run.rows();
    if (rows == nullptr) {
      note = run.note;
      return;
    }
    std::vector<std::size_t> items;
    std::vector<ItemLine*> whose;
    for (ItemLine& line : lines)
      if (const auto found = run.by_id.find(line.outcome.item); found != run.by_id.end()) {
        items.push_back(found->second);
        whose.push_back(&line);
      }
    try {
      const RowReplay replay(run.store, run.answers, *rows, row.method, row.model);
      auto answers = replay.answers(items);
      for (std::size_t i = 0; i < items.size(); ++i)
        if (answers[i]) whose[i]->*to = *std::move(answers[i]);
    } catch (const UserError& e) {
      note = fmt::format("answers of {} are not known: {}", row.method, e.what());
    }
  }

  Page items(const PageRequest& asked) {
    ItemsView view;
    OpenRun& run = open(asked["run"]);
    const std::vector<Outcome> all = run.store.outcomes();
    const std::vector<RowName> rows = rows_in(asked["run"], all);
    view.row = row_asked(asked, rows);
    view.against = beside(asked);
    view.filter = filter_of(asked["only"]);
    view.text = asked["text"].substr(0, kLongestSought);
    view.live = is_live(view.row.run);
    std::ranges::copy_if(rows, std::back_inserter(view.others),
                         [&](const RowName& row) { return row != view.row; });
    if (view.against && std::ranges::find(view.others, *view.against) == view.others.end())
      view.others.push_back(*view.against);

    std::map<std::pair<std::string, int>, Outcome> others;
    if (view.against)
      for (Outcome& one : outcomes_of(
               view.against->run == view.row.run ? all : open(view.against->run).store.outcomes(),
               view.against->method, view.against->model))
        others.emplace(std::pair(one.item, one.variant), std::move(one));
    OpenRun& own = open(view.row.run);
    const auto* data = own.rows();
    std::vector<ItemLine> lines;
    for (Outcome& one : outcomes_of(all, view.row.method, view.row.model)) {
      const auto other = others.find({one.item, one.variant});
      const Outcome* against = other == others.end() ? nullptr : &other->second;
      if (!passes(view.filter, one, against)) continue;
      ItemLine line{std::move(one), {}, "", {}, {}};
      if (against != nullptr) line.against = *against;
      if (const auto found = own.by_id.find(line.outcome.item); found != own.by_id.end())
        line.text = inputs_text((*data)[found->second]);
      if (!holds(line.outcome.item + "\n" + line.outcome.group + "\n" + line.outcome.why + "\n" +
                     line.text,
                 view.text))
        continue;
      lines.push_back(std::move(line));
    }
    view.piece = piece_of(asked["page"], kItems, lines.size());
    view.items.assign(
        std::make_move_iterator(lines.begin() + static_cast<std::ptrdiff_t>(view.piece.begin())),
        std::make_move_iterator(lines.begin() + static_cast<std::ptrdiff_t>(view.piece.end())));
    add_answers(own, view.row, view.items, &ItemLine::answer, view.note);
    if (view.against)
      add_answers(open(view.against->run), *view.against, view.items, &ItemLine::answer_against,
                  view.note);
    return items_page(view);
  }

  ItemSide side_of(const RowName& row, const std::string& item) {
    OpenRun& run = open(row.run);
    ItemSide side{row, {}, {}, ""};
    for (Outcome& one : outcomes_of(run.store.outcomes(), row.method, row.model))
      if (one.item == item) side.outcomes.push_back(std::move(one));
    const auto* rows = run.rows();
    const auto found = run.by_id.find(item);
    if (rows == nullptr || found == run.by_id.end()) {
      side.note = rows == nullptr ? run.note : "the data have no such row";
      return side;
    }
    try {
      side.exchanges =
          RowReplay(run.store, run.answers, *rows, row.method, row.model).exchanges(found->second);
    } catch (const UserError& e) {
      side.note = e.what();
    }
    return side;
  }

  Page item(const PageRequest& asked) {
    ItemView view;
    view.item = asked["item"];
    OpenRun& run = open(asked["run"]);
    const std::vector<Outcome> all = run.store.outcomes();
    const RowName row = row_asked(asked, rows_in(asked["run"], all));
    for (const Outcome& one : all)
      if (one.item == view.item) view.outcomes.push_back(one);
    if (view.outcomes.empty()) throw UserError("this run has no such item");
    if (const auto* rows = run.rows())
      if (const auto found = run.by_id.find(view.item); found != run.by_id.end())
        for (const auto& [name, value] : (*rows)[found->second].fields)
          view.fields.emplace_back(name, to_text(value));
    view.sides.push_back(side_of(row, view.item));
    if (const auto other = beside(asked)) view.sides.push_back(side_of(*other, view.item));
    return item_page(view);
  }

  Page trials(const PageRequest& asked) {
    TrialsView view{named(asked["run"]), {}, asked["search"], {}, {}, is_live(asked["run"])};
    std::vector<TrialRecord> all = open(view.run).store.trials();
    for (const TrialRecord& one : all)
      if (std::ranges::find(view.searches, one.search) == view.searches.end())
        view.searches.push_back(one.search);
    if (view.search.empty() && !view.searches.empty()) view.search = view.searches.front();
    std::erase_if(all, [&](const TrialRecord& one) { return one.search != view.search; });
    view.piece = piece_of(asked["page"], kTrials, all.size());
    view.trials.assign(all.begin() + static_cast<std::ptrdiff_t>(view.piece.begin()),
                       all.begin() + static_cast<std::ptrdiff_t>(view.piece.end()));
    return trials_page(view);
  }

  Page trial(const PageRequest& asked) {
    std::vector<TrialRecord> all = open(asked["run"]).store.trials();
    std::erase_if(all, [&](const TrialRecord& one) { return one.search != asked["search"]; });
    const auto find = [&](const std::string& number, const std::string& kind) {
      const auto found = std::ranges::find_if(all, [&](const TrialRecord& one) {
        return one.number == number_of(number, 0) && (kind.empty() || name_of(one.kind) == kind);
      });
      if (found == all.end()) throw UserError("this search has no such trial");
      return *found;
    };
    const TrialRecord one = find(asked["n"], asked["kind"]);
    return trial_page(asked["run"], one,
                      asked["with"].empty() ? all.front() : find(asked["with"], ""));
  }

  Page answers(const PageRequest& asked) {
    AnswersView view{named(asked["run"]),
                     asked["text"].substr(0, kLongestSought),
                     number_of(asked["after"], 0),
                     {},
                     false,
                     is_live(asked["run"])};
    view.answers = open(view.run).answers.find(view.text, view.after, kAnswers + 1);
    view.more = view.answers.size() > kAnswers;
    if (view.more) view.answers.pop_back();
    return answers_page(view);
  }

  Page answer(const PageRequest& asked) {
    const auto kept = open(asked["run"]).answers.at(number_of(asked["number"], 0));
    if (!kept) throw UserError("the record has no such answer");
    return answer_page(asked["run"], *kept);
  }

  Page prompts(const PageRequest& asked) {
    PromptsView view{named(asked["run"]), asked["with"], {}, {}, asked["a"], asked["b"]};
    view.prompts = get(open(view.run).store, part::kPrompts);
    view.against_prompts =
        view.against_run.empty() ? view.prompts : get(open(view.against_run).store, part::kPrompts);
    if (view.title.empty() && !view.prompts.empty()) view.title = view.prompts.front().title;
    if (view.against.empty() && !view.against_prompts.empty())
      view.against = view.against_prompts.back().title;
    return prompts_page(view);
  }

  Page page(const PageRequest& asked) {
    if (asked.page.empty())
      return folders(listed(), fs::absolute(root).lexically_normal().string(), "", asked);
    if (asked.page == "sweep") {
      const std::string sweep = named(asked["run"]);
      return folders(runs_of(sweep), read_sweep_list(path_of(sweep)).name, sweep, asked);
    }
    if (asked.page == "run") return run(asked);
    if (asked.page == "compare") return compare(asked);
    if (asked.page == "items") return items(asked);
    if (asked.page == "item") return item(asked);
    if (asked.page == "trials") return trials(asked);
    if (asked.page == "trial") return trial(asked);
    if (asked.page == "answers") return answers(asked);
    if (asked.page == "answer") return answer(asked);
    if (asked.page == "prompts") return prompts(asked);
    throw UserError("there is no such page");
  }

  const fs::path root;
  std::map<std::string, std::unique_ptr<OpenRun>> runs;
  std::map<std::string, std::pair<std::pair<FileState, FileState>, std::optional<RunStatus>>>
      statuses;
  std::uint64_t uses = 0;
};

Site::Site(const fs::path& folder) : impl_(std::make_unique<Impl>(folder)) {}
Site::~Site() = default;

PageReply Site::answer(const PageRequest& request) {
  const std::string nonce = random_hex();
  try {
    // The page that the run wrote itself, which has its own styles and no script.
    if (request.page == "report")
      return {200,
              read_bounded(impl_->path_of(impl_->named(request["run"])) / "report.html",
                           kLongestReport),
              "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"};
    return {200, html_of(impl_->page(request), nonce), policy_of(nonce)};
  } catch (const UserError& e) {
    return {404, html_of(error_page(e.what()), nonce), policy_of(nonce)};
  } catch (const RunError& e) {
    return {500, html_of(error_page(e.what()), nonce), policy_of(nonce)};
  }
}

}  // namespace theta::view
