#include "modules/nearest_demos.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/text_index.hpp"

namespace theta {

std::string input_text(const Signature& signature, const Record& fields) {
  std::string text;
  for (const Field& field : signature.inputs) {
    const std::string value = field.type.text(fields.at(field.name));
    if (signature.inputs.size() == 1) return value;
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", field.name, value);
  }
  return text;
}

NearestDemos::NearestDemos(std::vector<Demo> pool, const Signature& signature, std::size_t k)
    : k_(k) {
  std::vector<std::string> texts;
  for (const Demo& demo : pool) texts.push_back(input_text(signature, demo.fields));
  auto index = word_index(texts);
  held_ = std::make_shared<const Held>(Held{std::move(pool), std::move(texts), std::move(index)});
}

std::vector<std::vector<Demo>> NearestDemos::pick(const Signature& signature,
                                                  std::span<const Record> inputs) const {
  std::vector<std::string> queries;
  for (const Record& input : inputs) queries.push_back(input_text(signature, input));
  const auto nearest = held_->index->nearest(queries, k_ + 1);  // one may be the input itself
  std::vector<std::vector<Demo>> picked;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    auto& demos = picked.emplace_back();
    for (const std::size_t at : nearest[i])
      if (demos.size() < k_ && held_->texts[at] != queries[i]) demos.push_back(held_->demos[at]);
    std::ranges::reverse(demos);
  }
  return picked;
}

NearestDemos NearestDemos::with(std::size_t k) const {
  NearestDemos other = *this;
  other.k_ = k;
  return other;
}

bool NearestDemos::operator==(const NearestDemos& other) const {
  return k_ == other.k_ && (held_ == other.held_ || pool() == other.pool());
}

}  // namespace theta
