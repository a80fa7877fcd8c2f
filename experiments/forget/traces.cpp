#include "experiments/forget/traces.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <unordered_set>

#include "core/ascii.hpp"
#include "core/result.hpp"

namespace theta {
namespace {

constexpr std::size_t kHead = sizeof(std::uint64_t);
constexpr std::size_t kFilter = 1 << 16;

std::uint64_t head_of(const char* bytes) {
  std::uint64_t head = 0;
  std::memcpy(&head, bytes, kHead);
  return head;
}

std::size_t slot_of(std::uint64_t head) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio: Fibonacci hashing
  return static_cast<std::size_t>((head * kOdd) >> 48) % kFilter;
}

/// Whether some format writes the character otherwise.
bool is_special(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == 0x7F ||
         std::string_view("\"'\\&<>").find(c) != std::string_view::npos;
}

/// What of a text is sought.
std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> pieces;
  for (std::size_t from = 0; from < text.size();) {
    std::size_t to = from;
    while (to < text.size() && !is_special(text[to])) ++to;
    for (std::string_view run = text.substr(from, to - from); run.size() >= Traces::kLeast;) {
      const std::size_t n = std::min(run.size(), Traces::kMost);
      pieces.emplace_back(run.substr(0, n));
      run.remove_prefix(n);
    }
    from = to + 1;
  }
  return pieces;
}

/// Whether an id goes on with this character.
bool is_of_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_weak(const std::string& id) {
  return id.size() < 3 || std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Traces::Traces(const KnownPerson& person)
    : user_(person.user),
      pair_ids_(person.pair_ids),
      weak_id_(is_weak(person.user)),
      heads_(kFilter) {
  require(!user_.empty(), "a person has an id");
  several_ = std::max<std::size_t>(2, (person.pairs.size() + 2) / 3);
  std::unordered_set<std::string> of_others;
  for (const std::string& text : person.of_others)
    for (std::string& piece : pieces_of(text)) of_others.insert(std::move(piece));

  std::unordered_map<std::string, std::size_t> places;
  const auto add = [&](const std::string& text, bool persona, std::optional<std::uint32_t> pair) {
    bool own = false;
    const auto pieces = pieces_of(text);
    for (const std::string& bytes : pieces) {
      const auto [place, is_new] = places.try_emplace(bytes, pieces_.size());
      if (is_new) pieces_.push_back({bytes, !of_others.contains(bytes), persona});
      Piece& piece = pieces_[place->second];
      own = own || piece.own;
      if (pair && (piece.pairs.empty() || piece.pairs.back() != *pair))
        piece.pairs.push_back(*pair);
    }
    ++(pieces.empty() ? texts_short_ : own ? texts_sought_ : texts_shared_);
  };
  std::set<std::string> seen;
  for (std::size_t i = 0; i < person.pairs.size(); ++i)
    for (const std::string& text : person.pairs[i])
      if (!text.empty()) add(text, false, static_cast<std::uint32_t>(i));
  for (const std::string& persona : person.personas)
    if (!persona.empty() && seen.insert(persona).second) add(persona, true, std::nullopt);
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const std::uint64_t head = head_of(pieces_[i].bytes.data());
    by_head_.emplace(head, i);
    heads_[slot_of(head)] = true;
  }
}

/// @param found  is told place and piece; false: enough
template <typename F>
void Traces::for_each_piece(std::string_view bytes, const F& found) const {
  if (pieces_.empty() || bytes.size() < kLeast) return;
  for (std::size_t at = 0; at + kLeast <= bytes.size(); ++at) {
    const std::uint64_t head = head_of(bytes.data() + at);
    if (!heads_[slot_of(head)]) continue;
    const auto [begin, end] = by_head_.equal_range(head);
    for (auto it = begin; it != end; ++it)
      if (bytes.substr(at).starts_with(pieces_[it->second].bytes) &&
          !found(at, pieces_[it->second]))
        return;
  }
}

std::optional<std::size_t> Traces::find_id(std::string_view bytes) const {
  if (bytes.find(user_) == std::string_view::npos) return std::nullopt;
  if (const auto at = find_word(bytes, user_, weak_id_)) return at;
  for (const std::string& id : pair_ids_)
    if (const auto at = find_word(bytes, id, false)) return at;
  return std::nullopt;
}

std::optional<std::size_t> Traces::find_word(std::string_view bytes, const std::string& id,
                                             bool in_quotes) const {
  if (bytes == id) return 0;
  for (std::size_t at = bytes.find(id); at != std::string_view::npos; at = bytes.find(id, at + 1)) {
    const char before = at == 0 ? ' ' : bytes[at - 1];
    const char behind = at + id.size() == bytes.size() ? ' ' : bytes[at + id.size()];
    const bool quoted = (before == '"' && behind == '"') || (before == '\'' && behind == '\'') ||
                        (before == '>' && behind == '<');
    if (in_quotes ? quoted : !is_of_word(before) && !is_of_word(behind)) return at;
  }
  return std::nullopt;
}

bool Traces::told_by(std::string_view value) const {
  if (find_id(value)) return true;
  bool told = false;
  std::set<std::uint32_t> pairs;
  for_each_piece(value, [&](std::size_t, const Piece& piece) {
    if (piece.pairs.size() == 1) pairs.insert(piece.pairs.front());  // else a common question
    told = piece.own || pairs.size() >= several_;
    return !told;
  });
  return told;
}

std::optional<Traces::Place> Traces::find(std::string_view bytes, bool with_id) const {
  if (with_id)
    if (const auto at = find_id(bytes)) return Place{*at, "the id"};
  std::optional<Place> place;
  for_each_piece(bytes, [&](std::size_t at, const Piece& piece) {
    if (piece.own) place = {at, piece.persona ? "a persona" : "a text"};
    return !place;
  });
  return place;
}

}  // namespace theta
