#include "experiments/data/hutto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

struct Source {
  const char* name;
  const char* files;  ///< the stem of its two files
};
constexpr std::array<Source, 4> kSources = {{{"tweets", "tweets"},
                                             {"movies", "movieReviewSnippets"},
                                             {"products", "amazonReviewSnippets"},
                                             {"editorials", "nytEditorialSnippets"}}};

// The 309 customer reviews are numbered through, one product after the other: the five products of
// Hu & Liu 2004. The borders are where the reviews change their subject.
struct Product {
  const char* name;
  int last_review;
};
constexpr std::array<Product, 5> kProducts = {{{"DVD player", 98},
                                               {"Canon camera", 142},
                                               {"Nikon camera", 175},
                                               {"phone", 215},
                                               {"MP3 player", 309}}};

template <typename Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// `products/12_3` is about a product, `editorials/12_3` about what editorial 12 is about.
/// @return nullopt if the id names no such document.
std::optional<std::string> document_of(std::string_view source, std::string_view id) {
  if (source == "tweets" || source == "movies") return "";
  const std::optional<int> number = to_number<int>(id.substr(0, id.find('_')));
  if (!number || *number < 1) return std::nullopt;
  if (source == "editorials") return fmt::format("editorial {}", *number);
  for (const Product& product : kProducts) {
    if (*number <= product.last_review) return product.name;
  }
  return std::nullopt;
}

/// `[0, -1, 2]`. Empty if it is not that.
std::vector<int> parse_ratings(std::string_view text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return {};
  text = text.substr(1, text.size() - 2);
  std::vector<int> ratings;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::optional<int> rating = to_number<int>(text.substr(0, comma));
    if (!rating || *rating < -4 || *rating > 4) return {};
    ratings.push_back(*rating);
    if (comma == std::string_view::npos) return ratings;
    text.remove_prefix(comma + 1);
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
}

/// Until nothing is left to decode: some sentences were encoded twice (`&amp;amp;`, `&amp;#38;`).
std::string decode_entities(std::string text) {
  constexpr std::array<std::pair<std::string_view, char>, 6> kEntities = {{{"&amp;", '&'},
                                                                           {"&#38;", '&'},
                                                                           {"&#39;", '\''},
                                                                           {"&lt;", '<'},
                                                                           {"&gt;", '>'},
                                                                           {"&quot;", '"'}}};
  std::size_t at = 0;
  while ((at = text.find('&', at)) != std::string::npos) {
    const std::string_view rest = std::string_view(text).substr(at);
    const auto* entity = std::find_if(kEntities.begin(), kEntities.end(),
                                      [&](const auto& e) { return rest.starts_with(e.first); });
    if (entity == kEntities.end()) {
      ++at;
    } else {
      text.replace(at, entity->first.size(), 1, entity->second);
    }
  }
  return text;
}

std::string single_spaced(std::string_view text) {
  std::string out;
  bool gap = false;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r') {
      gap = !out.empty();
      continue;
    }
    if (gap) out += ' ';
    gap = false;
    out += c;
  }
  return out;
}

struct Line {
  std::string where;  ///< `file:line`
  std::vector<std::string> cells;
};

/// The non-empty lines of a tab-separated file.
std::vector<Line> read_lines(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    throw UserError(fmt::format("cannot read {}: run scripts/setup to fetch it", file.string()));
  }
  std::vector<Line> lines;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    if (number == 1 && text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
    if (text.ends_with('\r')) text.pop_back();
    if (text.empty()) continue;
    if (!is_utf8(text)) text = windows_1252_to_utf8(text);
    Line& line = lines.emplace_back();
    line.where = fmt::format("{}:{}", file.filename().string(), number);
    std::size_t begin = 0;
    for (std::size_t tab; (tab = text.find('\t', begin)) != std::string::npos; begin = tab + 1) {
      line.cells.push_back(text.substr(begin, tab - begin));
    }
    line.cells.push_back(text.substr(begin));
  }
  return lines;
}

/// Share of the ratings on the valence's side of 0.
double agreement(const RatedSentence& sentence) {
  const auto n_agreeing = std::count_if(sentence.ratings.begin(), sentence.ratings.end(),
                                        [&](int rating) { return rating * sentence.valence > 0; });
  return static_cast<double>(n_agreeing) / static_cast<double>(sentence.ratings.size());
}

}  // namespace

