#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace theta::view {

/// A page of `theta view` before it is sent.
struct Page {
  std::string title;
  std::string form = {};  ///< HTML above the body that stays as it is while the body is renewed
  std::string body = {};  ///< HTML
  bool live = false;      ///< what it shows goes on
};

/// The whole document.   @param nonce  of its style and script, which the policy allows alone
std::string html_of(const Page& page, std::string_view nonce);
/// Content-Security-Policy of a document: no other script or style, nothing from elsewhere.
std::string policy_of(std::string_view nonce);

/// A text of others whose control characters, and those that turn the direction of writing, are
/// made visible.
std::string inert(std::string_view text);
/// The same as HTML, escaped, in a direction of its own.
std::string shown(std::string_view text);
/// Its first bytes, and how many it has where it has more.
std::string shown_start(std::string_view text, std::size_t most = 200);
/// A text of any length, lines as they are.
std::string shown_block(std::string_view text);
/// What became of one text in another, word by word.
std::string shown_diff(std::string_view before, std::string_view after);

using Query = std::vector<std::pair<std::string, std::string>>;
/// `items?run=a%2Fb&page=2`, escaped for an attribute. What is empty is left out.
std::string address(std::string_view page, const Query& query);
/// @param html  what it says
std::string link(std::string_view page, const Query& query, const std::string& html);

/// A form that asks for a page.
/// @param kept     what it asks for beside its fields
/// @param filters  of what the page that it stands on shows: the body follows what one types
std::string form(std::string_view page, const Query& kept, const std::string& fields,
                 bool filters = true);
struct Choice {
  std::string value, label;
};
std::string select_field(std::string_view label, std::string_view name,
                         const std::vector<Choice>& choices, std::string_view chosen);
std::string text_field(std::string_view label, std::string_view name, std::string_view value);

/// One piece of something long.
struct Piece {
  std::size_t number = 1;  ///< from 1
  std::size_t size = 100;
  std::size_t all = 0;  ///< entries of all pieces

  std::size_t count() const { return all == 0 ? 1 : (all + size - 1) / size; }
  std::size_t begin() const { return (number - 1) * size; }
  std::size_t end() const { return begin() + size < all ? begin() + size : all; }
};
/// Of a query's `page`; what is no number or too large is the nearest piece.
Piece piece_of(const std::string& page, std::size_t size, std::size_t all);
/// `101 to 200 of 1234`, and the ways to the other pieces.
std::string pager(std::string_view page, Query query, const Piece& piece);

}  // namespace theta::view
