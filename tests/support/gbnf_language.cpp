#include "tests/support/gbnf_language.hpp"

#include <array>
#include <cctype>
#include <stdexcept>

namespace theta {
namespace {

/// The UTF-8 character at `at`.
std::string_view character(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return text.substr(at, end - at);
}

constexpr std::array<std::string_view, 26> kAlphabet = {
    "[", "[", "[", "#", "#", " ", " ", "]", "\"", "\\", "\n", "{", "}",
    ":", ",", "a", "b", "E", "0", "1", "9", "-",  ".",  "\r", "é", "\u2028"};

}  // namespace

struct GbnfLanguage::Node {
  enum class Kind { kLiteral, kClass, kRule, kSequence, kChoice, kRepeat } kind;
  std::string text;      // of a literal, or a rule's name
  bool negated = false;  // of a class
  std::vector<std::pair<unsigned char, unsigned char>> ranges = {};
  std::vector<std::unique_ptr<Node>> children = {};
  int least = 1, most = 1;  // of a repetition; -1: any number

  bool holds(std::string_view one) const {
    bool in = false;
    for (const auto& [low, high] : ranges) {
      const auto c = static_cast<unsigned char>(one[0]);
      in = in || (one.size() == 1 && c >= low && c <= high);
    }
    return in != negated;
  }
};

class GbnfLanguage::Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void read(std::map<std::string, std::unique_ptr<Node>, std::less<>>& rules) {
    for (skip(true); at_ < text_.size(); skip(true)) {
      const std::string name = word();
      skip(false);
      expect("::=");
      rules[name] = choice(false);
    }
  }

 private:
  using Kind = Node::Kind;
  static std::unique_ptr<Node> make(Kind kind, std::string text = "") {
    return std::make_unique<Node>(Node{.kind = kind, .text = std::move(text)});
  }
  [[noreturn]] void fail(const std::string& message) const {
    throw std::logic_error(message + " at: " + std::string(text_.substr(at_, 40)));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip(bool lines) {
    while (peek() == ' ' || (lines && peek() == '\n')) ++at_;
  }
  void expect(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) fail("expected " + std::string(token));
    at_ += token.size();
  }
  std::string word() {
    std::string out;
    while (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '-') out += text_[at_++];
    if (out.empty()) fail("expected a name");
    return out;
  }
  char read_char() {
    if (peek() != '\\') return text_[at_++];
    ++at_;
    const char c = text_[at_++];
    if (c == 'n') return '\n';
    if (c == 't') return '\t';
    if (c == 'r') return '\r';
    if (c == 'x') {
      at_ += 2;
      return static_cast<char>(std::stoi(std::string(text_.substr(at_ - 2, 2)), nullptr, 16));
    }
    if (std::string_view("\\\"[]").find(c) == std::string_view::npos) fail("unknown escape");
    return c;
  }

  std::unique_ptr<Node> choice(bool grouped) {
    auto out = make(Kind::kChoice);
    do {
      out->children.push_back(sequence(grouped));
    } while (peek() == '|' && ++at_ > 0);
    return out;
  }

  std::unique_ptr<Node> sequence(bool grouped) {
    auto out = make(Kind::kSequence);
    for (skip(grouped); at_ < text_.size() && peek() != '|' && peek() != ')' && peek() != '\n';
         skip(grouped)) {
      out->children.push_back(repeated(primary()));
    }
    return out;
  }

  std::unique_ptr<Node> primary() {
    if (peek() == '"') {
      auto out = make(Kind::kLiteral);
      for (++at_; peek() != '"';) out->text += read_char();
      ++at_;
      return out;
    }
    if (peek() == '(') {
      ++at_;
      auto out = choice(true);
      expect(")");
      return out;
    }
    if (peek() != '[') return make(Kind::kRule, word());
    auto out = make(Kind::kClass);
    ++at_;
    if (peek() == '^') {
      out->negated = true;
      ++at_;
    }
    while (peek() != ']') {
      const auto low = static_cast<unsigned char>(read_char());
      auto high = low;
      if (peek() == '-') {
        ++at_;
        high = static_cast<unsigned char>(read_char());
      }
      out->ranges.emplace_back(low, high);
    }
    ++at_;
    return out;
  }

