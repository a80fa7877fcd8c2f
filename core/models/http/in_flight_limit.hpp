#pragma once

namespace theta {

/// How many requests a server is given at once: from `most` down and up again, by what it says and
/// how long it takes.
///
/// A refusal for overload (429, 503) halves the limit, once for all that were under way together. A
/// round, as many answers as the limit, whose mean latency is above kLate times the long-run mean
/// takes a tenth off; any other adds the root of the limit, the headroom of Netflix's Gradient2.
/// Times are seconds of one clock.
class InFlightLimit {
 public:
  explicit InFlightLimit(int most);

  int limit() const { return static_cast<int>(limit_); }
  /// A request sent at `sent_s` was answered.
  void answered(double sent_s, double now_s);
  /// A request sent at `sent_s` was refused for overload.
  void refused(double sent_s, double now_s);

  static constexpr double kLate = 2;

 private:
  double most_;
  double limit_;
  double cut_s_ = -1;       // of the last halving
  double usual_s_ = 0;      // long-run mean latency; 0: not known
  double round_sum_s_ = 0;  // latencies of the round
  int round_size_ = 0;
};

}  // namespace theta
