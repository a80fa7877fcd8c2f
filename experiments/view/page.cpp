#include "experiments/view/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/utf8.hpp"
#include "core/visible.hpp"
#include "experiments/report/html.hpp"

namespace theta::view {
namespace {

constexpr const char* kStyle = R"(
nav { display: flex; gap: .3em 1em; flex-wrap: wrap } h1 { margin: .5rem 0 }
form { display: flex; gap: .6em 1em; flex-wrap: wrap; align-items: end; margin: .6rem 0 }
label { display: flex; flex-direction: column; font-size: .85em; color: #666; min-width: 0; max-width: 100% }
input, select, button { font: inherit; max-width: 100% }
main th, main td { min-width: 3.5em } td bdi, dd bdi { white-space: pre-line }
@media (max-width: 40rem) { main th, main td { padding: .25em .35em } main .method { min-width: 9em } }
bdi, td, dd { overflow-wrap: anywhere } pre { unicode-bidi: plaintext; max-height: 40rem; overflow: auto }
dl { display: grid; grid-template-columns: minmax(5em, max-content) 1fr; gap: .2em 1em } dt { color: #666 } dd { margin: 0 }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 1.5rem }
.sides > * { min-width: 0 } .ask { border-left: 3px solid #ddd; padding-left: .8em; margin: .8em 0 } .ask pre { margin: .2em 0 .6em }
.role { font-size: .8em; color: #666 } .answer { background: #eef4fb } .bad { color: #a32015 } .code { font: .85em ui-monospace, monospace }
)";

/// Renews what goes on, and what a form shows while one types. A page without it works too.
constexpr const char* kScript = R"(
'use strict';
const body = () => document.getElementById('body');
async function renew(url) {
  const reply = await fetch(url);
  if (!reply.ok) return false;
  const page = new DOMParser().parseFromString(await reply.text(), 'text/html');
  const fresh = page.getElementById('body');
  const open = [...body().querySelectorAll('details')].map(one => one.open);
  [...fresh.querySelectorAll('details')].forEach((one, i) => { if (i in open) one.open = open[i]; });
  if (fresh.isEqualNode(body())) return true;
  body().replaceWith(document.adoptNode(fresh));
  return true;
}
async function watch() {
  if (!('live' in body().dataset)) return;
  const there = await renew(location.href).catch(() => false);
  document.getElementById('gone').hidden = there;
  setTimeout(watch, 2000);
}
setTimeout(watch, 2000);
for (const form of document.querySelectorAll('form[data-filter]')) {
  let typing;
  const show = () => {
    const given = [...new FormData(form)].filter(([, value]) => value !== '');
    const url = form.getAttribute('action') + '?' + new URLSearchParams(given);
    history.replaceState(null, '', url);
    renew(url).catch(() => {});
  };
  form.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(show, 250); });
  form.addEventListener('submit', event => { event.preventDefault(); show(); });
}
)";

/// Whether a character turns the direction of what stands behind it.
bool turns(std::uint32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
         code == 0x200E || code == 0x200F || code == 0x061C;
}

/// `U+202E` in place of every character that turns the direction of writing.
std::string without_turns(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i]));
    };
    std::uint32_t code = 0;
    std::size_t n = 1;
    if ((byte(0) & 0xF0) == 0xE0 && at + 2 < text.size()) {
      n = 3;
      code = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    } else if ((byte(0) & 0xE0) == 0xC0 && at + 1 < text.size()) {
      n = 2;
      code = (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    }
    if (turns(code))
      out += fmt::format("\\u{:04x}", code);
    else
      out += text.substr(at, n);
    at += n;
  }
  return out;
}

std::string escaped(std::string_view text) { return html_escaped(inert(text)); }

