#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace theta {

/// The random numbers of CPython's `random.Random(seed)`: MT19937 seeded by init_by_array, with
/// CPython's own distributions. DSPy and SynthesizeMe draw from it, so that with the same seed
/// Theta splits, shuffles and samples as they do. One generator for everything; no std::
/// distribution is used, as those differ between libraries. Matsumoto & Nishimura 1998; CPython
/// Lib/random.py.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  std::uint32_t next();  ///< 32 uniform bits
  double uniform();      ///< [0, 1), 53 bits: random()
  /// Uniform in 0..n-1: _randbelow. n > 0.
  std::size_t below(std::size_t n);
  /// Uniform in low..high, both included: randint.
  std::int64_t between(std::int64_t low, std::int64_t high);
  /// Standard normal by inversion: exactly one uniform() a draw.
  double normal();

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i-- > 1;) std::swap(items[i], items[below(i + 1)]);
  }
  /// `k` of 0..n-1 without replacement, in random order: sample(range(n), k). k <= n.
  std::vector<std::size_t> sample(std::size_t n, std::size_t k);

 private:
  std::array<std::uint32_t, 624> state_{};
  std::size_t index_ = 624;
};

/// The seed of item `index` of a stream: every item has its own, so that results do not depend on
/// the order in which items are computed. SplitMix64 finaliser (Steele, Lea & Flood 2014).
std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index);
/// The same for a named stream ("bootstrap", "split").
std::uint64_t derive_seed(std::uint64_t seed, std::string_view name);

}  // namespace theta
