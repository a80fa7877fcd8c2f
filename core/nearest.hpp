#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace theta {

/// The candidate that `word` was most likely meant to be: the one with the smallest edit distance
/// (insertions, deletions, replacements, swaps of neighbours) if that is at most a third of the
/// word, or one that continues or begins the word (`temp`, `temperature`). The first wins ties.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

/// `; did you mean 'optimizer'?`, or nothing if no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace theta
