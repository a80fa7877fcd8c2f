#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>

namespace theta {

/// Where a stage of a run stands.
struct Stage {
  std::string name;        ///< `judging 12 users`
  std::int64_t done = 0;   ///< requests
  std::int64_t total = 0;  ///< 0: unknown
  double elapsed_s = 0;
  std::string note = {};  ///< `best .71 [.62, .79]`
};

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
  ~Progress();

  /// Begins a stage, ending the one before. `total` 0: unknown.
  void stage(std::string name, std::int64_t total = 0);
  /// Ends the stage; its last line stays.
  void finish();
  /// Work done in this stage, in the units of `total`.
  void advance(std::int64_t n = 1);
  /// Raises the stage's total by work that has just become known.
  void expect(std::int64_t n);
  /// A standing remark at the line's end.
  void note(std::string text);
  /// A full line above the progress line.
  void say(const std::string& line);

  bool terminal() const { return terminal_; }

 private:
  using Clock = std::chrono::steady_clock;

  // All with mutex_ held.
  void draw(bool force = false);
  void end_stage();
  std::size_t width() const;

  const bool terminal_;
  const double interval_s_;
  std::FILE* const out_;
  std::mutex mutex_;
  bool running_ = false;  // a stage has begun and not ended
  Stage stage_;
  Clock::time_point began_, drawn_;
  std::condition_variable_any wake_;
  std::jthread ticker_;  // redraws while nothing advances; last, so that it ends first
};

}  // namespace theta
