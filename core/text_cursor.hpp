#pragma once

#include <string>
#include <string_view>

namespace theta {

/// A place in a text that is read from its begin to its end, blanks skipped behind every token.
class TextCursor {
 public:
  explicit TextCursor(std::string_view text);

  std::size_t at() const { return at_; }
  bool at_end() const { return at_ == text_.size(); }
  bool sees(std::string_view token) const { return text_.substr(at_).starts_with(token); }
  /// Whether a letter, digit or underscore comes next.
  bool sees_word() const;
  std::string_view rest() const { return text_.substr(at_); }
  std::string_view text() const { return text_; }

  /// Moves behind `token` if it comes next.
  bool take(std::string_view token);
  /// Letters, digits and underscores; empty if there are none.
  std::string word();
  /// Goes to a place, and behind the blanks there.
  void move_to(std::size_t at);

  /// @throws UserError `column N: message`; columns count characters, not bytes.
  [[noreturn]] void fail(std::size_t at, const std::string& message) const;
  /// @throws UserError `expected WHAT but found ..` here.
  [[noreturn]] void fail_expected(const std::string& what) const;

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace theta
