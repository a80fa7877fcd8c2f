#include "modules/words.hpp"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>

#include "core/result.hpp"

namespace theta {
namespace {

using namespace std::string_view_literals;
using Reading = Word::Reading;

using Normaliser = const icu::Normalizer2* (*)(UErrorCode&);

icu::UnicodeString normalised(Normaliser form, const icu::UnicodeString& text) {
  UErrorCode error = U_ZERO_ERROR;
  icu::UnicodeString out = form(error)->normalize(text, error);
  require(U_SUCCESS(error) != 0, "ICU normalises every text");
  return out;
}

icu::UnicodeString composed(const icu::UnicodeString& text) {
  return normalised(icu::Normalizer2::getNFCInstance, text);
}

/// Canonical caseless matching: the full case folding of the decomposed text (Unicode 15, D145).
std::string folded(const icu::UnicodeString& text) {
  std::string out;
  composed(normalised(icu::Normalizer2::getNFDInstance, text).foldCase()).toUTF8String(out);
  return out;
}

bool is_space(UChar32 c) { return u_isUWhiteSpace(c) != 0 || (c >= 0x1C && c <= 0x1F); }

/// Unicode's punctuation and ASCII's symbols.
bool is_punctuation(UChar32 c) {
  return u_ispunct(c) != 0 || (c < 0x80 && u_isgraph(c) != 0 && u_isalnum(c) == 0);
}

/// A dash that stands between words even where there is no space.
bool is_long_dash(UChar32 c) { return c == 0x2014 || c == 0x2015; }

/// A letter of a script that is written without spaces: Chinese, Japanese, Thai, Khmer, ..
bool is_word_alone(UChar32 c) {
  const auto breaks = u_getIntPropertyValue(c, UCHAR_LINE_BREAK);
  return u_isalpha(c) != 0 &&
         (breaks == U_LB_IDEOGRAPHIC || breaks == U_LB_CONDITIONAL_JAPANESE_STARTER ||
          breaks == U_LB_COMPLEX_CONTEXT);
}

/// A word as it was written, and what stands at its ends.
struct Written {
  icu::UnicodeString text;
  bool upper = false, lower = false;  ///< its first letter
  bool opened = false;                ///< behind punctuation: `(A`
  bool closed = false;                ///< before punctuation: `A)`, `A -`
  bool ends_line = false;
};

class Splitter {
 public:
  std::vector<Written> split(const icu::UnicodeString& text) {
    for (std::int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1))
      take(text.char32At(at));
    end_word();
    return std::move(words_);
  }

 private:
  void take(UChar32 c) {
    if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0) return;
    if (is_space(c)) {
      end_word();
      if (c == '\n' && !words_.empty()) words_.back().ends_line = true;
    } else if (is_punctuation(c)) {
      (word_.text.isEmpty() ? word_.opened : word_.closed) = true;
      if (is_long_dash(c)) end_word();
    } else {
      const bool alone = is_word_alone(c);
      if (alone && !word_.text.isEmpty()) end_word();
      if (word_.text.isEmpty()) {
        word_.upper = u_isupper(c) != 0;
        word_.lower = u_islower(c) != 0;
      }
      word_.text.append(c);
      word_.closed = false;
      if (alone) end_word();
    }
  }

  /// Punctuation without a word belongs to the word before it.
  void end_word() {
    if (!word_.text.isEmpty())
      words_.push_back(std::move(word_));
    else if (word_.opened && !words_.empty())
      words_.back().closed = true;
    word_ = {};
  }

  std::vector<Written> words_;
  Written word_;
};

bool is_article(std::string_view word) { return word == "a" || word == "an" || word == "the"; }

/// Words that seldom have an article in front of them.
bool follows_a_name(std::string_view word) {
  constexpr std::array kWords = {
      "and"sv,   "as"sv,      "because"sv, "but"sv,  "can"sv,  "could"sv, "does"sv,
      "fits"sv,  "for"sv,     "has"sv,     "if"sv,   "in"sv,   "is"sv,    "it"sv,
      "looks"sv, "matches"sv, "means"sv,   "must"sv, "of"sv,   "on"sv,    "or"sv,
      "seems"sv, "should"sv,  "since"sv,   "so"sv,   "than"sv, "that"sv,  "to"sv,
      "was"sv,   "which"sv,   "will"sv,    "with"sv, "would"sv};
  return std::ranges::find(kWords, word) != kWords.end();
}

bool has_only_articles(const std::vector<Word>& words) {
  return std::ranges::all_of(words, is_article, &Word::text);
}

}  // namespace

std::vector<Word> words_of(std::string_view text) {
  const auto whole = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
  const std::vector<Written> written = Splitter().split(composed(whole));
  std::vector<Word> words;
  words.reserve(written.size());
  for (const Written& word : written) words.push_back({folded(word.text)});
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const Written& word = written[i];
    if (!is_article(words[i].text) || word.closed) continue;
    const bool within =
        i > 0 && !word.opened && !written[i - 1].closed && !written[i - 1].ends_line;
    const bool name = (within && word.upper && written[i + 1].lower) || word.ends_line ||
                      follows_a_name(words[i + 1].text);
    words[i].reading = name ? Reading::kEither : Reading::kArticle;
  }
  return words;
}

std::vector<std::string> counted(const std::vector<Word>& words, const std::vector<Word>& other) {
  const bool names_only = has_only_articles(other);
  std::vector<std::string> out;
  for (const Word& word : words) {
    const auto same = [&](const Word& its) {
      return its.reading == Reading::kWord && its.text == word.text;
    };
    if (word.reading == Reading::kWord ||
        (std::ranges::any_of(other, same) && (!names_only || word.reading == Reading::kEither)))
      out.push_back(word.text);
  }
  return out;
}

}  // namespace theta
