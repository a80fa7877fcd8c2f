// What llama-server, vLLM and Ollama answer, as their documentation and their sources give it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/models/http/model.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"

namespace theta::test {
namespace {

using Json = nlohmann::json;
using testing::IsEmpty;

/// A server that lists its models and answers chats by `chat`.
class Server {
 public:
  Server(std::string models, std::function<Reply(const Json&)> chat)
      : server_([models = std::move(models), chat = std::move(chat)](const Seen& seen) {
          if (seen.method == "GET") return Reply{200, models, {}, {}, {}};
          return chat(Json::parse(seen.body));
        }) {}

  HttpOptions options() const {
    auto options = options_for(server_.url());
    options.dialect = Dialect::kAuto;
    options.retries = 0;
    return options;
  }

 private:
  LoopbackServer server_;
};

Reply said(int status, const std::string& body) { return {status, body, {}, {}, {}}; }

Request begun() {
  Request request = question("How is it?");
  request.answer_prefix = "mood: ";
  request.stop = {"\n"};
  return request;
}

Request judged() {
  Request request = begun();
  request.stop.clear();
  request.options = {"good", "bad"};
  return request;
}

/// The one token and its alternatives, as OpenAI's own servers list them.
constexpr const char* kListed =
    R"({"content": [{"token": "good", "bytes": [103], "logprob": -0.25, "top_logprobs": [
         {"token": "good", "bytes": [103], "logprob": -0.25},
         {"token": "bad", "bytes": [98], "logprob": -1.75}]}]})";

void expect_scored(HttpModel& model) {
  const auto answer = ask_one(model, judged());
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->text, "good");
  EXPECT_EQ(answer->option_logprobs, (std::vector<double>{-0.25, -1.75}));
}

TEST(Dialects, LlamaServer) {
  const Server server(
      R"({"models": [{"name": "m.gguf"}], "object": "list", "data": [{"id": "m.gguf",
          "object": "model", "created": 1, "owned_by": "llamacpp", "meta": {"n_ctx_train": 4096}}]})",
      [](const Json& asked) {
        if (asked.value("max_tokens", 0) > 4096)
          return said(400, R"({"error": {"code": 400, "message": "the request exceeds the available
              context size, try increasing it", "type": "exceed_context_size_error",
              "n_prompt_tokens": 5000, "n_ctx": 4096}})");
        EXPECT_EQ(asked.at("messages").back(), Json({{"role", "assistant"}, {"content", "mood:"}}));
        EXPECT_EQ(asked.contains("grammar"), asked.value("max_tokens", 0) == 100);
        const std::string logprobs = asked.contains("logprobs") ? kListed : "null";
        return said(200, R"({"choices": [{"finish_reason": "stop", "index": 0, "message": {
            "role": "assistant", "content": " good"}, "logprobs": )" +
                             logprobs + R"(}],
            "created": 1, "model": "tiny", "system_fingerprint": "b1-a", "object":
            "chat.completion", "usage": {"completion_tokens": 2, "prompt_tokens": 20,
            "total_tokens": 22}, "id": "chatcmpl-a", "timings": {"prompt_n": 20}})");
      });
  HttpModel model(server.options());
  const auto answer = ask_one(model, begun());
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->text, "good");
  EXPECT_EQ(answer->prompt_tokens, 20);
  Request by_grammar = begun();
  by_grammar.grammar = "root ::= \"good\"";
  by_grammar.max_tokens = 100;
  EXPECT_EQ(ask_one(model, by_grammar)->note, "");
  expect_scored(model);
  Request long_one = begun();
  long_one.max_tokens = 5000;
  const auto refused = ask_one(model, long_one);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::kRefused);
  EXPECT_THAT(model.lessons(), IsEmpty());
}

