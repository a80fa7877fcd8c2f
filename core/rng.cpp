#include "core/rng.hpp"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "core/result.hpp"
#include "core/statistics.hpp"

namespace theta {
namespace {

constexpr std::size_t kN = 624;  // words of state
constexpr std::size_t kM = 397;  // distance of the second word in the recurrence

/// genrand's initialisation by one word, the starting point of init_by_array.
void seed_by_word(std::array<std::uint32_t, kN>& state, std::uint32_t word) {
  state[0] = word;
  for (std::uint32_t i = 1; i < kN; ++i) {
    state[i] = 1812433253U * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
  }
}

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(std::uint64_t seed) {
  // CPython passes the seed's 32-bit digits, least first, without leading zeros but at least one.
  const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(seed),
                                            static_cast<std::uint32_t>(seed >> 32)};
  const std::uint32_t length = key[1] == 0 ? 1 : 2;

  // init_by_array, Matsumoto & Nishimura 2002.
  seed_by_word(state_, 19650218U);
  std::size_t i = 1;
  std::uint32_t j = 0;
  const auto advance = [&] {
    if (++i == kN) {
      state_[0] = state_[kN - 1];
      i = 1;
    }
  };
  for (std::size_t k = 0; k < kN; ++k) {
    const std::uint32_t last = state_[i - 1];
    state_[i] = (state_[i] ^ ((last ^ (last >> 30)) * 1664525U)) + key[j] + j;
    advance();
    if (++j == length) j = 0;
  }
  for (std::size_t k = 0; k + 1 < kN; ++k) {
    const std::uint32_t last = state_[i - 1];
    state_[i] = (state_[i] ^ ((last ^ (last >> 30)) * 1566083941U)) - static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

std::uint32_t Rng::next() {
  if (index_ == kN) {
    for (std::size_t k = 0; k < kN; ++k) {
      const std::uint32_t y = (state_[k] & 0x80000000U) | (state_[(k + 1) % kN] & 0x7fffffffU);
      state_[k] = state_[(k + kM) % kN] ^ (y >> 1) ^ ((y & 1U) * 0x9908b0dfU);
    }
    index_ = 0;
  }
  std::uint32_t y = state_[index_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

double Rng::uniform() {
  const std::uint32_t a = next() >> 5;
  const std::uint32_t b = next() >> 6;
  return (a * 67108864.0 + b) / 9007199254740992.0;
}

std::size_t Rng::below(std::size_t n) {
  require(n > 0, "below() needs a positive bound");
  // getrandbits(n.bit_length()): the low word is drawn first, the top word keeps its high bits.
  const auto bits = static_cast<int>(std::bit_width(n));
  for (;;) {
    std::size_t r = bits <= 32 ? next() >> (32 - bits) : next();
    if (bits > 32) r |= static_cast<std::size_t>(next() >> (64 - bits)) << 32;
    if (r < n) return r;
  }
}

std::int64_t Rng::between(std::int64_t low, std::int64_t high) {
  require(low <= high, "between() needs low <= high");
  const std::uint64_t width =
      static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + below(width));
}

double Rng::normal() {
  // uniform() is 0 once in 2^53 draws; half a step above it stands in for it.
  return normal_quantile(std::max(uniform(), 0x1p-54));
}

std::vector<std::size_t> Rng::sample(std::size_t n, std::size_t k) {
  require(k <= n, "sample() needs k <= n");
  std::vector<std::size_t> out(k);
  // CPython's choice between a pool and a set: it decides which numbers are drawn.
  std::size_t set_size = 21;
  if (k > 5) {
    std::size_t table = 1;
    while (table < 3 * k) table *= 4;
    set_size += table;
  }
  if (n <= set_size) {
    std::vector<std::size_t> pool(n);
    std::iota(pool.begin(), pool.end(), std::size_t{0});
    for (std::size_t i = 0; i < k; ++i) {
      const std::size_t j = below(n - i);
      out[i] = pool[j];
      pool[j] = pool[n - i - 1];
    }
  } else {
    std::unordered_set<std::size_t> taken;
    for (std::size_t i = 0; i < k; ++i) {
      do {
        out[i] = below(n);
      } while (!taken.insert(out[i]).second);
    }
  }
  return out;
}

std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index) {
  return mix(seed + (index + 1) * 0x9e3779b97f4a7c15U);
}

std::uint64_t derive_seed(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return derive_seed(seed, hash);
}

}  // namespace theta
