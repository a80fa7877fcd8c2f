#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace theta {

/// What is known of a person whose traces are sought.
struct KnownPerson {
  std::string user;                             ///< id
  std::vector<std::vector<std::string>> pairs;  ///< the texts of each pair that they chose between
  std::vector<std::string> personas;            ///< that were written for them
  /// Texts and personas of other people: what stands in them too tells of nobody.
  std::vector<std::string> of_others = {};
  std::vector<std::string> pair_ids = {};  ///< of their pairs, where these hold the id
};

/// Finds what tells of a person in texts and files, however they quote it: their id, or one of their
/// pairs that is named by it, as a word, a
/// piece of a text or persona that nobody else has, or texts of several of their pairs together,
/// which is what a history or a list of demos is.
///
/// Texts are sought in pieces of up to 64 bytes between line ends, quotes, backslashes and HTML's
/// special characters, which every format writes alike; pieces of fewer than 16 bytes are not sought.
/// An id of fewer than three characters or of digits alone is sought in quotes or tags, or as a
/// whole value.
class Traces {
 public:
  static constexpr std::size_t kLeast = 16, kMost = 64;  ///< bytes of a piece

  explicit Traces(const KnownPerson& person);

  const std::string& user() const { return user_; }
  /// Whether a value (a column, a JSON text, a line) tells of the person.
  bool told_by(std::string_view value) const;

  struct Place {
    std::size_t at = 0;  ///< byte
    std::string what;    ///< `the id`, `a text`, `a persona`
  };
  /// The first place in a file that tells of the person by itself.
  /// @param with_id  false: the id is no word of its own there, as in the pages of a database
  std::optional<Place> find(std::string_view bytes, bool with_id = true) const;
  /// The first place of the id.
  std::optional<std::size_t> find_id(std::string_view bytes) const;

  std::size_t texts_sought() const { return texts_sought_; }
  /// Texts that are nobody's alone, or too short: no trace by themselves.
  std::size_t texts_shared() const { return texts_shared_; }
  std::size_t texts_short() const { return texts_short_; }

 private:
  struct Piece {
    std::string bytes;
    bool own = false;  ///< of nobody else
    bool persona = false;
    std::vector<std::uint32_t> pairs = {};  ///< that hold it
  };
  template <typename F>
  void for_each_piece(std::string_view bytes, const F& found) const;

  std::optional<std::size_t> find_word(std::string_view bytes, const std::string& id,
                                       bool in_quotes) const;

  std::string user_;
  std::vector<std::string> pair_ids_;
  bool weak_id_ = false;
  std::size_t several_ = 2;  ///< pairs that tell together
  std::vector<Piece> pieces_;
  std::unordered_multimap<std::uint64_t, std::size_t> by_head_;  ///< by the first 8 bytes
  std::vector<bool> heads_;                                      ///< a filter of these
  std::size_t texts_sought_ = 0, texts_shared_ = 0, texts_short_ = 0;
};

}  // namespace theta
