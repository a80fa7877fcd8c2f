#include <algorithm>
#include <filesystem>

#include "core/config.hpp"
#include "core/config_node.hpp"
#include "core/config_reader.hpp"
#include "core/config_text.hpp"
#include "core/private_file.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using Node = std::shared_ptr<ConfigNode>;
using Kind = ConfigNode::Kind;

constexpr std::size_t kMostBytes = 64UL << 20;

/// Every value keeps its position, so that paths start at the folder of the file that names them.
void lay_over(ConfigNode& base, const ConfigNode& own) {
  for (const auto& entry : own.entries) {
    auto* below = base.find(entry.key);
    if (below == nullptr) {
      base.entries.push_back(entry);
    } else if (below->value->kind == Kind::kMap && entry.value->kind == Kind::kMap) {
      below->position = entry.position;
      lay_over(*below->value, *entry.value);
    } else {
      *below = entry;
    }
  }
}

/// The scalars of `include`, which is one or a list.
std::vector<Node> files_of(const Node& include) {
  const std::vector<Node> files =
      include->kind == Kind::kSequence ? include->items : std::vector<Node>{include};
  for (const Node& file : files)
    if (file->kind != Kind::kScalar)
      fail_at(file->position, "'include' is a file, or a list of files");
  return files;
}

Node load_tree(const fs::path& file, const std::string& text, std::vector<fs::path> open);

/// @param open  the files that include one another down to this one
Node load_included(const ConfigNode& named, const fs::path& folder,
                   const std::vector<fs::path>& open) {
  const fs::path file = folder / expand(named.text, named.position);
  std::error_code ignored;  // the reader says what is wrong with it
  if (std::ranges::find(open, fs::weakly_canonical(file, ignored)) != open.end())
    fail_at(named.position, file.string() + " includes itself");
  std::string text;
  try {
    text = read_bounded(file, kMostBytes);
  } catch (const UserError& e) {
    fail_at(named.position, e.what());
  }
  Node tree = load_tree(file, text, open);
  if (tree->kind != Kind::kMap) fail_at(tree->position, "a config that is included is a mapping");
  return tree;
}

Node load_tree(const fs::path& file, const std::string& text, std::vector<fs::path> open) {
  Node own = read_config(text, file.string());
  if (own->kind == Kind::kNull) fail_at(own->position, "the config is empty");
  const auto* entry = own->kind == Kind::kMap ? own->find("include") : nullptr;
  if (entry == nullptr) return own;
  const Node include = entry->value;
  std::erase_if(own->entries, [](const auto& one) { return one.key == "include"; });
  std::error_code ignored;
  open.push_back(fs::weakly_canonical(file, ignored));
  const auto base = std::make_shared<ConfigNode>();
  base->kind = Kind::kMap;
  base->position = own->position;
  for (const Node& named : files_of(include))
    lay_over(*base, *load_included(*named, file.parent_path(), open));
  lay_over(*base, *own);
  return base;
}

}  // namespace

Config Config::load(const fs::path& file) {
  return Config(load_tree(file, read_bounded(file, kMostBytes), {}));
}

}  // namespace theta
