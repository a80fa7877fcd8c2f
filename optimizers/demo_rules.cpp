#include "optimizers/demo_rules.hpp"

#include <algorithm>
#include <array>

#include "core/tfidf.hpp"
#include "optimizers/training_rows.hpp"

namespace theta {
namespace {

constexpr std::array<std::size_t, 3> kOfEach{1, 2, 4};

/// Rows round by round: one of each label, then one more of each.
std::vector<std::size_t> interleaved(const std::vector<std::vector<std::size_t>>& of,
                                     std::size_t of_each) {
  std::vector<std::size_t> chosen;
  for (std::size_t round = 0; round < of_each; ++round)
    for (const auto& rows : of)
      if (round < rows.size()) chosen.push_back(rows[round]);
  return chosen;
}

/// Each the one that is least like those before it.
std::vector<std::size_t> spread(const std::vector<std::string>& texts, std::size_t size,
                                std::size_t first) {
  const Tfidf tfidf(texts);
  std::vector<SparseVector> vectors;
  for (const auto& text : texts) vectors.push_back(tfidf.vector(text));
  std::vector<double> nearest(texts.size(), 0);
  std::vector<std::size_t> chosen{first};
  while (chosen.size() < std::min(size, texts.size())) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      nearest[i] =
          i == chosen.back() ? 2 : std::max(nearest[i], dot(vectors[i], vectors[chosen.back()]));
    chosen.push_back(static_cast<std::size_t>(std::ranges::min_element(nearest) - nearest.begin()));
  }
  return chosen;
}

}  // namespace

std::optional<NearestDemos> nearest_demos(std::span<const Example> train,
                                          const Signature& signature, std::size_t k) {
  const TrainingRows rows(train, signature);
  if (rows.rows.empty()) return std::nullopt;
  std::vector<Demo> pool;
  for (const Example* row : rows.rows) pool.push_back({shown_fields(*row, signature)});
  return NearestDemos(std::move(pool), signature, k);
}

std::vector<std::vector<Demo>> demo_sets_by_rule(std::span<const Example> train,
                                                 const Signature& signature, std::size_t size,
                                                 std::size_t most, Rng& rng) {
  const TrainingRows rows(train, signature);
  std::vector<std::vector<Demo>> sets;
  if (rows.rows.empty()) return sets;
  const auto add = [&](const std::vector<std::size_t>& chosen) {
    std::vector<Demo> demos;
    for (const auto i : chosen) demos.push_back({shown_fields(*rows.rows[i], signature)});
    if (!demos.empty() && std::ranges::find(sets, demos) == sets.end())
      sets.push_back(std::move(demos));
  };
  auto labels = signature.outputs.back().type.options();
  const bool declared = !labels.empty();
  if (!declared) {
    if (size > 0) add(spread(rows.inputs, size, rng.below(rows.rows.size())));
    labels = rows.repeated_answers();
    if (labels.empty()) return sets;
  }
  auto of = rows.by_label(labels);
  for (auto& with_label : of) rng.shuffle(with_label);
  for (const std::size_t n : kOfEach) {
    if (n * labels.size() > most) break;
    auto chosen = interleaved(of, n);
    if (declared) rng.shuffle(chosen);
    add(chosen);
    std::ranges::reverse(chosen);
    add(chosen);
  }
  return sets;
}

}  // namespace theta
