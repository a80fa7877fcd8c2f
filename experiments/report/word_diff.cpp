#include "experiments/report/word_diff.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/ascii.hpp"

namespace theta {
namespace {

using Kind = DiffPiece::Kind;
using Tokens = std::vector<std::string_view>;

/// Most cells of the table of common lengths.
constexpr std::size_t kMostCells = std::size_t{1} << 24;

/// Words, and what lies between them.
Tokens tokens_of(std::string_view text) {
  Tokens tokens;
  while (!text.empty()) {
    const bool blank = ascii::kBlank.find(text.front()) != std::string_view::npos;
    const std::size_t n =
        std::min(blank ? text.find_first_not_of(ascii::kBlank) : text.find_first_of(ascii::kBlank),
                 text.size());
    tokens.push_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return tokens;
}

class Pieces {
 public:
  void add(Kind kind, std::string_view text) {
    if (kind == Kind::kSame) {
      flush();
      append(Kind::kSame, text);
    } else {
      (kind == Kind::kRemoved ? removed_ : added_) += text;
    }
  }
  std::vector<DiffPiece> take() {
    flush();
    return std::move(pieces_);
  }

 private:
  void append(Kind kind, std::string_view text) {
    if (text.empty()) return;
    if (!pieces_.empty() && pieces_.back().kind == kind)
      pieces_.back().text += text;
    else
      pieces_.push_back({kind, std::string(text)});
  }
  void flush() {
    append(Kind::kRemoved, removed_);
    append(Kind::kAdded, added_);
    removed_.clear();
    added_.clear();
  }

  std::vector<DiffPiece> pieces_;
  std::string removed_, added_;  ///< since what is the same
};

/// What lies between the ends that both have.
void add_middle(const Tokens& a, const Tokens& b, Pieces& pieces) {
  const std::size_t n = a.size(), m = b.size();
  if ((n + 1) * (m + 1) > kMostCells) {
    for (const auto& token : a) pieces.add(Kind::kRemoved, token);
    for (const auto& token : b) pieces.add(Kind::kAdded, token);
    return;
  }
  // common[i, j]: length of what a from i and b from j have in common.
  std::vector<std::uint32_t> common((n + 1) * (m + 1), 0);
  const auto at = [&](std::size_t i, std::size_t j) -> std::uint32_t& {
    return common[i * (m + 1) + j];
  };
  for (std::size_t i = n; i-- > 0;)
    for (std::size_t j = m; j-- > 0;)
      at(i, j) = a[i] == b[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
  std::size_t i = 0, j = 0;
  while (i < n || j < m) {
    if (i < n && j < m && a[i] == b[j]) {
      pieces.add(Kind::kSame, a[i]);
      ++i, ++j;
    } else if (j == m || (i < n && at(i + 1, j) >= at(i, j + 1))) {
      pieces.add(Kind::kRemoved, a[i++]);
    } else {
      pieces.add(Kind::kAdded, b[j++]);
    }
  }
}

}  // namespace

std::vector<DiffPiece> word_diff(std::string_view before, std::string_view after) {
  Tokens a = tokens_of(before), b = tokens_of(after);
  const auto first = std::ranges::mismatch(a, b);
  const Tokens head(a.begin(), first.in1);
  a.erase(a.begin(), first.in1);
  b.erase(b.begin(), first.in2);
  const auto last = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  const Tokens tail(last.first.base(), a.end());
  a.resize(a.size() - tail.size());
  b.resize(b.size() - tail.size());
  Pieces pieces;
  for (const auto& token : head) pieces.add(Kind::kSame, token);
  add_middle(a, b, pieces);
  for (const auto& token : tail) pieces.add(Kind::kSame, token);
  return pieces.take();
}

std::string diff_text(const std::vector<DiffPiece>& pieces) {
  std::string out;
  for (const auto& [kind, text] : pieces) {
    if (kind == Kind::kSame)
      out += text;
    else
      out += (kind == Kind::kRemoved ? "[-" : "{+") + text + (kind == Kind::kRemoved ? "-]" : "+}");
  }
  return out;
}

}  // namespace theta
