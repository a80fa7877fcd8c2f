#include "core/text_cursor.hpp"

#include <algorithm>
#include <cctype>

#include "core/result.hpp"

namespace theta {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

}  // namespace

TextCursor::TextCursor(std::string_view text) : text_(text) { move_to(0); }

bool TextCursor::sees_word() const { return !at_end() && is_word(text_[at_]); }

bool TextCursor::take(std::string_view token) {
  if (!sees(token)) return false;
  move_to(at_ + token.size());
  return true;
}

std::string TextCursor::word() {
  std::size_t end = at_;
  while (end < text_.size() && is_word(text_[end])) ++end;
  const std::string out(text_.substr(at_, end - at_));
  move_to(end);
  return out;
}

void TextCursor::move_to(std::size_t at) {
  at_ = std::min(text_.find_first_not_of(" \t\n\r\f\v", at), text_.size());
}

void TextCursor::fail(std::size_t at, const std::string& message) const {
  const auto column = 1 + std::ranges::count_if(text_.substr(0, at),
                                                [](char c) { return !continues_character(c); });
  throw UserError("column " + std::to_string(column) + ": " + message);
}

void TextCursor::fail_expected(const std::string& what) const {
  std::string found = "the end";
  if (sees("->")) {
    found = "'->'";
  } else if (!at_end()) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_word(text_[at_]) && is_word(text_[end])) ++end;
    while (end < text_.size() && continues_character(text_[end])) ++end;
    found = "'" + std::string(text_.substr(at_, end - at_)) + "'";
  }
  fail(at_, "expected " + what + " but found " + found);
}

}  // namespace theta
