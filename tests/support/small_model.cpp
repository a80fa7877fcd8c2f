#include "tests/support/small_model.hpp"

#include <llama.h>

#include <cstdlib>

namespace theta {

namespace {

std::filesystem::path cache_folder() {
  const char* set = std::getenv("THETA_CACHE");
  return set != nullptr ? std::filesystem::path(set)
                        : std::filesystem::path(std::getenv("HOME")) / ".cache" / "theta";
}

}  // namespace

std::filesystem::path smollm() {
  return cache_folder() / "models" / "smollm2-135m-instruct-q4_1.gguf";
}

std::string missing_for_small_runs() {
  setenv("THETA_CACHE", cache_folder().c_str(), 0);
  setenv("GOMP_SPINCOUNT", "1000", 1);
  for (const auto& need : {smollm(), cache_folder() / "data" / "hutto_ICWSM_2014"})
    if (!std::filesystem::exists(need))
      return need.string() + " is missing: scripts/setup fetches it";
  return "";
}

const ChatTokenizer& small_tokenizer() {
  static const ChatTokenizer only = [] {
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    return ChatTokenizer(llama_model_load_from_file(smollm().c_str(), params), "smollm2", "");
  }();
  return only;
}

Request question(std::string text) {
  Request request;
  request.messages = {{"user", std::move(text)}};
  request.max_tokens = 12;
  return request;
}

Request choice(std::string text, std::vector<std::string> options) {
  Request request = question(std::move(text));
  request.options = std::move(options);
  return request;
}

}  // namespace theta
