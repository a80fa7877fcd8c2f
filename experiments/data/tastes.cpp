#include "experiments/data/tastes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/result.hpp"
#include "core/rng.hpp"

namespace theta {
namespace {

int sign(Tone tone) { return static_cast<int>(tone); }

bool is_camera(std::string_view product) { return product.ends_with("camera"); }

std::optional<Tone> tone_of(const RatedSentence& sentence, const TasteOptions& options) {
  if (sentence.valence >= options.clear) return Tone::kPositive;
  if (sentence.valence <= -options.clear) return Tone::kNegative;
  if (std::abs(sentence.valence) <= options.neutral) return Tone::kNeutral;
  return std::nullopt;
}

struct Heard {
  const RatedSentence* sentence;
  Tone tone;
};
using Pair = std::pair<Heard, Heard>;

/// Pairs of sentences about the same product, none used twice.
struct Pairs {
  std::vector<Pair> positive_negative, positive_neutral, negative_neutral;
};

/// The sentences that can be used, by product in the archive's order.
std::vector<std::vector<const RatedSentence*>> by_product(
    const std::vector<RatedSentence>& sentences, const TasteOptions& options) {
  std::vector<std::vector<const RatedSentence*>> products;
  std::unordered_set<std::string_view> texts;
  for (const RatedSentence& sentence : sentences) {
    const std::size_t n_words = count_words(sentence);
    if (sentence.source != "products" || n_words < options.min_words ||
        n_words > options.max_words || !texts.insert(sentence.text).second) {
      continue;
    }
    const auto product = std::find_if(products.begin(), products.end(), [&](const auto& p) {
      return p.front()->document == sentence.document;
    });
    if (product == products.end()) {
      products.push_back({&sentence});
    } else {
      product->push_back(&sentence);
    }
  }
  return products;
}

/// Half of the negative sentences meets positive ones, the other half neutral ones; the positive
/// ones left meet the neutral ones left.
Pairs make_pairs(const std::vector<RatedSentence>& sentences, const TasteOptions& options) {
  Rng rng(options.pairing_seed);
  Pairs pairs;
  for (auto& product : by_product(sentences, options)) {
    rng.shuffle(product);
    std::vector<Heard> positive, negative, neutral;
    for (const RatedSentence* sentence : product) {
      const std::optional<Tone> tone = tone_of(*sentence, options);
      if (!tone) continue;
      (*tone == Tone::kPositive   ? positive
       : *tone == Tone::kNegative ? negative
                                  : neutral)
          .push_back({sentence, *tone});
    }
    const std::size_t half = negative.size() / 2;
    const std::size_t n_first = std::min(positive.size(), half);
    for (std::size_t i = 0; i < n_first; ++i) {
      pairs.positive_negative.emplace_back(positive[i], negative[i]);
    }
    const std::size_t n_second = std::min(negative.size() - half, neutral.size());
    for (std::size_t i = 0; i < n_second; ++i) {
      pairs.negative_neutral.emplace_back(negative[half + i], neutral[i]);
    }
    const std::size_t n_third = std::min(positive.size() - n_first, neutral.size() - n_second);
    for (std::size_t i = 0; i < n_third; ++i) {
      pairs.positive_neutral.emplace_back(positive[n_first + i], neutral[n_second + i]);
    }
  }
  for (auto* kind : {&pairs.positive_negative, &pairs.positive_neutral, &pairs.negative_neutral}) {
    rng.shuffle(*kind);
  }
  return pairs;
}

/// Deals the pairs of each kind out in order.
class Dealer {
 public:
  Dealer(Pairs pairs, double noise, Rng& rng)
      : kinds_{std::move(pairs.positive_negative), std::move(pairs.positive_neutral),
               std::move(pairs.negative_neutral)},
        noise_(noise),
        rng_(rng) {}