std::string percent(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

std::string inert(std::string_view text) { return without_turns(visible(text)); }

std::string policy_of(std::string_view nonce) {
  return fmt::format(
      "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; connect-src 'self'; "
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      nonce);
}

std::string html_of(const Page& page, std::string_view nonce) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n"
      "<style nonce=\"{1}\">{2}{3}</style>\n</head>\n<body>\n<h1>{0}</h1>\n"
      "<p id=\"gone\" class=\"note\" hidden>theta view does not answer: this is what it said last."
      "</p>\n{4}<main id=\"body\"{5}>\n{6}</main>\n<script nonce=\"{1}\">{7}</script>\n</body>\n"
      "</html>\n",
      escaped(page.title), nonce, html_style(), kStyle, page.form, page.live ? " data-live" : "",
      page.body, kScript);
}

std::string shown(std::string_view text) { return "<bdi>" + escaped(text) + "</bdi>"; }

std::string shown_start(std::string_view text, std::size_t most) {
  if (text.size() <= most) return shown(text);
  const std::string_view start = text.substr(0, utf8_prefix(text.substr(0, most)));
  return fmt::format("{} <span class=\"muted\">.. {} bytes</span>", shown(start), text.size());
}

std::string shown_block(std::string_view text) { return "<pre>" + escaped(text) + "</pre>\n"; }

std::string shown_diff(std::string_view before, std::string_view after) {
  return "<pre>" + diff_html(word_diff(inert(before), inert(after))) + "</pre>\n";
}

std::string address(std::string_view page, const Query& query) {
  std::string out(page.empty() ? "." : page);
  char before = '?';
  for (const auto& [key, value] : query) {
    if (value.empty()) continue;
    out += std::exchange(before, '&') + percent(key) + "=" + percent(value);
  }
  return html_escaped(out);
}

std::string link(std::string_view page, const Query& query, const std::string& html) {
  return fmt::format("<a href=\"{}\">{}</a>", address(page, query), html);
}

std::string form(std::string_view page, const Query& kept, const std::string& fields,
                 bool filters) {
  std::string hidden;
  for (const auto& [key, value] : kept)
    if (!value.empty())
      hidden += fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">", html_escaped(key),
                            html_escaped(value));
  return fmt::format("<form method=\"get\" action=\"{}\"{}>{}{}<button>Show</button></form>\n",
                     html_escaped(page), filters ? " data-filter" : "", hidden, fields);
}

std::string select_field(std::string_view label, std::string_view name,
                         const std::vector<Choice>& choices, std::string_view chosen) {
  std::string options;
  for (const auto& [value, text] : choices)
    options += fmt::format("<option value=\"{}\"{}>{}</option>", html_escaped(value),
                           value == chosen ? " selected" : "", escaped(text));
  return fmt::format("<label>{}<select name=\"{}\">{}</select></label>", label, name, options);
}

std::string text_field(std::string_view label, std::string_view name, std::string_view value) {
  return fmt::format("<label>{}<input type=\"search\" name=\"{}\" value=\"{}\"></label>", label,
                     name, html_escaped(value));
}

Piece piece_of(const std::string& page, std::size_t size, std::size_t all) {
  Piece piece{1, size, all};
  std::from_chars(page.data(), page.data() + page.size(), piece.number);
  piece.number = std::clamp<std::size_t>(piece.number, 1, piece.count());
  return piece;
}

std::string pager(std::string_view page, Query query, const Piece& piece) {
  if (piece.all == 0) return "<p class=\"muted\">none</p>\n";
  query.emplace_back("page", "");
  const auto to = [&](std::size_t number, const char* text) {
    if (number == piece.number || number < 1 || number > piece.count()) return std::string();
    query.back().second = std::to_string(number);
    return " " + link(page, query, text);
  };
  return fmt::format("<p class=\"muted\">{} to {} of {}{}{}{}{}</p>\n", piece.begin() + 1,
                     piece.end(), piece.all, to(1, "first"), to(piece.number - 1, "before"),
                     to(piece.number + 1, "next"), to(piece.count(), "last"));
}

}  // namespace theta::view
