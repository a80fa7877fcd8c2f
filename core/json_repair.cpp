#include "core/json_repair.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/ascii.hpp"
#include "core/json_value.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBlank = " \t\r\n\v\f";
constexpr int kMostNested = 100;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The bytes of the quote that a text begins with; empty if it does not.
std::string_view quote_at(std::string_view text) {
  for (const std::string_view quote : {"\"", "'", "“", "”", "‘", "’", "`"})
    if (text.starts_with(quote)) return text.substr(0, quote.size());
  return {};
}

/// What ends a text that `open` opens.
std::string_view closing(std::string_view open) {
  if (open == "“" || open == "”") return "”";
  if (open == "‘" || open == "’") return "’";
  return open;
}

/// A number as JSON spells it, or nearly so: `.5`, `+1`, `007`.
std::optional<Json> number_of(std::string_view word) {
  std::string digits(word);
  if (digits.starts_with('+')) digits.erase(0, 1);
  const std::size_t sign = digits.starts_with('-') ? 1 : 0;
  if (digits.size() == sign || !(is_digit(digits[sign]) || digits[sign] == '.'))
    return std::nullopt;
  while (digits.size() > sign + 1 && digits[sign] == '0' && is_digit(digits[sign + 1]))
    digits.erase(sign, 1);
  if (digits[sign] == '.') digits.insert(sign, "0");
  if (digits.ends_with('.')) digits += '0';
  try {
    return parse_json(digits);
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

/// Reads on from an opening bracket. Never fails: what cannot be read is passed over.
class Mender {
 public:
  explicit Mender(std::string_view text) : text_(text) {}

  Json read() { return value(0); }

 private:
  enum class In { kKey, kMember, kItem };

  bool ended() const { return at_ >= text_.size(); }
  char peek() const { return ended() ? '\0' : text_[at_]; }
  std::string_view rest() const { return text_.substr(std::min(at_, text_.size())); }

  /// Where the first character behind blanks, comments and those of `also` stands.
  std::size_t behind_blanks(std::size_t at, std::string_view also = "") const {
    while (at < text_.size()) {
      const std::string_view rest = text_.substr(at);
      if (kBlank.find(rest[0]) != kBlank.npos || also.find(rest[0]) != also.npos)
        ++at;
      else if (rest.starts_with("//") || rest.starts_with('#'))
        at = std::min(text_.find('\n', at), text_.size());
      else if (rest.starts_with("/*"))
        at = std::min(std::min(text_.find("*/", at + 2), text_.size() - 2) + 2, text_.size());
      else
        break;
    }
    return std::min(at, text_.size());
  }
  void skip(std::string_view also = "") { at_ = behind_blanks(at_, also); }

  Json value(int depth) {
    if (depth > kMostNested) {
      at_ = text_.size();
      return nullptr;
    }
    if (peek() == '{') return object(depth);
    if (peek() == '[') return array(']', depth);
    return array(')', depth);
  }

  Json part(In in, int depth) {
    if (peek() == '{' || peek() == '[' || peek() == '(') return value(depth + 1);
    if (!quote_at(rest()).empty()) return quoted(in);
    return word(in);
  }

  /// Whether a bracket that does not close what is open closes what lies around it.
  bool closes_outer(char bracket) const { return std::ranges::find(open_, bracket) != open_.end(); }

  Json object(int depth) {
    Json out = Json::object();
    open_.push_back('}');
    for (++at_, skip(",;"); !ended(); skip(",;")) {
      if (peek() == '}') {
        ++at_;
        break;
      }
      if (peek() == ']' || peek() == ')') {
        if (closes_outer(peek())) break;
        ++at_;
        continue;
      }
      if (peek() == '{' || peek() == '[' || peek() == '(' || peek() == ':') {
        ++at_;  // a bracket too many
        continue;
      }
      member(out, depth);
    }
    open_.pop_back();
    return out;
  }

  void member(Json& out, int depth) {
    const Json key = quote_at(rest()).empty() ? word(In::kKey) : quoted(In::kKey);
    const std::string name = key.is_string() ? key.get<std::string>() : write_json(key);
    skip();
    if (peek() == ':' || peek() == '=') {
      ++at_;
      skip();
    } else if (ended() || peek() == ',' || peek() == '}') {
      return;  // a name without a value
    }
    const bool empty = ended() || peek() == ',' || peek() == '}';
    out[name] = empty ? Json("") : part(In::kMember, depth);
  }

  Json array(char close, int depth) {
    Json out = Json::array();
    open_.push_back(close);
    for (++at_, skip(",;"); !ended(); skip(",;")) {
      if (peek() == close) {
        ++at_;
        break;
      }
      if (peek() == '}' || peek() == ']' || peek() == ')') {
        if (closes_outer(peek())) break;
        ++at_;
      } else if (rest().starts_with("...")) {
        at_ += 3;
      } else {
        out.push_back(part(In::kItem, depth));
      }
    }
    open_.pop_back();
    return out;
  }

  /// Whether a member begins at `at`, or the object ends there.
  bool member_follows(std::size_t at) const {
    at = behind_blanks(at, ",");
    if (at == text_.size() || text_[at] == '}' || text_[at] == ']') return true;
    const std::string_view open = quote_at(text_.substr(at));
    if (!open.empty()) {
      const std::size_t end = text_.find(closing(open), at + open.size());
      if (end == text_.npos) return false;
      at = end + closing(open).size();
    } else {
      const auto is_name = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
      };
      while (at < text_.size() && is_name(text_[at])) ++at;
    }
    at = behind_blanks(at);
    return at < text_.size() && text_[at] == ':';
  }

  /// Whether the quote that ends before `at` ends its text: what follows decides.
  bool ends_text(std::size_t at, In in) const {
    const std::size_t next = behind_blanks(at);
    if (next == text_.size()) return true;
    const char c = text_[next];
    if (in == In::kKey) return c == ':' || c == '=' || c == ',' || c == '}';
    if (c == ',') return in == In::kItem || member_follows(next);
    if (c == '}' || c == ']' || c == ')' || c == ';') return true;
    if (quote_at(text_.substr(next)).empty()) return false;
    return in == In::kItem || member_follows(next);  // a comma too few
  }

  /// A text in quotes. Within it, quotes that end nothing are its own.
  Json quoted(In in) {
    const std::string_view open = quote_at(rest());
    const std::string_view close = closing(open);
    const std::size_t begin = at_ + open.size();
    std::size_t first = text_.npos;  // the first quote that may end it, where none does for sure
    for (std::size_t i = begin; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_.substr(i).starts_with(close)) {
        if (ends_text(i + close.size(), in)) return take(begin, i, close.size());
        if (first == text_.npos) first = i;
      }
    }
    if (first == text_.npos) return unended(begin);
    const std::size_t comma = text_.find(',', begin);
    if (comma < first) return take(begin, comma, 0);
    return take(begin, first, close.size());
  }

  /// A text up to the end of the whole one, without the brackets that close what is open.
  Json unended(std::size_t begin) {
    std::size_t end = text_.size();
    for (std::size_t n = open_.size(); n > 0 && end > begin;) {
      if (kBlank.find(text_[end - 1]) != kBlank.npos) {
        --end;
      } else if (text_[end - 1] == open_[open_.size() - n]) {
        --end;
        --n;
      } else {
        break;
      }
    }
    return take(begin, end, 0);
  }

  Json take(std::size_t begin, std::size_t end, std::size_t behind) {
    at_ = end + behind;
    return unescaped(text_.substr(begin, end - begin));
  }

  /// A text without its escapes; what is none stays as it stands.
  static std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out += text[i];
        continue;
      }
      constexpr std::string_view kNames = "\\'\"/nrtbf";
      constexpr std::string_view kMeans = "\\'\"/\n\r\t\b\f";
      const std::size_t name = kNames.find(text[i + 1]);
      if (name != kNames.npos) {
        out += kMeans[name];
        ++i;
      } else if (const auto [character, size] = unicode(text.substr(i)); size > 0) {
        out += character;
        i += size - 1;
      } else {
        out += text[i];
      }
    }
    return out;
  }

  /// The character of `\u00e9`, or of two such halves, and the length of the escape; 0 for none.
  static std::pair<std::string, std::size_t> unicode(std::string_view text) {
    for (const std::size_t size : {std::size_t{12}, std::size_t{6}}) {
      if (text.size() < size || text[1] != 'u') continue;
      try {
        const Json read = Json::parse('"' + std::string(text.substr(0, size)) + '"');
        if (size == 6 || text.substr(6).starts_with("\\u")) return {read.get<std::string>(), size};
      } catch (const Json::exception&) {
      }
    }
    return {};
  }

  /// What stands without quotes: a number, a name of JSON or Python, or a text.
  Json word(In in) {
    const std::size_t begin = at_;
    for (; !ended(); ++at_) {
      const char c = peek();
      const bool behind_blank = at_ == begin || kBlank.find(text_[at_ - 1]) != kBlank.npos;
      if (c == ',' && in == In::kMember && is_grouped(begin)) continue;
      if (c == ',' || c == '}' || c == ']' || c == ';' || c == '\n') break;
      if (in == In::kKey && (c == ':' || c == '=')) break;
      if (c == '"' || (behind_blank && (c == '#' || rest().starts_with("//")))) break;
      if (behind_blank && at_ > begin && ends_number(begin)) break;
    }
    std::string_view text = text_.substr(begin, at_ - begin);
    while (!text.empty() && kBlank.find(text.back()) != kBlank.npos) text.remove_suffix(1);
    if (text.empty()) ++at_;  // a character that means nothing here
    const std::string name = ascii::lower(text);
    if (in == In::kKey) return text;
    if (name == "true" || name == "false") return name == "true";
    if (name == "null" || name == "none") return nullptr;
    if (auto number = number_of(text)) return *std::move(number);
    return text;
  }

  /// Whether a comma at the place parts the thousands of a number: `1,000`.
  bool is_grouped(std::size_t begin) const {
    const auto digits = [&](std::size_t from, std::size_t to) {
      return from < to && to <= text_.size() &&
             std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(from),
                         text_.begin() + static_cast<std::ptrdiff_t>(to),
                         [](char c) { return is_digit(c) || c == ','; });
    };
    return digits(begin, at_) && digits(at_ + 1, at_ + 4);
  }

  /// Whether a number stands behind `begin`, and another one comes: `[1 2]`.
  bool ends_number(std::size_t begin) const {
    std::string_view word = text_.substr(begin, at_ - begin);
    while (!word.empty() && kBlank.find(word.back()) != kBlank.npos) word.remove_suffix(1);
    return is_digit(peek()) && number_of(word).has_value();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string open_;  ///< what closes the brackets that are open, outermost first
};

}  // namespace

std::optional<Json> repaired_json(std::string_view text, std::string_view opening) {
  const std::size_t at = text.find_first_of(opening);
  if (at == text.npos) return std::nullopt;
  try {
    return parse_json(text.substr(at));
  } catch (const Json::exception&) {
  }
  return Mender(text.substr(at)).read();
}

}  // namespace theta
