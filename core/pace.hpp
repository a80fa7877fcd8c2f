#pragma once

#include <cmath>
#include <optional>

namespace theta {

/// How fast work goes, of which the last minutes count most: a mean with weights that fall to 1/e in
/// kMemory. A change of pace is believed by and by, so that what is left by it does not jump. Times
/// are seconds of any clock that does not go back.
class Pace {
 public:
  static constexpr double kMemory = 180;

  explicit Pace(double began) : began_(began), at_(began) {}

  void add(double now, double work) {
    work_ = work_ * std::exp((at_ - now) / kMemory) + work;
    at_ = now;
  }
  /// Nothing before there is any work.
  std::optional<double> per_second(double now) const {
    const double seconds = kMemory * -std::expm1((began_ - now) / kMemory);
    if (work_ <= 0 || seconds <= 0) return std::nullopt;
    return work_ * std::exp((at_ - now) / kMemory) / seconds;
  }

 private:
  double began_, at_, work_ = 0;  ///< work by its weight at at_
};

}  // namespace theta
