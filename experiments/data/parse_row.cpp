#include "experiments/data/parse_row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/ascii.hpp"
#include "core/json_text.hpp"
#include "core/json_value.hpp"
#include "core/python_literal.hpp"
#include "core/result.hpp"
#include "core/utf8.hpp"
#include "experiments/data/rows.hpp"
#include "experiments/data/text_file.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestReason = 150;

std::ptrdiff_t count_lines(std::string_view text) {
  return std::count(text.begin(), text.end(), '\n');
}

/// What pandas and Python write for a float that is no number, and JSON does not have.
constexpr std::array<std::string_view, 3> kNoNumbers = {"NaN", "-Infinity", "Infinity"};

/// The text with null in their place.
std::string null_for_no_number(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto found = std::ranges::find_if(
        kNoNumbers, [&](std::string_view word) { return text.substr(at).starts_with(word); });
    if (!in_string && found != kNoNumbers.end()) {
      out += "null";
      at += found->size() - 1;
      continue;
    }
    if (text[at] == '"') in_string = !in_string;
    if (in_string && text[at] == '\\') out += text[at++];
    if (at < text.size()) out += text[at];
  }
  return out;
}

/// The text with kUnreadable for every byte that is no UTF-8 and every half of a surrogate pair, and
/// control characters in strings escaped.
std::string without_faults(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (static_cast<unsigned char>(c) >= 0x80) {
      std::size_t n = 2;
      while (n <= 4 && !is_utf8(text.substr(at, n))) ++n;
      out += n <= 4 ? text.substr(at, n) : kUnreadable;
      at += n <= 4 ? std::min(n, text.size() - at) : 1;
    } else if (const auto unit = escaped_unit(text, at); in_string && unit) {
      const auto next = escaped_unit(text, at + 6);
      const bool pair = is_high_surrogate(*unit) && next && is_low_surrogate(*next);
      const bool half = !pair && (is_high_surrogate(*unit) || is_low_surrogate(*unit));
      out += half ? kUnreadable : text.substr(at, pair ? 12 : 6);
      at += pair ? 12 : 6;
    } else if (in_string && c == '\\') {
      out += text.substr(at, 2);
      at += 2;
    } else {
      if (c == '"') in_string = !in_string;
      in_string&& c >= 0 && c < ' ' ? void(out += fmt::format("\\u{:04x}", int(c)))
                                    : void(out += c);
      ++at;
    }
  }
  return out;
}

/// Reads a text that is not JSON as what it was meant as: with letters that cannot be read, with the
/// comma behind it that stands between items of a list, or as Python writes it.
std::optional<Json> read_leniently(std::string_view text) {
  const std::string_view bare = ascii::trim(text);
  if (bare.ends_with(',')) text = bare.substr(0, bare.size() - 1);
  try {
    return parse_json(without_faults(text));
  } catch (const Json::exception&) {
    return read_container(text);
  }
}

/// A text in which the number at a place, which no double holds, is a text.
std::string with_number_quoted(std::string_view text, std::size_t at) {
  const std::size_t end = std::min(text.find_first_not_of("+-.eE0123456789", at), text.size());
  return fmt::format("{}\"{}\"{}", text.substr(0, at), text.substr(at, end - at), text.substr(end));
}

}  // namespace

Json parse_row(std::string_view text, const std::string& file, std::ptrdiff_t first_line,
               bool lenient) {
  std::string repaired;
  const auto holds = [&](std::string_view word) { return text.find(word) != text.npos; };
  if (std::ranges::any_of(kNoNumbers, holds)) text = repaired = null_for_no_number(text);
  try {
    return parse_json(text);
  } catch (const Json::parse_error& e) {
    if (auto read = read_leniently(text)) return *std::move(read);
    // The message is `[json...] parse error at line 1, column 5: what is wrong`; its line is the
    // text's own.
    const std::string_view message = e.what();
    const std::size_t what = message.find(": ", message.find("column"));
    const std::string_view before = text.substr(0, e.byte == 0 ? 0 : e.byte - 1);
    throw UserError(fmt::format(
        "{}:{}: not JSON: {}", file, first_line + count_lines(before),
        shortened(what == message.npos ? message : message.substr(what + 2), kLongestReason)));
  } catch (const Json::out_of_range& e) {
    const auto [at, why] = json_fault(text, e);
    if (lenient) return parse_row(with_number_quoted(text, at), file, first_line, true);
    throw UserError(
        fmt::format("{}:{}: {}", file, first_line + count_lines(text.substr(0, at)), why));
  }
}

}  // namespace theta
