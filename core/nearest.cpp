#include "core/nearest.hpp"

#include <algorithm>
#include <cstddef>

#include "core/ascii.hpp"

namespace theta {
namespace {

/// Optimal string alignment distance; three rows of the usual table suffice.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

/// A name without what its spelling varies in: `MaxTokens` is `max_tokens`.
std::string letters_of(std::string_view name) {
  std::string out = ascii::lower(name);
  std::erase_if(out, [](char c) { return c == '_' || c == '-' || c == ' '; });
  return out;
}

bool continues(std::string_view word, std::string_view start) {
  return start.size() >= 3 && word.starts_with(start);
}

}  // namespace

std::optional<std::string> nearest(std::string_view given,
                                   const std::vector<std::string>& candidates) {
  const std::string word = letters_of(given);
  const std::size_t most = std::max<std::size_t>(1, word.size() / 3);
  std::optional<std::string> best;
  std::size_t best_distance = 0;
  for (const std::string& one : candidates) {
    const std::string candidate = letters_of(one);
    const std::size_t d = distance(word, candidate);
    const bool near = (d <= most && (d == 0 || d < word.size())) || continues(word, candidate) ||
                      continues(candidate, word);
    if (near && (!best || d < best_distance)) {
      best = one;
      best_distance = d;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const auto best = nearest(word, candidates);
  return best ? "; did you mean '" + *best + "'?" : "";
}

}  // namespace theta
