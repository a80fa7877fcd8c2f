#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/rng.hpp"

namespace theta {

/// The strings that a GBNF grammar admits: enough of llama.cpp's notation for our own grammars,
/// read independently of what writes them.
class GbnfLanguage {
 public:
  /// @throws std::logic_error for what it cannot read.
  explicit GbnfLanguage(std::string_view grammar);
  ~GbnfLanguage();

  /// A random string of the language. Where a class leaves the choice, characters that mean
  /// something to an adapter are drawn often.
  std::string sample(Rng& rng) const;
  bool admits(std::string_view text) const;

 private:
  struct Node;
  class Reader;
  void append_sample(const Node& node, Rng& rng, std::string& out) const;
  std::set<std::size_t> ends(const Node& node, std::string_view text, std::size_t begin) const;

  std::map<std::string, std::unique_ptr<Node>, std::less<>> rules_;
};

}  // namespace theta
