#include "core/models/http/refusal.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace theta {
namespace {

struct Said {
  const char* who;
  ServerError error;
  int max_tokens = 256;
};
void PrintTo(const Said& said, std::ostream* out) { *out << said.who; }

class RefusesPrompt : public testing::TestWithParam<Said> {};
TEST_P(RefusesPrompt, WhereThePromptIsTooLongOrWasFiltered) {
  EXPECT_TRUE(refuses_prompt(GetParam().error, GetParam().max_tokens)) << GetParam().error.message;
}

INSTANTIATE_TEST_SUITE_P(
    Servers, RefusesPrompt,
    testing::Values(
        Said{"OpenAI",
             {400, "context_length_exceeded invalid_request_error", "messages",
              "This model's maximum context length is 16385 tokens. However, your "
              "messages resulted in 33625 tokens."}},
        Said{"OpenAI of one message",
             {400, "string_above_max_length invalid_request_error", "messages.[1].content",
              "Invalid string: too long."}},
        Said{"OpenAI of one message in words",
             {400, "", "",
              "Invalid 'messages[0].content': string too long. Expected a string with "
              "maximum length 1048576, but got a string with length 1540820 instead."}},
        Said{"OpenAI without a code",
             {400, "", "",
              "Your input exceeds the context window of this "
              "model. Please adjust your input and try again."}},
        Said{"OpenAI's usage policy",
             {400, "invalid_prompt invalid_request_error", "",
              "Invalid prompt: we've limited access to this content."}},
        Said{"OpenAI's safety system",
             {400, "invalid_request_error", "",
              "Your request was rejected as a result of our safety system. "
              "Your prompt may contain text that is not allowed."}},
        Said{"Azure",
             {400, "content_filter", "prompt",
              "The response was filtered due to the prompt triggering Azure OpenAI's "
              "content management policy."}},
        Said{"Azure in words",
             {400, "", "",
              "The response was filtered due to the prompt triggering "
              "Azure OpenAI's content management policy."}},
        Said{"vLLM",
             {400, "BadRequestError", "",
              "This model's maximum context length is 16384 tokens. However, you requested "
              "122946 tokens (112946 in the messages, 10000 in the completion)."}},
        Said{"vLLM of its answer's place",
             {400, "BadRequestError", "max_tokens",
              "'max_tokens' or 'max_completion_tokens' is too large: 256. This model's maximum "
              "context length is 1000 tokens and your request has 803 input tokens (256 > 1000 - "
              "803)."}},
        Said{"vLLM that subtracts",
             {400, "BadRequestError", "", "max_tokens must be at least 1, got -186."}},
        Said{"vLLM's decoder",
             {400, "BadRequestError", "",
              "The decoder prompt (length 10127) is longer than the maximum model "
              "length of 8192."}},
        Said{"llama-server",
             {400, "exceed_context_size_error", "",
              "request (25837 tokens) exceeds the available context size (25088 "
              "tokens), try increasing it"}},
        Said{"llama-server of old",
             {500, "exceed_context_size_error", "",
              "the request exceeds the available context size."}},
        Said{"llama-cpp-python",
             {500, "", "", "Requested tokens (2285) exceed context window of 2048"}},
        Said{"Ollama", {400, "", "", "input length exceeds the context length"}},
        Said{"LM Studio",
             {400, "", "",
              "Trying to keep the first 15857 tokens when context the overflows. However, "
              "the model is loaded with context length of only 4096 tokens, which is not "
              "enough. Try to load the model with a larger context length, or provide a "
              "shorter input"}},
        Said{"SGLang",
             {400, "BadRequestError", "",
              "The input (61709 tokens) is longer than the model's context length (40960 "
              "tokens)."}},
        Said{"SGLang of its pool",
             {400, "", "",
              "Input length (160062 tokens) exceeds the maximum "
              "allowed length (59862 tokens)."}},
        Said{"TGI",
             {422, "validation", "",
              "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. "
              "Given: 8740 `inputs` tokens and 500 `max_new_tokens`"}},
        Said{"TGI of its input",
             {422, "validation", "",
              "Input validation error: `inputs` must have less than 1024 tokens. "
              "Given: 4000"}},
        Said{"Groq",
             {400, "context_length_exceeded invalid_request_error", "messages",
              "Please reduce the length of the messages or completion."}},
        Said{"Groq without a code",
             {400, "", "messages", "Please reduce the length of the messages or completion."}},
        Said{"Groq of a prompt beyond a minute's tokens",
             {413, "rate_limit_exceeded tokens", "",
              "Request too large for model `llama` on tokens per minute (TPM): Limit 6000, "
              "Requested "
              "14810, please reduce your message size and try again."}},
        Said{"Cerebras",
             {400, "", "",
              "Please reduce the length of the messages or completion. Current "
              "length is 42328 while limit is 40000"}},
        Said{"Mistral",
             {400, "3051", "",
              "Prompt contains 40000 tokens and 0 draft tokens, too large for model with "
              "32768 maximum context length"}},
        Said{"Anthropic",
             {400, "invalid_request_error", "",
              "prompt is too long: 209353 tokens > 199999 maximum"}},
        Said{"Anthropic of both",
             {400, "invalid_request_error", "",
              "input length and `max_tokens` exceed context limit: 190000 + 20000 "
              "> 200000, decrease input length or `max_tokens` and try again"}},
        Said{"Gemini",
             {400, "INVALID_ARGUMENT", "",
              "The input token count (1200293) exceeds the maximum number of tokens allowed "
              "(1048576)."}},
        Said{"Gemini's filter", {400, "PROHIBITED_CONTENT", "", "The prompt was blocked."}},
        Said{"DashScope",
             {400, "invalid_parameter_error", "",
              "<400> InternalError.Algo.InvalidParameter: Range of input length should "
              "be [1, 204800]"}},
        Said{"DashScope's filter",
             {400, "data_inspection_failed", "", "Input data may contain inappropriate content."}},
        Said{"Bedrock", {400, "ValidationException", "", "Input is too long for requested model."}},
        Said{"Moonshot",
             {400, "invalid_request_error", "",
              "Invalid request: Your request exceeded model token limit: 8192"}},
        Said{"OpenRouter's moderation",
             {403, "flagged_input", "",
              "Your chosen model requires moderation and your input was "
              "flagged for \"violence\""}},
        Said{"OpenRouter's moderation in words",
             {403, "", "", "Your input was flagged by moderation"}},
        Said{"OpenRouter",
             {400, "", "",
              "This endpoint's maximum context length is 131072 tokens. However, you "
              "requested about 141607 tokens (141000 of text input, 607 in the output)."}},
        Said{"pydantic",
             {422, "string_too_long", "body.messages.0.content",
              "String should have at most 1000 characters"}},
        Said{"a proxy", {413, "", "", "<html><h1>413 Request Entity Too Large</h1></html>"}}));

class BlamesTheService : public testing::TestWithParam<Said> {};
TEST_P(BlamesTheService, ForAnOutageAndForWhatHoldsForEveryPrompt) {
  EXPECT_FALSE(refuses_prompt(GetParam().error, GetParam().max_tokens)) << GetParam().error.message;
}

INSTANTIATE_TEST_SUITE_P(
    Servers, BlamesTheService,
    testing::Values(
        Said{"a limit of requests",
             {429, "rate_limit_exceeded", "", "Rate limit reached for requests"}},
        Said{"a limit of tokens",
             {429, "rate_limit_exceeded tokens", "",
              "Request too large for gpt-4 on tokens per min (TPM): Limit 10000, "
              "Requested 15000."}},
        Said{"a quota", {429, "insufficient_quota", "", "You exceeded your current quota."}},
        Said{"a limit without its status",
             {400, "", "", "Token limit exceeded: 100000 tokens per day"}},
        Said{"credits", {402, "", "", "This request requires more credits, or fewer max_tokens."}},
        Said{"a key", {401, "invalid_api_key", "", "Incorrect API key provided."}},
        Said{"a caller",
             {403, "", "",
              "Your account was flagged. Access to this content is "
              "prohibited."}},
        Said{"a place",
             {403, "unsupported_country_region_territory", "",
              "Country, region, or territory not supported"}},
        Said{"a model", {404, "model_not_found", "model", "The model `x` does not exist."}},
        Said{"a model with 400", {400, "", "model", "Invalid model name; input text models only"}},
        Said{"an overload", {503, "overloaded_error", "", "The server is overloaded."}},
        Said{"a gateway", {504, "", "", "upstream request timeout: context deadline exceeded"}},
        Said{"a deadline", {400, "", "", "context deadline exceeded"}},
        Said{"a filter that is out",
             {503, "content_filter_error", "", "The content filter is not available."}},
        Said{"a slow answer", {400, "", "", "The request took too long"}},
        Said{"a parameter",
             {400, "unsupported_parameter", "max_tokens",
              "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
              "'max_completion_tokens' instead."}},
        Said{"a value",
             {400, "unsupported_value", "temperature",
              "Unsupported value: 'temperature' does not support 0 with this model."}},
        Said{"a fixed limit of the answer",
             {400, "", "max_tokens",
              "max_tokens is too large: 5000. This model supports at most "
              "4096 completion tokens, whereas you provided 5000."}},
        Said{"a fixed limit at Anthropic",
             {400, "invalid_request_error", "",
              "max_tokens: 10000 > 4096, which is the maximum allowed "
              "number of output tokens for claude"}},
        Said{"a fixed limit at Bedrock",
             {400, "ValidationException", "",
              "The maximum tokens you requested exceeds the model limit of "
              "2048."}},
        Said{"a fixed limit at TGI",
             {422, "validation", "",
              "Input validation error: `max_new_tokens` must be <= 192. Given: "
              "250"}},
        Said{"a limit of the answer that fills the window",
             {400, "BadRequestError", "",
              "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum "
              "context length is 1,000 tokens and your request has 203 input tokens."},
             1000},
        Said{"a stop text", {400, "", "", "Invalid 'stop': string too long."}},
        Said{"a role", {400, "", "", "System role not supported"}},
        Said{"a turn", {400, "", "", "Conversation roles must alternate user/assistant/user"}},
        Said{"logprobs",
             {422, "extra_forbidden", "body.logprobs", "No further inputs are permitted"}},
        Said{"a page", {403, "", "", "<html>Request blocked by content policy</html>"}},
        Said{"nothing", {400, "", "", ""}}));

}  // namespace
}  // namespace theta
