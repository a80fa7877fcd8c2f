#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace theta {

/// What a person sees while a run goes on: one line that is redrawn on a terminal, a plain line now
/// and then in a log. Writes to standard error. Thread-safe.
class Progress {
 public:
  /// @param terminal  redraw in place; else a plain line a stage and at most one every
  /// `interval_s`.
  explicit Progress(bool terminal, double interval_s = 15);
  ~Progress();

  /// Begins a stage, ending the one before: `judging 12 users`. `total` 0: unknown.
  void stage(std::string name, std::int64_t total = 0);
  /// Work done in this stage, in the units of `total` (requests).
  void advance(std::int64_t n = 1);
  /// Raises the stage's total by work that has just become known.
  void expect(std::int64_t n);
  /// A standing remark at the line's end: `best .71 [.62, .79]`.
  void note(std::string text);
  /// A full line above the progress line.
  void say(const std::string& line);

 private:
  void draw(bool force);

  const bool terminal_;
  const double interval_s_;
  std::mutex mutex_;
  std::string name_, note_;
  std::int64_t done_ = 0, total_ = 0;
  std::chrono::steady_clock::time_point began_, drawn_;
  std::size_t width_ = 0;
};

}  // namespace theta
