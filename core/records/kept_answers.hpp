#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/models/language_model.hpp"

namespace theta {

/// A question that was put to a model, and the answer that a run's record keeps.
struct KeptAnswer {
  std::int64_t number = 0;  ///< rises in the order in which answers were kept; from 1, with gaps
  std::string identity;     ///< of the model
  Request request;
  Result<Response> answer;
};

/// Reads the answers of a run's record for people, also while the run goes on. Not thread-safe.
class KeptAnswers {
 public:
  /// @throws RunError if the file is damaged or no record.
  explicit KeptAnswers(const std::filesystem::path& record);
  ~KeptAnswers();

  /// The first `most` behind a number that hold a text in what was asked or answered, upper and
  /// lower case of ASCII alike; an empty text: all.
  std::vector<KeptAnswer> find(std::string_view text, std::int64_t after, std::size_t most);
  std::optional<KeptAnswer> at(std::int64_t number);
  /// The answers to each request, by whatever model and in whatever company it was asked. Reads the
  /// whole record once.
  /// @return (n)
  std::vector<std::vector<KeptAnswer>> to(const std::vector<Request>& requests);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace theta
