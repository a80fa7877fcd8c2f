#include "modules/text.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/utf8.hpp"

namespace theta {
namespace {

/// What str.isspace() holds for, in UTF-8.
constexpr std::array<std::string_view, 29> kSpaces = {
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\x1c",   "\x1d",
    "\x1e",   "\x1f",   "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
    "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
    "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

bool continues_a_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string_view strip(std::string_view text) {
  // Printable ASCII, which most texts begin and end with, needs no look at the list.
  const auto leads = [&](std::string_view space) { return text.starts_with(space); };
  const auto trails = [&](std::string_view space) { return text.ends_with(space); };
  const auto end = kSpaces.end();
  for (auto it = end; !text.empty() && !is_visible(text.front()); text.remove_prefix(it->size())) {
    if ((it = std::ranges::find_if(kSpaces, leads)) == end) break;
  }
  for (auto it = end; !text.empty() && !is_visible(text.back()); text.remove_suffix(it->size())) {
    if ((it = std::ranges::find_if(kSpaces, trails)) == end) break;
  }
  return text;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (end < text.size() && line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  std::size_t at = text.find(from);
  if (at == std::string::npos) return text;
  std::string out;
  std::size_t begin = 0;
  for (; at != std::string::npos; at = text.find(from, begin)) {
    out.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  return out.append(text, begin);
}

std::string shorten(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && continues_a_character(text[bytes])) --bytes;
  return std::string(text.substr(0, bytes)) + "...";
}

std::string field_lines(const Record& fields) {
  std::string lines;
  for (const auto& [name, value] : fields) lines += name + ": " + to_text(value) + "\n";
  return lines;
}

std::string json_quoted(const std::string& text) {
  using nlohmann::json;
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace theta
