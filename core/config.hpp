#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace theta {

struct ConfigNode;

/// A position in a config. Of a value given on the command line there is only a name in place of
/// the file: `--set models.teacher.threads`.
struct Position {
  std::string file;
  int line = 0;              ///< 1-based; 0: there is none
  int column = 0;            ///< 1-based, in characters
  std::string text() const;  ///< `file:line:col`
};

/// Where byte `at` of a file's text stands; the column counts bytes.
Position position_in(std::string file, std::string_view text, std::size_t at);

/// One node of a YAML or JSON config, read strictly: what a reader did not ask for is an error.
///
/// Every getter marks its key as known. `finish()` then reports the first key that no getter asked
/// for, with the nearest known one. All errors are UserError `file:line:col: message`.
///
/// `${VAR}` and `${VAR:-default}` are replaced from the environment when a value is read, `$${`
/// stands for `${`. A value in quotes is a text and never a number or boolean, unless it holds a
/// `${`. Only `true` and `false` are booleans; numbers are decimal.
///
/// Cheap to copy: a handle on shared nodes. Not thread-safe, as reading marks keys.
class Config {
 public:
  /// Reads a file, laid over those of its key `include`: mappings key by key, all else whole.
  /// @throws UserError for what is not one YAML document, for a duplicate key or a file that cannot
  ///   be read.
  static Config load(const std::filesystem::path& file);
  /// Reads text; `name` stands for the file in messages.
  static Config parse(std::string_view text, std::string name);

  /// Replaces or adds the value at `a.b.2.c=value` (what follows `=` is read as YAML). Mappings
  /// that are missing on the way are made.
  /// @throws UserError `--set a.b.2.c: message` if the path leads elsewhere.
  void set(std::string_view path_and_value);
  /// The same with a value of another config, which keeps its position. What the path leads wrong
  /// on the way, and mappings made there, stand at `where`.
  void set(std::string_view path, const Config& value, const Position& where);
  /// Takes a key out of this mapping, if it is there.
  void erase(std::string_view key);
  /// The same tree, of which nothing has been read: changing one leaves the other.
  Config copy() const;
  /// A copy whose every text is what stands there: no `${VAR}` is replaced. For files that others
  /// made, which are data.
  Config literal() const;
  /// A copy in which no variable is looked up, for configs of others: `${VAR:-default}` is its
  /// default, and what stands beside another `${VAR}` is_unknown() and read as a missing key would
  /// be, a text as it stands.
  Config without_environment() const;

  /// A child that must be there.
  Config at(std::string_view key) const;
  /// A child that may be there.
  std::optional<Config> find(std::string_view key) const;

  std::string text() const;
  /// Of a scalar, as it stands there: with `${VAR}` in place of what the variable holds.
  std::string written() const;
  /// What the variables hold that a scalar, or any below this node, names.
  std::vector<std::string> variables() const;
  std::int64_t integer() const;
  double number() const;
  bool boolean() const;
  /// Of a sequence.
  std::vector<Config> items() const;
  /// Of a mapping with free keys: all of them become known.
  std::vector<std::pair<std::string, Config>> entries() const;

  std::string text(std::string_view key) const { return at(key).text(); }
  std::string text(std::string_view key, std::string fallback) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t least = 0,
                       std::int64_t most = std::numeric_limits<std::int64_t>::max()) const;
  double number(std::string_view key, double fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::vector<std::string> texts(std::string_view key) const;  ///< empty if the key is missing
  /// One of `choices`, else an error with the nearest.
  std::string choice(std::string_view key, const std::vector<std::string>& choices,
                     std::string_view fallback) const;

  /// What readers asked this mapping for: the keys that it may have, sorted.
  std::vector<std::string> known_keys() const;

  bool is_map() const;
  bool is_sequence() const;
  bool is_scalar() const;
  bool is_null() const;
  bool is_unknown() const;  ///< see without_environment()

  /// @throws UserError at the first key of this mapping, or of any mapping below that was read,
  ///   which nothing asked for.
  void finish() const;

  /// Throws UserError at this node's position.
  [[noreturn]] void fail(const std::string& message) const;
  const Position& position() const;
  /// Where a key of this mapping stands.
  const Position& position_of(std::string_view key) const;

  /// The whole tree as YAML with `${VAR}` left as written, in file order. Reads back to the same
  /// tree.
  std::string dump() const;
  /// A copy in which every `${VAR}` is replaced, and what stands at one of the dotted keys (`*`
  /// matches one level, a `**` at the end all that is below) by what `rewrite` makes of it.
  /// @param as_written  keys whose `${VAR}` stay, as they may hold secrets
  Config resolved(const std::vector<std::string>& keys,
                  const std::function<std::string(const Config&)>& rewrite,
                  const std::vector<std::string>& as_written = {}) const;
  /// The canonical JSON of the tree, `${VAR}` replaced, without the named dotted keys: the text that
  /// a config hash is taken of. Key order and the spelling of numbers do not matter.
  /// @param as_written  as above
  std::string canonical(const std::vector<std::string>& without,
                        const std::vector<std::string>& as_written = {}) const;

 private:
  explicit Config(std::shared_ptr<ConfigNode> node) : node_(std::move(node)) {}
  void put(std::string_view path, std::shared_ptr<ConfigNode> value, const Position& where);

  std::shared_ptr<ConfigNode> node_;
};

}  // namespace theta
