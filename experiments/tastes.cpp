#include "experiments/tastes.hpp"

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

/// The sentences about one product that are not used yet, by tone; drawn from the back.
struct Pool {
  std::string product;
  std::array<std::vector<const RatedSentence*>, 3> by_tone;

  std::vector<const RatedSentence*>& of(Tone tone) {
    return by_tone[static_cast<std::size_t>(sign(tone) + 1)];
  }
};

std::optional<Tone> tone_of(const RatedSentence& sentence, const TasteOptions& options) {
  if (sentence.valence >= options.clear) return Tone::kPositive;
  if (sentence.valence <= -options.clear) return Tone::kNegative;
  if (std::abs(sentence.valence) <= options.neutral) return Tone::kNeutral;
  return std::nullopt;
}

std::vector<Pool> make_pools(const std::vector<RatedSentence>& sentences,
                             const TasteOptions& options) {
  std::vector<Pool> pools;
  std::unordered_set<std::string_view> texts;
  for (const RatedSentence& sentence : sentences) {
    const std::size_t n_words = count_words(sentence);
    const std::optional<Tone> tone = tone_of(sentence, options);
    if (sentence.source != "products" || !tone || n_words < options.min_words ||
        n_words > options.max_words || !texts.insert(sentence.text).second) {
      continue;
    }
    auto pool = std::find_if(pools.begin(), pools.end(),
                             [&](const Pool& p) { return p.product == sentence.document; });
    if (pool == pools.end()) pool = pools.insert(pool, Pool{sentence.document, {}});
    pool->of(*tone).push_back(&sentence);
  }
  Rng rng(derive_seed(options.seed, "pools"));
  for (Pool& pool : pools) {
    for (auto& tone : pool.by_tone) rng.shuffle(tone);
  }
  return pools;
}

using Kind = std::pair<Tone, Tone>;
constexpr std::array<Kind, 3> kKinds = {{{Tone::kPositive, Tone::kNegative},
                                         {Tone::kPositive, Tone::kNeutral},
                                         {Tone::kNegative, Tone::kNeutral}}};

/// Draws one pair of the kind about a product that the taste decides, each product as often as it
/// has pairs left.
PreferencePair draw_pair(const Taste& taste, const Kind& kind, std::vector<Pool>& pools, Rng& rng) {
  std::vector<Pool*> chances;
  for (Pool& pool : pools) {
    if (taste.liking(kind.first, pool.product) == taste.liking(kind.second, pool.product)) continue;
    chances.insert(chances.end(), std::min(pool.of(kind.first).size(), pool.of(kind.second).size()),
                   &pool);
  }
  if (chances.empty()) {
    throw UserError(
        "the rated sentences do not suffice for so many simulated users and pairs: ask for fewer, "
        "or "
        "lower `clear`");
  }
  Pool& pool = *chances[rng.below(chances.size())];
  const auto take = [&](Tone tone) {
    const RatedSentence& sentence = *pool.of(tone).back();
    pool.of(tone).pop_back();
    return sentence.text;
  };
  PreferencePair pair;
  pair.chosen = take(kind.first);
  pair.rejected = take(kind.second);
  if (taste.liking(kind.first, pool.product) < taste.liking(kind.second, pool.product)) {
    std::swap(pair.chosen, pair.rejected);
  }
  pair.flip = rng.below(2) == 0;
  return pair;
}

/// `n` pairs, the kinds that the taste decides about some product in turn, in random order.
std::vector<PreferencePair> draw_pairs(const Taste& taste, std::size_t n, const std::string& prefix,
                                       std::vector<Pool>& pools, Rng& rng) {
  std::vector<Kind> kinds;
  for (const Kind& kind : kKinds) {
    if (std::any_of(pools.begin(), pools.end(), [&](const Pool& pool) {
          return taste.liking(kind.first, pool.product) != taste.liking(kind.second, pool.product);
        })) {
      kinds.push_back(kind);
    }
  }
  std::vector<PreferencePair> pairs;
  for (std::size_t i = 0; i < n; ++i) {
    pairs.push_back(draw_pair(taste, kinds.at(i % kinds.size()), pools, rng));
  }
  rng.shuffle(pairs);
  for (std::size_t i = 0; i < n; ++i) pairs[i].id = fmt::format("{}{}", prefix, i + 1);
  return pairs;
}

/// Reverses exactly round(noise n) of the choices.
void add_noise(std::vector<PreferencePair*> pairs, double noise, Rng& rng) {
  const auto n = static_cast<std::size_t>(std::lround(noise * static_cast<double>(pairs.size())));
  for (const std::size_t i : rng.sample(pairs.size(), n)) {
    std::swap(pairs[i]->chosen, pairs[i]->rejected);
  }
}

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
  std::vector<Pool> pools = make_pools(sentences, options);
  const std::uint64_t seed = derive_seed(options.seed, "tastes");
  Users users;
  std::uint64_t n_drawn = 0;
  const auto fill = [&](const char* split, std::size_t n, std::vector<User>& out) {
    std::vector<PreferencePair*> context, test;
    out.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      const Taste& taste = taste_named(options.tastes[i % options.tastes.size()]);
      Rng rng(derive_seed(seed, n_drawn++));
      User& user = out[i];
      user.id = fmt::format("{}-{}", split, i + 1);
      user.taste = taste.name;
      user.true_persona = taste.persona;
      user.simulated = true;
      user.context = draw_pairs(taste, options.context_pairs, user.id + "-context-", pools, rng);
      user.test = draw_pairs(taste, options.test_pairs, user.id + "-test-", pools, rng);
      for (PreferencePair& pair : user.context) context.push_back(&pair);
      for (PreferencePair& pair : user.test) test.push_back(&pair);
    }
    Rng rng(derive_seed(seed, split));
    add_noise(std::move(context), options.noise, rng);
    add_noise(std::move(test), options.noise, rng);
  };
  fill("train", options.users.train, users.train);
  fill("validation", options.users.validation, users.validation);
  fill("test", options.users.test, users.test);
  return users;
}

}  // namespace theta
