#include "experiments/prompt_file.hpp"

#include <nlohmann/json.hpp>

#include "experiments/files.hpp"
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
  if (!http.api_key_env.empty()) out["api_key_env"] = http.api_key_env;
  if (!http.api_key_file.empty()) out["api_key_file"] = absolute_path(http.api_key_file);
  const HttpOptions usual;
  const auto put = [&](const char* key, auto HttpOptions::* option) {
    if (http.*option != usual.*option) out[key] = http.*option;
  };
  put("in_flight", &HttpOptions::in_flight);
  put("requests_per_minute", &HttpOptions::requests_per_minute);
  put("tokens_per_minute", &HttpOptions::tokens_per_minute);
  put("connect_timeout_s", &HttpOptions::connect_timeout_s);
  put("read_timeout_s", &HttpOptions::read_timeout_s);
  put("total_timeout_s", &HttpOptions::total_timeout_s);
  put("retries", &HttpOptions::retries);
  put("max_response_bytes", &HttpOptions::max_response_bytes);
  if (!http.ca_file.empty()) out["ca_file"] = absolute_path(http.ca_file);
  return out;
}

/// What every saved prompt says of itself.
nlohmann::ordered_json runnable(const ProgramOptions& options, const ModelOptions& model) {
  return {{"program", nlohmann::ordered_json::parse(program_json(options))},
          {"model", model_json(model)}};
}

}  // namespace

void save_prompt(const std::filesystem::path& file, const Module& program,
                 const ProgramOptions& options, const ModelOptions& model,
                 const std::string& metric, const Columns& columns) {
  nlohmann::ordered_json block = runnable(options, model);
  if (!metric.empty()) block["metric"] = metric;
  for (const auto& [field, column] : columns.fields) block["fields"][field] = column;
  if (!columns.rows.empty()) block["rows"] = columns.rows;
  write_whole(file, dump_state(program, block.dump()));
}

void save_prompt(const std::filesystem::path& file, const Module& theta,
                 const ProgramOptions& options, const ModelOptions& model,
                 const PersonaPrompt& personas) {
  nlohmann::ordered_json block = runnable(options, model);
  block["personas"] = nlohmann::ordered_json::parse(to_json(personas));
  write_whole(file, dump_state(theta, block.dump()));
}

}  // namespace theta
