#include "experiments/http_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ascii.hpp"
#include "core/models/http/url.hpp"
#include "core/utf8.hpp"
#include "experiments/data/data_config.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

constexpr const char* kPort = "{port}";

double read_seconds(const Config& model, const char* key, double fallback) {
  const double seconds = model.number(key, fallback);
  if (!(seconds > 0 && seconds <= 1e6))
    model.at(key).fail(fmt::format("'{}' must be above 0 and at most 1000000 s", key));
  return seconds;
}

/// One address, or a list of several.
/// @param served  by a program that is started, at a port that is not known yet
std::vector<std::string> read_base_urls(const Config& node, bool served) {
  std::vector<std::string> urls;
  const auto add = [&](const Config& url) {
    const std::string text = url.text();
    if (!served && text.find(kPort) != std::string::npos)
      url.fail(fmt::format(
          "{} is the port of a server that is started here: give its 'server.command'", kPort));
    try {
      if (!url.is_unknown()) parse_url(replace_all(text, kPort, "1"));
    } catch (const UserError& e) {
      url.fail(e.what());
    }
    if (std::ranges::find(urls, text) != urls.end()) url.fail("'" + text + "' is given twice");
    urls.push_back(text);
  };
  if (!node.is_sequence()) {
    add(node);
  } else {
    for (const Config& url : node.items()) add(url);
    if (urls.empty()) node.fail("'base_url' lists no address");
  }
  return urls;
}

/// A limit that must be above 0 where it is given.
double read_limit(const Config& model, const char* key) {
  const auto limit = model.find(key);
  if (!limit) return 0;
  const double value = limit->number();
  if (!(value > 0 && value <= 1e12)) limit->fail(std::string("'") + key + "' is not in 0..1e12");
  return value;
}

/// The name of an environment variable, as is usual in capitals. What is none is not repeated: a
/// key may stand there.
std::string read_variable(const Config& model, const char* key) {
  const std::string name = model.text(key, "");
  if (const auto given = model.find(key); given && given->is_unknown()) return name;
  const auto letter = [](char c) {
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool digit_first = !name.empty() && name.front() >= '0' && name.front() <= '9';
  if (digit_first || !std::ranges::all_of(name, letter))
    model.at(key).fail(fmt::format(
        "'{}' names an environment variable (capital letters, digits, '_'): put the key there, or "
        "into a file that api_key_file names",
        key));
  return name;
}

/// A file beside the config; empty: none.
std::string read_file(const Config& model, const char* key) {
  const auto file = model.find(key);
  return file && !file->text().empty() ? path_of(*file).string() : "";
}

/// A value that may name variables, whose values may be secrets.
Written read_written(const Config& value) {
  return {value.written(), value.text(), value.variables()};
}

/// Whether a text can be the name of a header (RFC 9110, 5.6.2).
bool is_header_name(const std::string& name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return ascii::is_letter(c) || ascii::is_digit(c) || kMarks.find(c) != kMarks.npos;
  });
}

std::vector<std::pair<std::string, Written>> read_headers(const Config& model) {
  constexpr std::array<std::string_view, 6> kOurs = {"host",         "content-length",
                                                     "content-type", "transfer-encoding",
                                                     "connection",   "accept-encoding"};
  std::vector<std::pair<std::string, Written>> headers;
  const auto section = model.find("headers");
  if (!section) return headers;
  for (const auto& [name, value] : section->entries()) {
    if (!is_header_name(name)) value.fail("'" + name + "' is no name of a header");
    if (std::ranges::find(kOurs, ascii::lower(name)) != kOurs.end())
      value.fail("'" + name + "' is set by Theta itself: take it out");
    Written text = read_written(value);
    const auto fits = [](char c) { return is_visible(c) || c == ' '; };
    if (!value.is_unknown() && !std::ranges::all_of(text.sent, fits))
      value.fail("header '" + name + "' holds more than printable ASCII");
    headers.emplace_back(name, std::move(text));
  }
  return headers;
}

