#pragma once

#include <memory>
#include <optional>
#include <string>

namespace theta {

/// A regular expression as Perl and Python write them, over Unicode texts. Cheap to copy; safe to
/// share between threads.
class Pattern {
 public:
  /// @throws UserError that says where the expression is wrong.
  explicit Pattern(std::string expression);

  const std::string& text() const { return text_; }
  /// Its first match in a text: what its first group holds, or all where it has none.
  /// @throws UserError where that takes too long
  std::optional<std::string> first_match(const std::string& text) const;

 private:
  struct Compiled;
  std::string text_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace theta
