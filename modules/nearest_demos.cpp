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
    : k_(k), pool_(std::make_shared<const std::vector<Demo>>(std::move(pool))) {
  for (const Demo& demo : *pool_) texts_.push_back(input_text(signature, demo.fields));
  index_ = word_index(texts_);
}

std::vector<std::vector<Demo>> NearestDemos::pick(const Signature& signature,
                                                  std::span<const Record> inputs) const {
  std::vector<std::string> queries;
  for (const Record& input : inputs) queries.push_back(input_text(signature, input));
  const auto nearest = index_->nearest(queries, k_ + 1);  // one may be the input itself
  std::vector<std::vector<Demo>> picked;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    auto& demos = picked.emplace_back();
    for (const std::size_t at : nearest[i])
      if (demos.size() < k_ && texts_[at] != queries[i]) demos.push_back((*pool_)[at]);
    std::ranges::reverse(demos);
  }
  return picked;
}

bool NearestDemos::operator==(const NearestDemos& other) const {
  return k_ == other.k_ && *pool_ == *other.pool_;
}

}  // namespace theta
