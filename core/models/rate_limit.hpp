#pragma once

namespace theta {

/// A budget that fills evenly, a token bucket: so much a minute, of which a second's worth (1 at
/// least) may be saved up. Whoever takes more than there is waits until the debt is filled, so that
/// turns are kept. Times are seconds of one clock that never goes back.
class RateLimit {
 public:
  /// @param per_minute  0: no limit
  explicit RateLimit(double per_minute);

  /// Takes `cost`.   @return how long to wait before it is spent.
  double take(double cost, double now_s);
  /// What was taken and turns out not to be spent; negative: what was spent beyond it.
  void give_back(double cost);

 private:
  double per_second_;
  double most_;
  double level_;
  double filled_s_ = 0;  // when level_ was right
};

}  // namespace theta