  std::unique_ptr<Node> repeated(std::unique_ptr<Node> node) {
    int least = 1, most = 1;
    if (peek() == '?') {
      least = 0;
    } else if (peek() == '*') {
      least = 0, most = -1;
    } else if (peek() == '{') {
      const std::size_t close = text_.find('}', at_);
      const std::string inside(text_.substr(at_ + 1, close - at_ - 1));
      const std::size_t comma = inside.find(',');
      least = std::stoi(inside);
      most = comma == std::string::npos ? least : std::stoi(inside.substr(comma + 1));
      at_ = close;
    } else {
      return node;
    }
    ++at_;
    auto out = make(Kind::kRepeat);
    out->least = least;
    out->most = most;
    out->children.push_back(std::move(node));
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

GbnfLanguage::GbnfLanguage(std::string_view grammar) { Reader(grammar).read(rules_); }
GbnfLanguage::~GbnfLanguage() = default;

std::string GbnfLanguage::sample(Rng& rng) const {
  std::string out;
  append_sample(*rules_.at("root"), rng, out);
  return out;
}

void GbnfLanguage::append_sample(const Node& node, Rng& rng, std::string& out) const {
  switch (node.kind) {
    case Node::Kind::kLiteral:
      out += node.text;
      break;
    case Node::Kind::kRule:
      append_sample(*rules_.at(node.text), rng, out);
      break;
    case Node::Kind::kSequence:
      for (const auto& child : node.children) append_sample(*child, rng, out);
      break;
    case Node::Kind::kChoice:
      append_sample(*node.children[rng.below(node.children.size())], rng, out);
      break;
    case Node::Kind::kRepeat:
      for (int n = 0; node.most < 0 || n < node.most; ++n) {
        if (n >= node.least && rng.below(8) == 0) break;
        append_sample(*node.children[0], rng, out);
      }
      break;
    case Node::Kind::kClass:
      for (std::size_t tries = 0;; ++tries) {
        const char any = static_cast<char>(32 + rng.below(95));
        const std::string_view one =
            tries < 8 ? kAlphabet[rng.below(kAlphabet.size())] : std::string_view(&any, 1);
        if (!node.holds(one)) continue;
        out += one;
        break;
      }
      break;
  }
}

bool GbnfLanguage::admits(std::string_view text) const {
  return ends(*rules_.at("root"), text, 0).contains(text.size());
}

std::set<std::size_t> GbnfLanguage::ends(const Node& node, std::string_view text,
                                         std::size_t begin) const {
  std::set<std::size_t> out;
  switch (node.kind) {
    case Node::Kind::kLiteral:
      if (text.substr(begin).starts_with(node.text)) out.insert(begin + node.text.size());
      break;
    case Node::Kind::kRule:
      return ends(*rules_.at(node.text), text, begin);
    case Node::Kind::kSequence: {
      out = {begin};
      for (const auto& child : node.children) {
        std::set<std::size_t> next;
        for (const std::size_t at : out) next.merge(ends(*child, text, at));
        out = std::move(next);
      }
      break;
    }
    case Node::Kind::kChoice:
      for (const auto& child : node.children) out.merge(ends(*child, text, begin));
      break;
    case Node::Kind::kRepeat: {
      std::set<std::size_t> reached = {begin};
      if (node.least == 0) out = reached;
      for (int n = 1; !reached.empty() && (node.most < 0 || n <= node.most); ++n) {
        std::set<std::size_t> next;
        for (const std::size_t at : reached) next.merge(ends(*node.children[0], text, at));
        reached = std::move(next);
        if (n >= node.least) out.insert(reached.begin(), reached.end());
      }
      break;
    }
    case Node::Kind::kClass:
      if (begin < text.size() && node.holds(character(text, begin))) {
        out.insert(begin + character(text, begin).size());
      }
      break;
  }
  return out;
}

}  // namespace theta
