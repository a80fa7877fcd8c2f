#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace theta {

/// A piece of two texts laid over one another.
struct DiffPiece {
  enum class Kind { kSame, kRemoved, kAdded };
  Kind kind = Kind::kSame;
  std::string text;

  bool operator==(const DiffPiece&) const = default;
};

/// What became of a text, word by word: a longest common subsequence of its words and the spaces
/// between them. No two pieces that follow one another are of a kind, and what was removed stands
/// before what was added in its place. Of texts of many thousand words all that lies between what
/// they begin and end with alike counts as changed.
std::vector<DiffPiece> word_diff(std::string_view before, std::string_view after);

/// For a terminal, as wdiff shows it: `Answer [-well-]{+in one word+}.`
std::string diff_text(const std::vector<DiffPiece>& pieces);

}  // namespace theta
