#include "core/tfidf.hpp"

#include <cctype>
#include <cmath>

#include "core/rng.hpp"

namespace theta {
namespace {

std::uint32_t feature(const std::string& name) {
  return static_cast<std::uint32_t>(derive_seed(0, name) % Tfidf::kFeatures);
}

SparseVector count(std::string_view text) {
  SparseVector features;
  std::string before;
  for (const auto& word : plain_words(text)) {
    ++features[feature(word)];
    if (!before.empty()) ++features[feature(before + ' ' + word)];
    before = word;
  }
  return features;
}

}  // namespace

std::vector<std::string> plain_words(std::string_view text) {
  std::vector<std::string> found(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isalnum(byte))
      found.back() += static_cast<char>(byte < 0x80 ? std::tolower(byte) : byte);
    else if (!found.back().empty())
      found.emplace_back();
  }
  if (found.back().empty()) found.pop_back();
  return found;
}

double dot(const SparseVector& a, const SparseVector& b) {
  const SparseVector& few = a.size() < b.size() ? a : b;
  const SparseVector& many = a.size() < b.size() ? b : a;
  double sum = 0;
  for (const auto& [feature, weight] : few)
    if (const auto found = many.find(feature); found != many.end()) sum += weight * found->second;
  return sum;
}

Tfidf::Tfidf(std::span<const std::string> texts) : texts_(static_cast<double>(texts.size())) {
  for (const auto& text : texts)
    for (const auto& [feature, n] : count(text)) ++documents_[feature];
}

SparseVector Tfidf::vector(std::string_view text) const {
  SparseVector features = count(text);
  double squares = 0;
  for (auto& [feature, weight] : features) {
    const auto found = documents_.find(feature);
    const double documents = found == documents_.end() ? 0 : found->second;
    weight = (1 + std::log(weight)) * (1 + std::log((1 + texts_) / (1 + documents)));
    squares += weight * weight;
  }
  for (auto& [feature, weight] : features) weight /= std::sqrt(squares);
  return features;
}

}  // namespace theta
