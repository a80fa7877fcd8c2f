#include "core/config_reader.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "core/file_kind.hpp"
#include "core/json_text.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

/// JSON writes a character beyond U+FFFF as two escapes (a surrogate pair), YAML as one:
/// `\Uxxxxxxxx`.
/// @param shortened  by line: the columns, from 0, behind which two characters are gone
std::string join_surrogates(std::string_view text, std::map<int, std::vector<int>>& shortened) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || (text[first] != '{' && text[first] != '['))
    return std::string(text);
  std::string out;
  int line = 0;
  std::size_t line_begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto high = escaped_unit(text, at);
    const auto low = high ? escaped_unit(text, at + 6) : std::nullopt;
    if (low && is_high_surrogate(*high) && is_low_surrogate(*low)) {
      out += fmt::format("\\U{:08X}", 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00));
      shortened[line].push_back(static_cast<int>(out.size() - line_begin));
      at += 12;
      continue;
    }
    // An escaped backslash begins no escape.
    const std::size_t n = text.substr(at, 2) == "\\\\" ? 2 : 1;
    out += text.substr(at, n);
    if (text[at] == '\n') {
      ++line;
      line_begin = out.size();
    }
    at += n;
  }
  return out;
}

/// Builds the tree from yaml-cpp's events, with the checks that yaml-cpp leaves out: one document,
/// no key twice, aliases that neither contain themselves nor multiply.
class Reader final : public YAML::EventHandler {
 public:
  Reader(std::string_view text, std::string name, bool has_lines)
      : text_(join_surrogates(after_byte_order_mark(text), shortened_)),
        name_(std::move(name)),
        has_lines_(has_lines),
        lines_(split(text_, '\n')) {}

