#include "core/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/config_node.hpp"
#include "core/config_reader.hpp"
#include "core/config_text.hpp"
#include "core/nearest.hpp"
#include "core/result.hpp"
#include "core/utf8.hpp"

namespace theta {

namespace {

using nlohmann::json;

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

bool matches(std::vector<std::string> path, const std::string& pattern) {
  auto parts = split(pattern, '.');
  if (parts.back() == "**") {
    parts.pop_back();
    path.resize(std::min(path.size(), parts.size()));
  }
  return std::ranges::equal(path, parts,
                            [](const auto& a, const auto& b) { return b == "*" || a == b; });
}

bool matches_any(const std::vector<std::string>& path, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const auto& one) { return matches(path, one); });
}

json canonical_node(const ConfigNode& node, std::vector<std::string>& path,
                    const std::vector<std::string>& without,
                    const std::vector<std::string>& as_written) {
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      return nullptr;
    case ConfigNode::Kind::kScalar:
      return scalar_json(
          matches_any(path, as_written) ? node.text : expand(node.text, node.position), node.plain);
    case ConfigNode::Kind::kSequence: {
      json out = json::array();
      for (const auto& item : node.items) {
        path.push_back(std::to_string(out.size()));
        out.push_back(canonical_node(*item, path, without, as_written));
        path.pop_back();
      }
      return out;
    }
    case ConfigNode::Kind::kMap: {
      json out = json::object();
      for (const auto& [key, position, value] : node.entries) {
        path.push_back(key);
        if (!matches_any(path, without)) {
          out[key] = canonical_node(*value, path, without, as_written);
        }
        path.pop_back();
      }
      return out;
    }
  }
  throw std::logic_error("unknown kind of config node");
}

template <typename F>
void for_each_scalar(ConfigNode& node, const F& visit) {
  if (node.kind == ConfigNode::Kind::kScalar) visit(node);
  for (auto& entry : node.entries) for_each_scalar(*entry.value, visit);
  for (auto& item : node.items) for_each_scalar(*item, visit);
}

std::shared_ptr<ConfigNode> copy_of(const ConfigNode& node) {
  auto out = std::make_shared<ConfigNode>(node);
  out->asked.clear();
  out->all_known = false;
  for (auto& entry : out->entries) entry.value = copy_of(*entry.value);
  for (auto& item : out->items) item = copy_of(*item);
  return out;
}

// --- checks -------------------------------------------------------------------------------------

std::string title(const ConfigNode& node) {
  return node.name.empty() ? "the config" : in_quotes(node.name);
}

[[noreturn]] void fail_mistyped(const ConfigNode& node, const std::string& wanted) {
  std::string found;
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      found = " but empty";
      break;
    case ConfigNode::Kind::kSequence:
      found = " but a sequence";
      break;
    case ConfigNode::Kind::kMap:
      found = " but a mapping";
      break;
    case ConfigNode::Kind::kScalar:
      found = ": " + in_quotes(node.text) + (node.plain ? "" : " is in quotes");
  }
  fail_at(node.position, title(node) + " is not " + wanted + found);
}

/// The text of a scalar that is no quoted text.
std::string plain_text(const ConfigNode& node, const std::string& wanted) {
  if (node.kind != ConfigNode::Kind::kScalar || !node.plain) fail_mistyped(node, wanted);
  return expand(node.text, node.position);
}

template <typename T>
T number_of(const ConfigNode& node, const std::string& wanted,
            std::optional<T> (*read)(std::string_view, bool&)) {
  if (node.unknown) return 1;
  bool out_of_range = false;
  const auto value = read(plain_text(node, wanted), out_of_range);
  // Messages show a text as it is written: what a variable holds may be a secret.
  if (!value)
    fail_at(node.position, title(node) + " is not " + wanted + ": " + in_quotes(node.text));
  if (out_of_range)
    fail_at(node.position, title(node) + " is out of range: " + in_quotes(node.text));
  return *value;
}