TEST(Dialects, LlamaServerWithATemplateThatThinks) {
  const Server server(
      R"({"object": "list", "data": [{"id": "m.gguf", "object": "model", "owned_by": "llamacpp"}]})",
      [](const Json& asked) {
        if (asked.at("messages").back().at("role") == "assistant")
          return said(400, R"({"error": {"code": 400, "message": "Assistant response prefill is
              incompatible with enable_thinking.", "type": "invalid_request_error"}})");
        return said(200, R"({"choices": [{"finish_reason": "stop", "index": 0, "message": {
            "role": "assistant", "reasoning_content": "It shines.", "content": "mood: good"}}],
            "object": "chat.completion", "usage": {"completion_tokens": 9, "prompt_tokens": 20}})");
      });
  HttpModel model(server.options());
  const auto answer = ask_one(model, begun());
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->text, "good");
  EXPECT_EQ(model.lessons().size(), 1U);
}

TEST(Dialects, Vllm) {
  const Server server(
      R"({"object": "list", "data": [{"id": "tiny", "object": "model", "created": 1, "owned_by":
          "vllm", "root": "tiny", "parent": null, "max_model_len": 4096, "permission": []}]})",
      [](const Json& asked) {
        if (asked.value("max_tokens", 0) > 4096)
          return said(400, R"({"error": {"message": "This model's maximum context length is 4096
              tokens. However, your request has 4090 input tokens. Please reduce the length of the
              input messages.", "type": "BadRequestError", "param": null, "code": 400}})");
        EXPECT_EQ(asked.at("continue_final_message"), true);
        EXPECT_EQ(asked.at("add_generation_prompt"), false);
        if (asked.value("max_tokens", 0) == 100) {
          EXPECT_TRUE(asked.at("structured_outputs").contains("grammar"));
        }
        const std::string logprobs = asked.contains("logprobs") ? kListed : "null";
        return said(200, R"({"id": "chatcmpl-a", "object": "chat.completion", "created": 1, "model":
            "tiny", "choices": [{"index": 0, "message": {"role": "assistant", "content": " good",
            "refusal": null, "annotations": null, "audio": null, "function_call": null,
            "tool_calls": [], "reasoning_content": null}, "logprobs": )" +
                             logprobs + R"(,
            "finish_reason": "stop", "stop_reason": null, "token_ids": null}], "service_tier": null,
            "usage": {"prompt_tokens": 20, "total_tokens": 22, "completion_tokens": 2,
            "prompt_tokens_details": null}, "prompt_logprobs": null})");
      });
  HttpModel model(server.options());
  const auto answer = ask_one(model, begun());
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->text, "good");
  Request by_grammar = begun();
  by_grammar.grammar = "root ::= \"good\"";
  by_grammar.max_tokens = 100;
  EXPECT_EQ(ask_one(model, by_grammar)->note, "");
  expect_scored(model);
  Request long_one = begun();
  long_one.max_tokens = 4095;
  EXPECT_TRUE(ask_one(model, long_one));
  EXPECT_THAT(model.lessons(), IsEmpty());
}

TEST(Dialects, Ollama) {
  const Server server(
      R"({"object": "list", "data": [{"id": "tiny:latest", "object": "model", "created": 1,
          "owned_by": "library"}]})",
      [](const Json& asked) {
        if (asked.at("model") != "tiny")
          return said(404, R"({"error": {"message": "model \"big\" not found, try pulling it first",
              "type": "not_found_error", "param": null, "code": null}})");
        EXPECT_EQ(asked.at("messages").back().at("role"), "user");
        return said(200, R"({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model":
            "tiny", "system_fingerprint": "fp_ollama", "choices": [{"index": 0, "message": {"role":
            "assistant", "content": "mood: good"}, "finish_reason": "stop"}], "usage":
            {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}})");
      });
  HttpModel model(server.options());
  const auto answer = ask_one(model, begun());
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->text, "good");
  const auto named = ask_one(model, judged());  // it lists no log-probabilities
  ASSERT_TRUE(named) << failure(named);
  EXPECT_EQ(named->text, "good");
  EXPECT_TRUE(named->named);
  auto options = server.options();
  options.model = "big";
  HttpModel missing(options);
  const std::string url = options.base_urls.front();
  EXPECT_EQ(failure(ask_one(missing, begun())),
            url +
                ": status 404: model \"big\" not found, try pulling it first; check the model "
                "name 'big' and base_url: " +
                url + "/models lists the models");
}

}  // namespace
}  // namespace theta::test
