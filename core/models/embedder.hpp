#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace theta {

/// The seam to models that turn texts into directions: texts that mean alike point alike.
/// Thread-safe.
class Embedder {
 public:
  virtual ~Embedder() = default;

  /// Everything that decides a vector beside the text. Holds no secret.
  virtual std::string identity() const = 0;

  /// A vector of length 1 a text, in order. It depends on nothing but its text.
  /// @throws UserError for an empty text.   @throws Interrupted when `stop` is requested.
  virtual std::vector<std::vector<float>> embed(std::span<const std::string> texts,
                                                std::stop_token stop) = 0;
};

/// The same as a function that carries what stops it. May throw what a model's wave throws.
using Embed = std::function<std::vector<std::vector<float>>(std::span<const std::string> texts)>;

}  // namespace theta