  std::shared_ptr<ConfigNode> read() {
    check_is_text();
    std::istringstream in(text_);
    try {
      YAML::Parser parser(in);
      while (parser.HandleNextDocument(*this)) {
      }
    } catch (const YAML::Exception& e) {
      fail_at_syntax(e);
    }
    if (bad_key_) fail_at(*bad_key_, "a key must be a text");
    if (!root_) add(make(YAML::Mark()), YAML::Mark());
    // What only holds anchors, as in Compose files.
    std::erase_if(root_->entries, [](const auto& entry) { return entry.key.starts_with("x-"); });
    return root_;
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) fail_at(position(mark), "a second document begins here");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(mark, anchor), mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    auto node = make(mark, anchor);
    node->kind = ConfigNode::Kind::kScalar;
    node->text = value;
    node->plain = tag == "?" || value.find("${") != std::string::npos;
    add(std::move(node), mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto& target = anchors_.at(anchor);
    const bool inside = std::ranges::any_of(open_, [&](const auto& x) { return x.node == target; });
    if (inside) fail_at(position(mark), "an alias of what it stands in");
    add(copy(*target, mark), mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(ConfigNode::Kind::kSequence, mark, anchor);
  }
  void OnSequenceEnd() override { open_.pop_back(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(ConfigNode::Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override {
    const Open ended = std::move(open_.back());
    open_.pop_back();
    if (ended.merges) merge(*ended.node);
  }

 private:
  /// A collection whose end is still to come, and in a mapping the key that waits for its value.
  struct Open {
    std::shared_ptr<ConfigNode> node;
    std::optional<std::pair<std::string, Position>> key;
    bool merges = false;  ///< it has the key `<<`, without quotes
  };

  Position position(const YAML::Mark& mark) const {
    if (!has_lines_) return {name_};
    if (mark.is_null()) return {name_, 1, 1};
    // yaml-cpp counts bytes.
    const auto line = static_cast<std::size_t>(mark.line);
    const std::string_view before =
        line < lines_.size()
            ? std::string_view(lines_[line]).substr(0, static_cast<std::size_t>(mark.column))
            : std::string_view();
    const auto continued = std::ranges::count_if(
        before, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; });
    int joined = 0;
    if (const auto found = shortened_.find(mark.line); found != shortened_.end())
      joined = 2 * static_cast<int>(std::ranges::count_if(
                       found->second, [&](int column) { return column <= mark.column; }));
    return {name_, mark.line + 1, mark.column + 1 - static_cast<int>(continued) + joined};
  }

  void check_is_text() const {
    if (const std::string kind = kind_of_bytes(std::string_view(text_).substr(0, 512));
        !kind.empty())
      fail_at({name_}, "this is " + kind);
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff"))
      fail_at({name_}, "this is UTF-16: save it as UTF-8");
    const std::size_t end = std::min(utf8_prefix(text_), text_.find('\0'));
    if (end >= text_.size()) return;
    const Position place = position_in(name_, text_, end);
    YAML::Mark mark;
    mark.pos = static_cast<int>(end);
    mark.line = place.line - 1;
    mark.column = place.column - 1;
    fail_at(position(mark),
            text_[end] == 0 ? "a byte 0: this is no text" : "a byte that is not UTF-8");
  }

  /// What yaml-cpp's words for a mistake mean to one who wrote it.
  static std::string told(const std::string& message, std::string_view line) {
    const auto holds = [&](std::string_view part) { return line.find(part) != line.npos; };
    if (message == "illegal map value")
      return std::string(
                 "`: ` within a value: put the value in quotes, or indent the line like its "
                 "neighbours") +
             (holds("\u201c") || holds("\u201d") ? " (\u201c and \u201d are no quotes here)" : "");
    const bool map = message == "end of map flow not found";
    if (map || message == "end of sequence flow not found")
      return fmt::format("a `{}` is not closed by its `{}`, or a comma is missing{}",
                         map ? '{' : '[', map ? '}' : ']',
                         map && holds("${") ? "; between braces ${NAME} stands in quotes" : "");
    return message;
  }

  [[noreturn]] void fail_at_syntax(const YAML::Exception& e) const {
    const auto line = static_cast<std::size_t>(e.mark.line);
    if (has_lines_ && !e.mark.is_null() && line < lines_.size()) {
      const std::string_view text = lines_[line];
      const std::size_t tab = text.substr(0, text.find_first_not_of(" \t")).find('\t');
      if (tab != std::string_view::npos) {
        fail_at({name_, e.mark.line + 1, static_cast<int>(tab) + 1},
                "YAML is indented with spaces, not with tabs");
      }
    }
    fail_at(position(e.mark), told(e.msg, line < lines_.size() ? lines_[line] : ""));
  }

  std::shared_ptr<ConfigNode> make(const YAML::Mark& mark, YAML::anchor_t anchor = 0) {
    if (++nodes_ > 100000) fail_at(position(mark), "more than 100000 values");
    auto node = std::make_shared<ConfigNode>();
    node->position = position(mark);
    if (anchor != 0) anchors_[anchor] = node;
    return node;
  }

  std::shared_ptr<ConfigNode> copy(const ConfigNode& node, const YAML::Mark& mark) {
    auto out = make(mark);
    *out = node;
    for (auto& entry : out->entries) entry.value = copy(*entry.value, mark);
    for (auto& item : out->items) item = copy(*item, mark);
    return out;
  }

  void open(ConfigNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    auto node = make(mark, anchor);
    node->kind = kind;
    add(node, mark);
    open_.push_back({std::move(node), {}, false});
  }

  /// Gives a mapping what its merge key `<<` names: the keys of a mapping, or of several, that it
  /// does not have itself (yaml.org/type/merge.html).
  static void merge(ConfigNode& node) {
    const auto* key = node.find("<<");
    const std::shared_ptr<ConfigNode> merged = key->value;
    const Position position = key->position;
    const std::vector<std::shared_ptr<ConfigNode>> one = {merged};
    const bool several = merged->kind == ConfigNode::Kind::kSequence;
    std::erase_if(node.entries, [](const auto& entry) { return entry.key == "<<"; });
    for (const auto& base : several ? merged->items : one) {
      if (base->kind != ConfigNode::Kind::kMap)
        fail_at(position,
                "'<<' merges a mapping, or a list of them: write `<<: *name` of an anchor");
      for (const auto& entry : base->entries)
        if (node.find(entry.key) == nullptr) node.entries.push_back(entry);
    }
  }

  /// Puts a node where it belongs: the root, an item, a key or the value of the key before.
  void add(std::shared_ptr<ConfigNode> node, const YAML::Mark& mark) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& [parent, key, merges] = open_.back();
    if (parent->kind == ConfigNode::Kind::kSequence) {
      node->name = parent->name + "." + std::to_string(parent->items.size());
      parent->items.push_back(std::move(node));
    } else if (!key) {
      // A bracket that is never closed can look like a key at first, so this error waits.
      if (node->kind != ConfigNode::Kind::kScalar && !bad_key_) bad_key_ = position(mark);
      if (const auto* first = bad_key_ ? nullptr : parent->find(node->text)) {
        std::string where;
        if (has_lines_)
          where = fmt::format(" (first at {}:{})", first->position.line, first->position.column);
        fail_at(position(mark), "key " + in_quotes(node->text) + " is given twice" + where);
      }
      constexpr std::string_view kNoBreakSpace = "\u00a0";
      if (node->text.starts_with(kNoBreakSpace))
        fail_at(position(mark), "YAML is indented with spaces, and this is a no-break space");
      merges = merges || (node->plain && node->text == "<<");
      key.emplace(node->text, position(mark));
    } else {
      node->name = key->first;
      // yaml-cpp puts an empty value at whatever follows it.
      if (node->kind == ConfigNode::Kind::kNull) node->position = key->second;
      parent->entries.push_back({key->first, key->second, std::move(node)});
      key.reset();
    }
  }

  std::map<int, std::vector<int>> shortened_;  // before text_, which fills it
  std::string text_;
  std::string name_;
  bool has_lines_;
  std::vector<std::string> lines_;
  std::shared_ptr<ConfigNode> root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, std::shared_ptr<ConfigNode>> anchors_;
  std::optional<Position> bad_key_;
  int nodes_ = 0;
};

}  // namespace

std::shared_ptr<ConfigNode> read_config(std::string_view text, std::string name, bool has_lines) {
  return Reader(text, std::move(name), has_lines).read();
}

}  // namespace theta