HuttoArchive load_hutto(const std::filesystem::path& folder) {
  HuttoArchive archive;
  const auto leave_out = [&](const Line& line, std::string_view why) {
    archive.malformed.push_back(fmt::format("{}: {}", line.where, why));
  };
  for (const Source& source : kSources) {
    std::unordered_map<std::string, std::vector<int>> ratings;
    for (const Line& line :
         read_lines(folder / fmt::format("{}_anonDataRatings.txt", source.files))) {
      std::vector<int> parsed;
      if (line.cells.size() == 4) parsed = parse_ratings(line.cells[3]);
      if (parsed.empty()) {
        leave_out(line, "not id, mean, deviation and ratings");
      } else if (!ratings.emplace(line.cells[0], std::move(parsed)).second) {
        leave_out(line, "id `" + line.cells[0] + "` again");
      }
    }
    std::unordered_set<std::string> seen;
    for (const Line& line : read_lines(folder / fmt::format("{}_GroundTruth.txt", source.files))) {
      if (line.cells.size() != 3) {
        leave_out(line, "not id, valence and text");
        continue;
      }
      const std::string& id = line.cells[0];
      const std::optional<double> valence = to_number<double>(line.cells[1]);
      const std::optional<std::string> document = document_of(source.name, id);
      std::string text = single_spaced(decode_entities(line.cells[2]));
      const auto rated = ratings.find(id);
      if (!valence || std::abs(*valence) > 4) {
        leave_out(line, "valence `" + line.cells[1] + "` is no number in -4..4");
      } else if (!document) {
        leave_out(line, "id `" + id + "` names no document");
      } else if (text.empty()) {
        leave_out(line, "no text");
      } else if (rated == ratings.end()) {
        leave_out(line, "no ratings of id `" + id + "`");
      } else if (!seen.insert(id).second) {
        leave_out(line, "id `" + id + "` again");
      } else {
        archive.sentences.push_back({source.name, fmt::format("{}/{}", source.name, id), *document,
                                     *valence, rated->second, std::move(text)});
      }
    }
  }
  return archive;
}

Dataset sentiment_task(const std::vector<RatedSentence>& sentences,
                       const SentimentOptions& options) {
  std::array<std::vector<const RatedSentence*>, 2> sides;  // negative, positive
  std::unordered_set<std::string_view> texts;
  for (const RatedSentence& sentence : sentences) {
    if (std::abs(sentence.valence) >= options.threshold &&
        agreement(sentence) >= options.agreement && count_words(sentence) <= options.max_words &&
        texts.insert(sentence.text).second) {
      sides[sentence.valence > 0].push_back(&sentence);
    }
  }
  const SplitSizes& sizes = options.sizes;
  if (sizes.train % 2 + sizes.validation % 2 + sizes.test % 2 != 0) {
    throw UserError("the sentiment task is balanced: its split sizes must be even");
  }
  const SplitSizes half = {sizes.train / 2, sizes.validation / 2, sizes.test / 2};

  Dataset data;
  const std::uint64_t seed = derive_seed(options.seed, "sentiment");
  for (const std::size_t side : {0, 1}) {
    const std::string label = side == 0 ? "negative" : "positive";
    const std::vector<Split> splits = draw_split(sides[side].size(), half, derive_seed(seed, side),
                                                 "clearly " + label + " sentences");
    for (std::size_t i = 0; i < splits.size(); ++i) {
      if (splits[i] == Split::kUnused) continue;
      const RatedSentence& sentence = *sides[side][i];
      split_of(data, splits[i])
          .push_back(
              {sentence.id, sentence.id, {{"sentence", sentence.text}, {"sentiment", label}}});
    }
  }
  Rng rng(derive_seed(seed, "order"));
  for (std::vector<Example>* examples : {&data.train, &data.validation, &data.test}) {
    rng.shuffle(*examples);
  }
  return data;
}

std::size_t count_words(const RatedSentence& sentence) {
  return 1 + static_cast<std::size_t>(std::count(sentence.text.begin(), sentence.text.end(), ' '));
}

std::filesystem::path hutto_folder() {
  const char* cache = std::getenv("THETA_CACHE");
  const char* home = std::getenv("HOME");
  if (cache == nullptr && home == nullptr) {
    throw UserError("neither THETA_CACHE nor HOME is set, so the cache folder is unknown");
  }
  const std::filesystem::path base = cache != nullptr
                                         ? std::filesystem::path(cache)
                                         : std::filesystem::path(home) / ".cache/theta";
  return base / "data" / "hutto_ICWSM_2014";
}

}  // namespace theta