std::vector<std::pair<std::string, Written>> read_query(const Config& model) {
  std::vector<std::pair<std::string, Written>> query;
  if (const auto section = model.find("query"))
    for (const auto& [name, value] : section->entries())
      query.emplace_back(name, read_written(value));
  return query;
}

/// `{max_tokens: {rename: max_completion_tokens}, stop: null, reasoning_effort: low}`
std::vector<FieldForm> read_parameters(const Config& model) {
  constexpr std::array<std::string_view, 3> kOurs = {"model", "messages", "stream"};
  std::vector<FieldForm> fields;
  const auto section = model.find("parameters");
  if (!section) return fields;
  for (const auto& [name, value] : section->entries()) {
    if (std::ranges::find(kOurs, name) != kOurs.end())
      value.fail("'" + name + "' is no parameter: Theta itself sets it");
    FieldForm field{.name = name};
    const auto changes = value.is_map() ? value.entries() : decltype(value.entries()){};
    if (value.is_null()) {
      field.dropped = true;
    } else if (changes.size() == 1 && changes[0].first == "rename") {
      field.sent_as = changes[0].second.text();
      if (field.sent_as.empty()) changes[0].second.fail("'rename' is empty: name the other field");
    } else {
      field.json = Written{value.canonical({}, {"**"}), value.canonical({}), value.variables()};
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

/// `{command: [vllm, serve, NAME, --port, "{port}"], ready: /v1/models, timeout_s: 600}`
ServerOptions read_server(const Config& server) {
  ServerOptions options;
  const Config command = server.at("command");
  if (!command.is_sequence())
    command.fail("a command is a list: [vllm, serve, NAME, --port, \"{port}\"]");
  for (const Config& word : command.items()) options.command.push_back(read_written(word));
  if (options.command.empty() || options.command.front().sent.empty())
    command.fail("a command begins with a program");
  options.ready = server.text("ready", options.ready);
  if (!options.ready.starts_with("/")) server.at("ready").fail("'ready' begins with a slash");
  options.timeout_s = read_seconds(server, "timeout_s", options.timeout_s);
  return options;
}

}  // namespace

HttpOptions read_http(const Config& model) {
  HttpOptions options;
  if (const auto server = model.find("server")) options.server = read_server(*server);
  options.base_urls = read_base_urls(model.at("base_url"), options.server.has_value());
  if (options.server && options.base_urls.size() > 1)
    model.at("base_url").fail("a server that is started here has one address");
  options.model = model.text("model");
  options.api_key_env = read_variable(model, "api_key_env");
  options.api_key_file = read_file(model, "api_key_file");
  options.parameters = read_parameters(model);
  options.headers = read_headers(model);
  options.query = read_query(model);
  options.system_role = model.boolean("system_role", options.system_role);
  const std::string dialect =
      model.choice("dialect", {"auto", "openai", "llama-server", "vllm"}, "auto");
  for (const Dialect one : {Dialect::kOpenAi, Dialect::kLlamaServer, Dialect::kVllm})
    if (name_of(one) == dialect) options.dialect = one;
  options.logprobs = model.boolean("logprobs", options.logprobs);
  options.in_flight = read_int(model, "in_flight", options.in_flight, 1);
  options.requests_per_minute = read_limit(model, "requests_per_minute");
  options.tokens_per_minute = read_limit(model, "tokens_per_minute");
  options.connect_timeout_s = read_seconds(model, "connect_timeout_s", options.connect_timeout_s);
  options.read_timeout_s = read_seconds(model, "read_timeout_s", options.read_timeout_s);
  options.total_timeout_s = read_seconds(model, "total_timeout_s", options.total_timeout_s);
  options.retries = read_int(model, "retries", options.retries);
  options.max_response_bytes =
      read_size(model, "max_response_bytes", options.max_response_bytes, 1);
  options.ca_file = read_file(model, "ca_file");
  return options;
}

}  // namespace theta
