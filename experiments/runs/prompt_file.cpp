#include "experiments/runs/prompt_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/models/http/url.hpp"
#include "experiments/files.hpp"
#include "experiments/types.hpp"
#include "modules/program_state.hpp"

namespace theta {
namespace {

nlohmann::ordered_json model_json(const ModelOptions& options) {
  if (const auto* llama = std::get_if<LlamaOptions>(&options)) {
    const bool throughput = llama->mode == LlamaMode::kThroughput;
    nlohmann::ordered_json out = {{"path", absolute_path(llama->path)},
                                  {"mode", throughput ? "throughput" : "deterministic"},
                                  {"threads", llama->threads},
                                  {"gpu_layers", llama->gpu_layers},
                                  {"context", llama->context},
                                  {"batch", llama->batch},
                                  {"sequences", llama->sequences},
                                  {"unit", llama->unit},
                                  {"chat_template", llama->chat_template},
                                  {"convert", llama->convert}};
    for (const LoraAdapter& lora : llama->lora)
      out["lora"].push_back({{"path", absolute_path(lora.path)}, {"scale", lora.scale}});
    return out;
  }
  const auto& http = std::get<HttpOptions>(options);
  nlohmann::ordered_json out = {{"base_url", http.base_urls},
                                {"model", http.model},
                                {"dialect", name_of(http.dialect)},
                                {"logprobs", http.logprobs}};
  if (http.base_urls.size() == 1) out["base_url"] = http.base_urls.front();
  for (const FieldForm& field : http.parameters) {
    auto& value = out["parameters"][field.name];
    if (field.json) value = nlohmann::ordered_json::parse(field.json->shown);
    if (!field.sent_as.empty()) value = {{"rename", field.sent_as}};
  }
  for (const auto& [name, value] : http.headers) out["headers"][name] = value.shown;
  for (const auto& [name, value] : http.query) out["query"][name] = value.shown;
  const HttpOptions usual;
  const auto put = [&](const char* key, auto HttpOptions::*option) {
    if (http.*option != usual.*option) out[key] = http.*option;
  };
  put("system_role", &HttpOptions::system_role);
  put("in_flight", &HttpOptions::in_flight);
  put("requests_per_minute", &HttpOptions::requests_per_minute);
  put("tokens_per_minute", &HttpOptions::tokens_per_minute);
  put("connect_timeout_s", &HttpOptions::connect_timeout_s);
  put("read_timeout_s", &HttpOptions::read_timeout_s);
  put("total_timeout_s", &HttpOptions::total_timeout_s);
  put("retries", &HttpOptions::retries);
  put("max_response_bytes", &HttpOptions::max_response_bytes);
  return out;
}

/// What every saved prompt says of itself.
nlohmann::ordered_json runnable(const ProgramOptions& options, const ModelOptions& model) {
  nlohmann::ordered_json block = {{"program", nlohmann::ordered_json::parse(program_json(options))},
                                  {"model", model_json(model)}};
  const auto types = nlohmann::ordered_json::parse(types_json(options.data_signature()));
  if (!types.empty()) block["types"] = types;
  return block;
}

/// A program under the names that one made of its options has: a step that reasons is, for DSPy, a
/// module that holds its predictor.
std::unique_ptr<Module> renamed(const ProgramOptions& options, const Module& program) {
  auto made = make_program(options);
  const auto to = made->predictors();
  const auto from = program.predictors();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::string name = to[i]->name;
    *to[i] = *from[i];
    to[i]->name = name;
  }
  return made;
}

/// Keys of a server that only the command line gives, and prompt_json() leaves out.
constexpr std::array kOfTheUser = {"api_key_env", "api_key_file", "ca_file"};

bool is_from_the_file(const Config& value) { return value.position().line > 0; }

/// What the file would have read from the environment is not: it may send it anywhere.
void refuse_variables(const Config& model) {
  for (const char* key : {"headers", "query", "parameters"}) {
    const auto section = model.find(key);
    if (!section) continue;
    for (const auto& [name, value] : section->entries())
      if (is_from_the_file(value) && value.canonical({}).find("${") != std::string::npos)
        value.fail(
            fmt::format("a saved prompt reads no environment variable: give --set "
                        "'model.{}.{}={}'",
                        key, name, value.is_scalar() ? value.text() : ".."));
  }
}

bool is_allowed(const Url& server, const std::vector<std::string>& allowed_hosts) {
  const std::string bracketed = "[" + server.host + "]";  // of an IPv6 address
  return std::ranges::any_of(allowed_hosts, [&](const std::string& host) {
    return !host.empty() && (host == server.host || host == bracketed || host == server.authority);
  });
}

/// @param place  of the metric, as --set names it
void refuse_command(const Config& metric, const std::string& place) {
  if (!metric.is_map()) return;
  if (const auto command = metric.find("command"))
    if (!command->is_sequence() || std::ranges::any_of(command->items(), is_from_the_file))
      command->fail(
          fmt::format("a saved prompt runs no command of its own: read it, and give it "
                      "with --set '{}.command=[..]'",
                      place));
  if (const auto parts = metric.find("weighted"); parts && parts->is_sequence())
    for (std::size_t i = 0; i < parts->items().size(); ++i)
      refuse_command(parts->items()[i], fmt::format("{}.weighted.{}", place, i));
}

}  // namespace

