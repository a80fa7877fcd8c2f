#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace theta {

/// One of the counts that a struct holds.
template <typename Counts>
struct NamedCount {
  const char* name;
  std::int64_t Counts::*count;
  bool largest = false;  ///< of several, the largest counts, not the sum
};

/// @param all  NamedCount<Counts> of every count
template <typename Counts, typename Named>
void add(Counts& to, const Counts& more, const Named& all) {
  for (const auto& [name, count, largest] : all)
    to.*count = largest ? std::max(to.*count, more.*count) : to.*count + more.*count;
}

/// For a report: what, and how many.
template <typename Counts, typename Named>
std::vector<std::pair<std::string, std::int64_t>> listed(const Counts& counts, const Named& all) {
  std::vector<std::pair<std::string, std::int64_t>> out;
  for (const auto& one : all) out.emplace_back(one.name, counts.*one.count);
  return out;
}

}  // namespace theta
