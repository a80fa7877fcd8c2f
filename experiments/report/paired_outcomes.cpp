#include "experiments/report/paired_outcomes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "core/statistics.hpp"
#include "experiments/report/text_table.hpp"

namespace theta {
namespace {

using Key = std::pair<std::string_view, int>;

/// `a, b, c and 4 more`
std::string some_of(const std::vector<std::string>& items) {
  constexpr std::size_t kNamed = 12;
  const std::vector<std::string> first(
      items.begin(), items.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), kNamed)));
  const std::string rest =
      items.size() > kNamed ? fmt::format(" and {} more", items.size() - kNamed) : "";
  return fmt::format("{}{}", fmt::join(first, ", "), rest);
}

bool failed(const Outcome& outcome) { return outcome.status == Outcome::Status::kFailed; }

std::map<Key, const Outcome*> by_judgement(const std::vector<Outcome>& outcomes) {
  std::map<Key, const Outcome*> out;
  for (const Outcome& outcome : outcomes) out[{outcome.item, outcome.variant}] = &outcome;
  return out;
}

}  // namespace

std::vector<Outcome> outcomes_of(const std::vector<Outcome>& all, const std::string& method,
                                 const std::string& model) {
  std::vector<Outcome> own;
  std::ranges::copy_if(all, std::back_inserter(own), [&](const Outcome& one) {
    return one.method == method && one.model == model;
  });
  return own;
}

const std::string& cluster_of(const Outcome& outcome) {
  return outcome.group.empty() ? outcome.item : outcome.group;
}

const char* clustering(const std::vector<Outcome>& outcomes) {
  const bool users =
      std::ranges::any_of(outcomes, [](const Outcome& outcome) { return !outcome.group.empty(); });
  return users ? "by users" : "by items";
}

std::size_t distinct_of(const std::vector<std::string>& clusters) {
  return std::set<std::string_view>(clusters.begin(), clusters.end()).size();
}

std::optional<Report::Paired> compare(const std::vector<Outcome>& outcomes,
                                      const std::vector<Outcome>& against) {
  std::map<Key, const Outcome*> others = by_judgement(against);
  Report::Paired paired;
  std::vector<double> differences;
  std::vector<std::string> clusters;
  for (const auto& outcome : outcomes) {
    const auto other = others.find({outcome.item, outcome.variant});
    const bool has_other = other != others.end() && !failed(*other->second);
    paired.missing += failed(outcome);
    paired.missing_against += !has_other;
    if (!failed(outcome) && has_other) {
      differences.push_back(outcome.score - other->second->score);
      clusters.push_back(cluster_of(outcome));
    }
    if (other != others.end()) others.erase(other);
  }
  for (const auto& [key, other] : others) {  // that only the other was asked
    ++paired.missing;
    paired.missing_against += failed(*other);
  }
  if (differences.empty()) return std::nullopt;
  paired.judgements = differences.size();
  paired.users = distinct_of(clusters);
  paired.difference = mean(differences);
  paired.estimate = paired_difference(differences, clusters);
  const auto [low, high] = paired.estimate.interval();
  paired.low = low;
  paired.high = high;
  paired.p = paired.estimate.p();
  paired.interval = fmt::format("jackknife t {}", clustering(outcomes));
  return paired;
}

std::vector<TurnedItem> turned_items(const std::vector<Outcome>& outcomes,
                                     const std::vector<Outcome>& against) {
  const std::map<Key, const Outcome*> others = by_judgement(against);
  std::vector<TurnedItem> items;
  std::map<std::string_view, std::pair<std::size_t, double>> place;  // in `items`, and how many
  for (const Outcome& outcome : outcomes) {
    const auto other = others.find({outcome.item, outcome.variant});
    if (failed(outcome) || other == others.end() || failed(*other->second)) continue;
    const auto [at, is_new] = place.try_emplace(outcome.item, items.size(), 0);
    if (is_new) items.push_back({outcome.item, outcome.group});
    at->second.second += 1;
    items[at->second.first].score += outcome.score;
    items[at->second.first].against += other->second->score;
  }
  for (const auto& [item, at] : place) {
    items[at.first].score /= at.second;
    items[at.first].against /= at.second;
  }
  std::erase_if(items, [](const TurnedItem& one) { return one.score == one.against; });
  return items;
}

std::string turned_text(const std::vector<TurnedItem>& items) {
  std::vector<std::string> better, worse;
  for (const TurnedItem& one : items)
    (one.score > one.against ? better : worse).push_back(one.item);
  return labelled_line("", fmt::format("{} items better, {} worse", better.size(), worse.size())) +
         labelled_line("better", some_of(better)) + labelled_line("worse", some_of(worse));
}

}  // namespace theta