ModelOptions read_saved_model(const Config& model, const std::vector<std::string>& allowed_hosts,
                              const std::string& place) {
  const bool served = model.is_map() && !model.find("path") && model.find("base_url");
  if (!served) return read_model(model);
  for (const char* key : kOfTheUser)
    if (const auto value = model.find(key); value && is_from_the_file(*value))
      value->fail(
          fmt::format("a saved prompt does not choose '{0}': take it out, and give your own with "
                      "--set {1}.{0}=..",
                      key, place));
  if (const auto server = model.find("server"); server && is_from_the_file(*server))
    server->fail(
        fmt::format("a saved prompt starts no server of its own: read it, and give it with --set "
                    "'{}.server.command=[..]'",
                    place));
  refuse_variables(model);
  ModelOptions options = read_model(model);
  const auto& http = std::get<HttpOptions>(options);
  const auto is_secret = [](const auto& one) { return !one.second.secrets.empty(); };
  const bool has_key = !http.api_key_env.empty() || !http.api_key_file.empty() ||
                       std::ranges::any_of(http.headers, is_secret) ||
                       std::ranges::any_of(http.query, is_secret);
  const Config servers = model.at("base_url");
  for (const Config& url : servers.is_sequence() ? servers.items() : std::vector{servers}) {
    if (!is_from_the_file(url)) continue;
    if (http.server) continue;  // this machine, as the command line has it
    const Url server = parse_url(url.text());
    if (is_allowed(server, allowed_hosts) || (is_loopback(server.host) && !has_key)) continue;
    url.fail(fmt::format(
        "this file has its prompt{} sent to {}: allow that with --allow-host {}, or name another "
        "server with --set {}.base_url=URL",
        has_key ? " and your key" : "", url.text(), server.host, place));
  }
  return options;
}

MetricOptions read_saved_metric(const Config& block, const Signature& signature) {
  if (const auto metric = block.find("metric")) refuse_command(*metric, "metric");
  return read_metric(block, signature);
}

std::string prompt_json(const Module& program, const ProgramOptions& options,
                        const PromptModels& models, const std::string& metric,
                        const Columns& columns) {
  const ProgramOptions now = as_compiled(options, program);
  nlohmann::ordered_json block = runnable(now, models.model);
  for (const auto& [role, model] : models.roles) block["models"][role] = model_json(model);
  if (!metric.empty()) block["metric"] = nlohmann::ordered_json::parse(metric);
  for (const auto& [field, column] : columns.fields) block["fields"][field] = column;
  if (!columns.rows.empty()) block["rows"] = columns.rows;
  if (!columns.names.empty()) block["columns"] = columns.names;
  if (columns.delimiter != 0) block["delimiter"] = std::string(1, columns.delimiter);
  if (!columns.encoding.empty()) block["encoding"] = columns.encoding;
  for (const auto& [field, pattern] : columns.extract) block["extract"][field] = pattern.text();
  return dump_state(*renamed(now, program), block.dump());
}

void save_prompt(const std::filesystem::path& file, const Module& theta,
                 const ProgramOptions& options, const ModelOptions& model,
                 const PersonaPrompt& personas) {
  const ProgramOptions now = as_compiled(options, theta);
  nlohmann::ordered_json block = runnable(now, model);
  block["personas"] = nlohmann::ordered_json::parse(to_json(personas));
  write_whole(file, dump_state(*renamed(now, theta), block.dump()));
}

}  // namespace theta
