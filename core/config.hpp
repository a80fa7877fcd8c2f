#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace theta {

/// A position in a config file; `file` is "--set" for a value given on the command line.
struct Position {
  std::string file;
  int line = 0;              ///< 1-based
  int column = 0;            ///< 1-based
  std::string text() const;  ///< `file:line:col`
};

/// One node of a YAML or JSON config, read strictly: what a reader did not ask for is an error.
///
/// Every getter marks its key as known. `finish()` on a mapping then reports the first key that no
/// getter asked for, with the nearest known one. All errors are UserError `file:line:col: message`.
/// `${VAR}` and `${VAR:-default}` in a text value are replaced from the environment when it is
/// read. Cheap to copy: a handle on shared nodes.
class Config {
 public:
  /// Reads a file. @throws UserError for what is not YAML, a duplicate key, a missing file.
  static Config load(const std::filesystem::path& file);
  /// Reads text; `name` stands for the file in messages.
  static Config parse(std::string_view text, std::string name);

  /// Replaces or adds the value at `a.b.2.c` (the text after `=` is read as YAML). @throws
  /// UserError
  /// `--set a.b.c: message` if the path does not lead through mappings and sequences.
  void set(std::string_view path_and_value);

  /// A child that must be there.
  Config at(std::string_view key) const;
  /// A child that may be there.
  std::optional<Config> find(std::string_view key) const;

  std::string text() const;
  std::int64_t integer() const;
  double number() const;
  bool boolean() const;
  std::vector<Config> items() const;  ///< of a sequence
  std::vector<std::pair<std::string, Config>> entries()
      const;  ///< of a mapping with free keys: all known

  std::string text(std::string_view key) const { return at(key).text(); }
  std::string text(std::string_view key, std::string fallback) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t least = 0) const;
  double number(std::string_view key, double fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::vector<std::string> texts(std::string_view key) const;  ///< empty if the key is missing
  /// One of `choices`, else an error with the nearest.
  std::string choice(std::string_view key, const std::vector<std::string>& choices,
                     std::string_view fallback) const;

  bool is_map() const;
  bool is_sequence() const;
  bool is_scalar() const;

  /// @throws UserError at the first key of this mapping, or of any mapping below that was read,
  /// which
  ///   nothing asked for.
  void finish() const;

  /// Throws UserError at this node's position.
  [[noreturn]] void fail(const std::string& message) const;
  const Position& position() const;

  /// The whole tree as YAML with `${VAR}` left as written, in file order.
  std::string dump() const;
  /// The canonical JSON of the tree without the named dotted keys (`*` matches one level): the text
  /// that a config hash is taken of. Key order and number spelling do not matter.
  std::string canonical(const std::vector<std::string>& without) const;

 private:
  struct Node;
  explicit Config(std::shared_ptr<Node> node);
  std::shared_ptr<Node> node_;
};

}  // namespace theta