bool was_read(const ConfigNode& node) {
  return node.all_known || !node.asked.empty() || node.kind == ConfigNode::Kind::kSequence;
}

/// The mappings whose readers asked for a key.
void find_askers(const ConfigNode& node, const std::string& key,
                 std::vector<const ConfigNode*>& askers) {
  if (std::ranges::find(node.asked, key) != node.asked.end()) askers.push_back(&node);
  for (const auto& entry : node.entries) find_askers(*entry.value, key, askers);
  for (const auto& item : node.items) find_askers(*item, key, askers);
}

/// Where an unknown key belongs, if that is one place; else the known one that is like it.
std::string way_out(const ConfigNode& root, const ConfigNode& node, const std::string& key) {
  std::vector<const ConfigNode*> askers;
  find_askers(root, key, askers);
  if (askers.size() != 1) return did_you_mean(key, node.asked);
  return askers[0]->name.empty() ? "; it stands at the top"
                                 : "; it stands under " + in_quotes(askers[0]->name);
}

void check_known(const ConfigNode& root, const ConfigNode& node) {
  for (const auto& [key, position, value] : node.entries) {
    if (!node.all_known && std::ranges::find(node.asked, key) == node.asked.end()) {
      fail_at(position, "unknown key " + in_quotes(key) + way_out(root, node, key));
    }
    if (was_read(*value)) check_known(root, *value);
  }
  for (const auto& item : node.items) {
    if (was_read(*item)) check_known(root, *item);
  }
}

}  // namespace

std::string Position::text() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

Position position_in(std::string file, std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  return {std::move(file), static_cast<int>(std::ranges::count(before, '\n')) + 1,
          static_cast<int>(at - (before.rfind('\n') + 1)) + 1};
}

Config Config::parse(std::string_view text, std::string name) {
  auto root = read_config(text, std::move(name));
  if (root->kind == ConfigNode::Kind::kNull) fail_at(root->position, "the config is empty");
  return Config(std::move(root));
}

void Config::set(std::string_view path_and_value) {
  const std::size_t equals = path_and_value.find('=');
  const std::string path(path_and_value.substr(0, equals));
  const Position where{"--set " + path};
  if (equals == std::string_view::npos) fail_at(where, "write it as key=value");
  // What neither begins nor is quoted as YAML is a text to its end: `a: b`, `issue #3`.
  const std::string_view text = path_and_value.substr(equals + 1);
  const bool yaml = text.empty() || text == "~" || text == "null" ||
                    std::string_view(" \t\n{[\"'").find(text.front()) != std::string_view::npos;
  auto value = yaml ? read_config(text, where.file, false) : std::make_shared<ConfigNode>();
  if (!yaml) {
    if (!is_utf8(text)) fail_at(where, "a byte that is not UTF-8");
    value->kind = ConfigNode::Kind::kScalar;
    value->text = text;
    value->position = where;
  }
  put(path, std::move(value), where);
}

void Config::set(std::string_view path, const Config& value, const Position& where) {
  put(path, copy_of(*value.node_), where);
}

void Config::erase(std::string_view key) {
  std::erase_if(node_->entries, [&](const auto& entry) { return entry.key == key; });
}

Config Config::copy() const { return Config(copy_of(*node_)); }

Config Config::literal() const {
  Config out = copy();
  for_each_scalar(*out.node_, [](ConfigNode& node) { node.text = escaped(node.text); });
  return out;
}

Config Config::without_environment() const {
  Config out = copy();
  for_each_scalar(*out.node_, [](ConfigNode& node) {
    node.text = escaped(
        replace_variables(node.text, node.position,
                          [&](const std::string& name, const std::optional<std::string>& fallback) {
                            node.unknown = node.unknown || !fallback;
                            return fallback.value_or("${" + name + "}");
                          }));
  });
  return out;
}

