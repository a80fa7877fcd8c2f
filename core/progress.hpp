#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/pace.hpp"

namespace theta {

/// Where a stage of a run stands.
struct Stage {
  std::string name;        ///< `judging 12 users`
  std::int64_t done = 0;   ///< requests
  std::int64_t total = 0;  ///< 0: unknown
  double elapsed_s = 0;
  std::string note = {};                  ///< `best .71 [.62, .79]`
  std::string trouble = {};               ///< in place of the pace: what it waits for
  std::optional<double> run_left_s = {};  ///< of the run that the stage is one of
  std::int64_t replayed = 0;              ///< of what is done: no part of the pace
};

/// The stages that a run will go through, each with its requests.
using Plan = std::vector<std::pair<std::string, std::int64_t>>;

/// Where a whole run stands.
struct Whole {
  std::string stage;
  std::int64_t done = 0;
  std::int64_t total = 0;             ///< 0: not planned
  std::optional<double> left_s = {};  ///< by the Pace; none before there is one
  std::string trouble = {};           ///< `http://host/v1: no answer for 75 s: connection refused`
};

/// `0:42`, `1:02:03`
std::string clock_text(double seconds);

/// `judging 12 users [=====>     ] 120/288  4.2/s  0:28, 0:40 left  best .71`, at most `width`
/// characters. The bar takes what room there is and goes first.
std::string progress_bar(const Stage& stage, std::size_t width);
/// `judging 12 users: 120/288, 4.2/s, 0:28, 0:40 left, best .71`.
std::string progress_text(const Stage& stage);

/// What a person sees while a run goes on: on a terminal one line that is redrawn, at most ten
/// times a second and at least once; in a log a plain line at the end of each stage and now and
/// then within. Thread-safe. Everything else that is written to the same place goes through say().
class Progress {
 public:
  /// @param terminal    redraw in place
  /// @param interval_s  between the plain lines of a stage
  explicit Progress(bool terminal, double interval_s = 15, std::FILE* out = stderr);
  /// One of several runs side by side. Writes nothing: its work advances the stage of `all`, which
  /// outlives it, and what it does is the remark there, behind `label`.
  Progress(Progress& all, std::string label);
  ~Progress();

  /// What is to come: stages that begin without a total take it from here. What was done before is
  /// no part of it.
  void plan(Plan plan);
  /// Begins a stage, ending the one before. `total` 0: as planned, else unknown.
  void stage(std::string name, std::int64_t total = 0);
  /// Ends the stage; its last line stays.
  void finish();
  /// Work done in this stage, in the units of `total`. A total that is exceeded was an estimate and
  /// grows.
  /// @param known  it was there already. Before anything else is done, that is a run that goes on where
  ///               it stopped, and says nothing of the pace; later, it is work that was planned and
  ///               comes for nothing, as more of it will.
  void advance(std::int64_t n = 1, bool known = false);
  /// A server has given no answer for so long and why; with an empty reason, it answers again.
  void trouble(const std::string& server, const std::string& why, double seconds);
  /// A standing remark at the line's end.
  void note(std::string text);
  /// A full line above the progress line.
  void say(const std::string& line);

  Whole whole();
  bool terminal() const { return terminal_; }

 private:
  void count(std::int64_t n, bool replayed);
  // All with mutex_ held.
  void draw(bool force = false);
  void write(const std::string& text);
  void end_stage();
  std::int64_t left() const;
  std::optional<double> run_left_s() const;
  std::string trouble_text() const;
  std::size_t width() const;

  const bool terminal_;
  const double interval_s_;
  std::FILE* const out_;  // null: one of several runs
  Progress* const all_ = nullptr;
  const std::string label_;
  std::atomic<bool> computes_ = false;  // anything was done that was not known
  std::mutex mutex_;
  bool running_ = false;  // a stage has begun and not ended
  Stage stage_;
  Clock::time_point began_, drawn_;
  struct Trouble {
    Clock::time_point since;
    std::string why;
  };
  std::map<std::string, Trouble> troubles_;  // by server
  Plan plan_;                                // what is still to begin
  bool planned_ = false;
  std::int64_t done_ = 0;     // in all stages of the plan
  std::optional<Pace> pace_;  // since the plan
  std::condition_variable_any wake_;
  std::jthread ticker_;  // redraws while nothing advances; last, so that it ends first
};

}  // namespace theta
