#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace theta {

/// One of the words that metrics compare.
struct Word {
  /// How a word that is spelled like an article may be read.
  enum class Reading {
    kWord,     ///< it stands for itself: `(A)`, `Hepatitis A`; so does every word of other spelling
    kArticle,  ///< it stands in front of a word
    kEither    ///< it does, but reads as a name as well: `choice A fits`, `A because ..`
  };
  std::string text;
  Reading reading = Reading::kWord;
};

/// The words of a text, as SQuAD's evaluation compares them (Rajpurkar et al. 2016), in any script:
/// between spaces, without punctuation and without differences of case and composition. Unlike
/// dspy 3.4.1, evaluate/metrics.py normalize_text, it folds case in full (`Straße` is `STRASSE`),
/// takes Unicode's punctuation for such and not ASCII's alone, passes over characters that cannot
/// be seen, parts words at a long dash, counts every letter for a word where a script has no spaces,
/// and leaves articles in, told from what they may be beside.
std::vector<Word> words_of(std::string_view text);

/// The texts of those `words` that count beside `other`: all but the articles. What reads as an
/// article in one text counts where the other has it as a word (`Hepatitis A virus` beside
/// `Hepatitis A`); beside a text of nothing else, such as the choice `A`, only what reads as a name.
std::vector<std::string> counted(const std::vector<Word>& words, const std::vector<Word>& other);

}  // namespace theta
