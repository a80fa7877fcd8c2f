#include "experiments/data/split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/rng.hpp"

namespace theta {
namespace {

using NamedSplit = std::pair<const char*, const std::vector<Example>*>;

std::array<NamedSplit, 3> named_splits(const Dataset& data) {
  return {{{"train", &data.train}, {"validation", &data.validation}, {"test", &data.test}}};
}

}  // namespace

std::vector<Split> draw_split(std::size_t n, const SplitSizes& sizes, std::uint64_t seed,
                              const std::string& what) {
  if (sizes.total() > n) {
    throw UserError(
        fmt::format("a split of {} {} was asked for, there are {}", sizes.total(), what, n));
  }
  std::vector<Split> splits(n, Split::kUnused);
  Rng rng(seed);
  const std::vector<std::size_t> order = rng.sample(n, sizes.total());
  for (std::size_t i = 0; i < order.size(); ++i) {
    splits[order[i]] = i < sizes.train                      ? Split::kTrain
                       : i < sizes.train + sizes.validation ? Split::kValidation
                                                            : Split::kTest;
  }
  return splits;
}

void check_disjoint(const Dataset& data) {
  std::unordered_map<std::string, const char*> seen;
  for (const auto& [name, examples] : named_splits(data)) {
    for (const Example& example : *examples) {
      const auto [first, is_new] = seen.emplace(example.id, name);
      if (!is_new) {
        throw UserError(fmt::format("the id `{}` stands in {} and again in {}", example.id,
                                    first->second, name));
      }
    }
  }
}

std::size_t count_shared_content(const Dataset& data) {
  std::unordered_set<std::string> earlier;
  std::size_t n_shared = 0;
  for (const auto& [name, examples] : named_splits(data)) {
    std::vector<std::string> contents;
    for (const Example& example : *examples) {
      std::string content;
      for (const auto& [field, value] : example.fields) {
        const std::string text = to_text(value);
        content += fmt::format("{}:{}:{}", field, text.size(), text);
      }
      n_shared += earlier.count(content);
      contents.push_back(std::move(content));
    }
    earlier.insert(contents.begin(), contents.end());
  }
  return n_shared;
}

}  // namespace theta