Config Config::resolved(const std::vector<std::string>& keys,
                        const std::function<std::string(const Config&)>& rewrite,
                        const std::vector<std::string>& as_written) const {
  Config out = copy();
  std::vector<std::string> path;
  const auto resolve = [&](const auto& self, const std::shared_ptr<ConfigNode>& node) -> void {
    if (node->kind == ConfigNode::Kind::kScalar && !matches_any(path, as_written))
      node->text = escaped(matches_any(path, keys) ? rewrite(Config(node))
                                                   : expand(node->text, node->position));
    for (const auto& entry : node->entries) {
      path.push_back(entry.key);
      self(self, entry.value);
      path.pop_back();
    }
    for (std::size_t i = 0; i < node->items.size(); ++i) {
      path.push_back(std::to_string(i));
      self(self, node->items[i]);
      path.pop_back();
    }
  };
  resolve(resolve, out.node_);
  return out;
}

void Config::put(std::string_view path, std::shared_ptr<ConfigNode> value, const Position& where) {
  std::shared_ptr<ConfigNode>* place = &node_;
  for (const std::string& part : split(path, '.')) {
    ConfigNode& parent = **place;
    if (part.empty()) fail_at(where, "a part of the path is empty");
    if (parent.kind == ConfigNode::Kind::kSequence) {
      const std::size_t n = parent.items.size();
      bool out_of_range = !is_digits(part);
      const auto index = read_integer(part, out_of_range);
      if (!index || out_of_range || static_cast<std::size_t>(*index) >= n) {
        fail_at(where, title(parent) + " has " + std::to_string(n) +
                           " items, counted from 0: " + in_quotes(part) + " is none of them");
      }
      place = &parent.items[static_cast<std::size_t>(*index)];
      continue;
    }
    if (parent.kind == ConfigNode::Kind::kNull) parent.kind = ConfigNode::Kind::kMap;
    if (parent.kind != ConfigNode::Kind::kMap) {
      fail_at(where, title(parent) + " is neither a mapping nor a sequence");
    }
    auto* entry = parent.find(part);
    if (!entry) {
      auto made = std::make_shared<ConfigNode>();
      made->name = part;
      made->position = where;
      parent.entries.push_back({part, where, std::move(made)});
      entry = &parent.entries.back();
    }
    place = &entry->value;
  }
  value->name = (*place)->name;
  *place = std::move(value);
}

std::optional<Config> Config::find(std::string_view key) const {
  if (!is_map()) fail_mistyped(*node_, "a mapping");
  node_->asked.emplace_back(key);
  const auto* entry = node_->find(key);
  if (!entry) return std::nullopt;
  return Config(entry->value);
}

Config Config::at(std::string_view key) const {
  if (auto child = find(key)) return *std::move(child);
  std::vector<std::string> keys;
  for (const auto& entry : node_->entries) keys.push_back(entry.key);
  const auto near = nearest(key, keys);
  fail(in_quotes(key) + " is missing here" +
       (near ? ", but " + in_quotes(*near) + " is there" : ""));
}

std::string Config::text() const {
  if (!is_scalar()) fail_mistyped(*node_, "a text");
  return expand(node_->text, node_->position);
}

std::string Config::written() const {
  if (!is_scalar()) fail_mistyped(*node_, "a text");
  return node_->text;
}

std::vector<std::string> Config::variables() const {
  std::vector<std::string> values;
  for_each_scalar(*node_, [&](ConfigNode& node) {
    replace_variables(node.text, node.position,
                      [&](const std::string& name, const std::optional<std::string>& fallback) {
                        const auto text =
                            fallback ? "${" + name + ":-" + *fallback + "}" : "${" + name + "}";
                        values.push_back(expand(text, node.position));
                        return values.back();
                      });
  });
  return values;
}

std::int64_t Config::integer() const { return number_of(*node_, "an integer", read_integer); }

double Config::number() const { return number_of(*node_, "a number", read_double); }