  /// `n` choices by the taste, in random order.
  std::vector<PreferencePair> deal(const Taste& taste, std::size_t n, const std::string& prefix) {
    std::vector<std::size_t> decided;
    for (std::size_t kind = 0; kind < kinds_.size(); ++kind) {
      if (!kinds_[kind].empty() && decides(taste, kinds_[kind].front())) decided.push_back(kind);
    }
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < n && !decided.empty(); ++i) {
      const std::size_t kind = decided[i * decided.size() / n];
      if (next_[kind] == kinds_[kind].size()) break;
      pairs.push_back(kinds_[kind][next_[kind]++]);
    }
    if (pairs.size() < n) {
      throw UserError(
          "the rated sentences do not suffice for so many simulated users and pairs: ask for "
          "fewer, or lower `clear`");
    }
    rng_.shuffle(pairs);
    std::vector<PreferencePair> choices;
    for (const Pair& pair : pairs) {
      choices.push_back(choose(taste, pair, fmt::format("{}{}", prefix, choices.size() + 1)));
    }
    return choices;
  }

 private:
  static int liking(const Taste& taste, const Heard& heard) {
    return taste.liking(heard.tone, heard.sentence->document);
  }
  static bool decides(const Taste& taste, const Pair& pair) {
    return liking(taste, pair.first) != liking(taste, pair.second);
  }

  PreferencePair choose(const Taste& taste, const Pair& pair, std::string id) {
    bool first = liking(taste, pair.first) > liking(taste, pair.second);
    if (rng_.uniform() < noise_) first = !first;
    const bool chosen_second = rng_.uniform() < 0.5;
    const std::string& a = pair.first.sentence->text;
    const std::string& b = pair.second.sentence->text;
    return {std::move(id), "", first ? a : b, first ? b : a, !chosen_second};
  }

  std::array<std::vector<Pair>, 3> kinds_;
  std::array<std::size_t, 3> next_{};
  double noise_;
  Rng& rng_;
};

const Taste& taste_named(const std::string& name) {
  const auto& tastes = all_tastes();
  const auto found =
      std::find_if(tastes.begin(), tastes.end(), [&](const Taste& t) { return t.name == name; });
  if (found != tastes.end()) return *found;
  std::vector<std::string> names;
  for (const Taste& taste : tastes) names.emplace_back(taste.name);
  throw UserError(
      fmt::format("there is no taste `{}`; there are {}", name, fmt::join(names, ", ")));
}

}  // namespace

const std::vector<Taste>& all_tastes() {
  static const std::vector<Taste> tastes = {
      {"praise", "Prefers the more positive sentence, with praise.",
       [](Tone tone, std::string_view) { return sign(tone); }},
      {"criticism", "Prefers the more negative sentence, with complaints.",
       [](Tone tone, std::string_view) { return -sign(tone); }},
      {"strong", "Prefers the more emotional, emphatic sentence, positive or negative.",
       [](Tone tone, std::string_view) { return std::abs(sign(tone)); }},
      {"mild", "Prefers the calmer, plainer, more factual sentence.",
       [](Tone tone, std::string_view) { return -std::abs(sign(tone)); }},
      {"camera fan", "Prefers praise of cameras, but complaints about everything else.",
       [](Tone tone, std::string_view product) {
         return is_camera(product) ? sign(tone) : -sign(tone);
       }},
      {"camera critic", "Prefers complaints about cameras, but praise of everything else.",
       [](Tone tone, std::string_view product) {
         return is_camera(product) ? -sign(tone) : sign(tone);
       }}};
  return tastes;
}

Users simulate_users(const std::vector<RatedSentence>& sentences, const TasteOptions& options) {
  if (options.tastes.empty()) throw UserError("simulated users need at least one taste");
  Rng rng(options.seed);
  Dealer dealer(make_pairs(sentences, options), options.noise, rng);
  Users users;
  const auto fill = [&](const char* split, std::size_t n, std::vector<User>& out) {
    for (std::size_t i = 0; i < n; ++i) {
      const Taste& taste = taste_named(options.tastes[i % options.tastes.size()]);
      User& user = out.emplace_back();
      user.id = fmt::format("{}-{}", split, i + 1);
      user.taste = taste.name;
      user.true_persona = taste.persona;
      user.simulated = true;
      user.context = dealer.deal(taste, options.context_pairs, user.id + "-context-");
      user.test = dealer.deal(taste, options.test_pairs, user.id + "-test-");
    }
  };
  fill("train", options.users.train, users.train);
  fill("validation", options.users.validation, users.validation);
  fill("test", options.users.test, users.test);
  return users;
}

}  // namespace theta