bool Config::boolean() const {
  if (node_->unknown) return true;
  const std::string wanted = "true or false";
  if (const auto value = read_boolean(plain_text(*node_, wanted))) return *value;
  fail(title(*node_) + " is not " + wanted + ": " + in_quotes(node_->text));
}

std::vector<Config> Config::items() const {
  if (!is_sequence()) fail_mistyped(*node_, "a sequence");
  std::vector<Config> out;
  for (const auto& item : node_->items) out.push_back(Config(item));
  return out;
}

std::vector<std::pair<std::string, Config>> Config::entries() const {
  if (!is_map()) fail_mistyped(*node_, "a mapping");
  node_->all_known = true;
  std::vector<std::pair<std::string, Config>> out;
  for (const auto& entry : node_->entries) out.emplace_back(entry.key, Config(entry.value));
  return out;
}

std::string Config::text(std::string_view key, std::string fallback) const {
  const auto child = find(key);
  return child ? child->text() : fallback;
}

std::int64_t Config::integer(std::string_view key, std::int64_t fallback, std::int64_t least,
                             std::int64_t most) const {
  const auto child = find(key);
  if (!child) return fallback;
  if (child->is_unknown()) return std::max(fallback, least);
  const std::int64_t value = child->integer();
  if (value < least || value > most) {
    child->fail(
        in_quotes(key) + " must be at " +
        (value < least ? "least " + std::to_string(least) : "most " + std::to_string(most)) +
        ", not " + std::to_string(value));
  }
  return value;
}

double Config::number(std::string_view key, double fallback) const {
  const auto child = find(key);
  return child && !child->is_unknown() ? child->number() : fallback;
}

bool Config::boolean(std::string_view key, bool fallback) const {
  const auto child = find(key);
  return child && !child->is_unknown() ? child->boolean() : fallback;
}

std::vector<std::string> Config::texts(std::string_view key) const {
  std::vector<std::string> out;
  if (const auto child = find(key)) {
    for (const Config& item : child->items()) out.push_back(item.text());
  }
  return out;
}

std::string Config::choice(std::string_view key, const std::vector<std::string>& choices,
                           std::string_view fallback) const {
  const auto child = find(key);
  if (!child) return std::string(fallback);
  if (child->is_unknown()) return fallback.empty() ? choices.front() : std::string(fallback);
  std::string value = child->text();
  if (std::ranges::find(choices, value) == choices.end()) {
    child->fail(in_quotes(key) + " is not one of " + joined(choices) + ": " +
                in_quotes(child->node_->text) + did_you_mean(value, choices));
  }
  return value;
}

std::vector<std::string> Config::known_keys() const {
  std::vector<std::string> keys = node_->asked;
  std::ranges::sort(keys);
  const auto [first, last] = std::ranges::unique(keys);
  keys.erase(first, last);
  return keys;
}

bool Config::is_map() const { return node_->kind == ConfigNode::Kind::kMap; }
bool Config::is_sequence() const { return node_->kind == ConfigNode::Kind::kSequence; }
bool Config::is_scalar() const { return node_->kind == ConfigNode::Kind::kScalar; }
bool Config::is_null() const { return node_->kind == ConfigNode::Kind::kNull; }

bool Config::is_unknown() const { return node_->unknown; }

void Config::finish() const { check_known(*node_, *node_); }

void Config::fail(const std::string& message) const { fail_at(node_->position, message); }

const Position& Config::position() const { return node_->position; }

const Position& Config::position_of(std::string_view key) const {
  const auto* entry = node_->find(key);
  require(entry != nullptr, "a key that is asked where it stands is there");
  return entry->position;
}

std::string Config::dump() const { return dump_node(*node_, ""); }

std::string Config::canonical(const std::vector<std::string>& without,
                              const std::vector<std::string>& as_written) const {
  std::vector<std::string> path;
  return canonical_node(*node_, path, without, as_written)
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace theta
