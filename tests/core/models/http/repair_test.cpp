#include "core/models/http/repair.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/models/http/chat_body.hpp"
#include "core/models/http/server_error.hpp"

namespace theta {
namespace {

/// What a server says, and what is done about it; empty: nothing.
struct Case {
  const char* said;  ///< its body
  const char* repair;
  int status = 400;
};

/// A request that has all that may be refused.
Request asked() {
  Request request;
  request.messages = {{"system", "Be brief."}, {"user", "Which?"}};
  request.answer_prefix = "verdict:";
  request.stop = {"[[ ## completed ## ]]"};
  request.temperature = 0.7;
  request.top_p = 0.9;
  request.max_tokens = 8;
  return request;
}

std::string repaired(const Case& one, const Request& request = asked(), RequestForm form = {}) {
  const ServerError error = server_error(one.status, one.said);
  const ChatWay way{.form = std::make_shared<const RequestForm>(form)};
  const auto sent = nlohmann::json::parse(chat_body("tiny", Dialect::kLlamaServer, request, way));
  const auto repair = repair_for(error, sent, form);
  return repair ? repair->text() : "";
}

void expect_repairs(const std::vector<Case>& cases) {
  for (const Case& one : cases) EXPECT_EQ(repaired(one), one.repair) << one.said;
}

TEST(Repair, RenamesWhatGoesByAnotherName) {
  constexpr const char* kRenamed = "max_tokens is sent as max_completion_tokens";
  expect_repairs({
      {R"({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "type": "invalid_request_error", "param": "max_tokens", "code": "unsupported_parameter"}})",
       kRenamed},
      {R"({"detail": [{"type": "extra_forbidden", "loc": ["body", "max_tokens"], "msg": "Extra inputs are not permitted", "input": 8}]})",
       kRenamed, 422},
      {R"({"message": "Unknown field: max_tokens"})", kRenamed},
      {R"({"error": "unrecognized request argument supplied: max_tokens"})", kRenamed},
      {R"({"error": {"message": "`max_tokens` is deprecated, please send max_completion_tokens"}})",
       kRenamed},
      {R"({"error": {"message": "max_tokens is not accepted; this model wants max_output_tokens"}})",
       "max_tokens is sent as max_output_tokens"},
      {R"({"error": {"message": "Unknown parameter 'stop'. Did you mean 'stop_sequences'?"}})",
       "stop is sent as stop_sequences"},
  });
}

TEST(Repair, DropsWhatIsNotTaken) {
  constexpr const char* kNoStop = "stop is not sent, and its answers are cut here";
  expect_repairs({
      {R"({"error": {"message": "The value of 'temperature' is not supported: this model takes 1 alone.", "param": "temperature", "code": "unsupported_value"}})",
       "temperature is not sent"},
      {R"({"error": {"message": "Unsupported parameter", "param": "stop"}})", kNoStop},
      {R"({"error": {"message": "stop is not supported by this model"}})", kNoStop},
      {R"({"error": {"message": "Invalid JSON payload received. Unknown name \"stopSequences\": Cannot find field.", "status": "INVALID_ARGUMENT"}})",
       kNoStop},
      {R"({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]})",
       "seed is not sent", 422},
      {R"({"object": "error", "message": {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}})",
       "seed is not sent", 422},
      {R"({"message": "property 'seed' is unsupported"})", "seed is not sent"},
      {R"({"errors": [{"message": "top_p cannot be given beside temperature for this model"}]})",
       "top_p is not sent"},
      {R"({"error": {"message": "`temperature` and `top_p` cannot both be specified for this model. Please use only one.", "type": "invalid_request_error"}})",
       "temperature is not sent"},
      {R"({"error": {"message": "Unknown parameter: 'stream'."}})", "stream is not sent"},
      {R"(litellm.BadRequestError: OpenAIException - {"error": {"message": "Unsupported value", "param": "seed"}})",
       "seed is not sent"},
  });
}

TEST(Repair, RaisesToTheLeastAndLowersToTheMost) {
  expect_repairs({
      {R"({"error": {"message": "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 8 instead.", "param": "max_output_tokens", "code": "integer_below_min_value"}})",
       "max_tokens is 16 at least"},
      {R"({"error": {"message": "max_tokens is too small", "param": "max_tokens"}})",
       "max_tokens is 16 at least"},
      {R"({"detail": [{"type": "greater_than_equal", "loc": ["body", "max_tokens"], "msg": "Input should be greater than or equal to 32", "ctx": {"ge": 32}}]})",
       "max_tokens is 32 at least", 422},
      {R"({"error": {"message": "max_tokens must be between 20 and 4096"}})",
       "max_tokens is 20 at least"},
      {R"({"error": {"message": "At least 16 tokens have to be asked for."}})",
       "max_tokens is 16 at least"},
      {R"({"error": {"message": "'top_p' must be at most 0.5", "param": "top_p"}})",
       "top_p is 0.5 at most"},
  });
  Request greedy = asked();
  greedy.temperature = 0;
  EXPECT_EQ(
      repaired(
          {R"({"error": "`temperature` must be strictly positive", "error_type": "validation"})",
           "", 422},
          greedy),
      "temperature is 0.01 at least");
  Request long_one = asked();
  long_one.max_tokens = 9000;
  for (
      const char* said :
      {R"({"error": {"message": "max_tokens is too large: 9000. This model supports at most 4096 completion tokens.", "param": "max_tokens"}})",
       R"({"error": {"message": "Invalid max_tokens value, the valid range of max_tokens is [1, 4096]"}})",
       R"({"code": "InvalidParameter", "message": "Range of max_tokens should be [1, 4096]"})",
       R"({"error": {"message": "max_tokens: 9000 > 4096, which is the maximum allowed number of output tokens"}})"})
    EXPECT_EQ(repaired({said, ""}, long_one), "max_tokens is 4096 at most") << said;
}

TEST(Repair, MergesTheSystemMessage) {
  constexpr const char* kMerged = "what a system message says begins the next user message";
  expect_repairs({
      {R"({"object": "error", "message": "The system role is not supported", "code": 400})",
       kMerged},
      {R"({"error": {"message": "System role not supported", "code": 500}})", kMerged, 500},
      {R"({"error": {"message": "Unsupported value: 'messages[0].role' does not support 'system' with this model.", "param": "messages[0].role", "code": "unsupported_value"}})",
       kMerged},
      {R"({"error": {"message": "Conversation roles must alternate user/assistant/user/assistant/..."}})",
       kMerged},
      {R"({"error": {"message": "Only user and assistant roles are supported!"}})", kMerged},
      {R"([{"error": {"code": 400, "message": "Developer instruction is not enabled for models/gemma", "status": "INVALID_ARGUMENT"}}])",
       kMerged},
      {R"({"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user' or 'assistant'", "type": "enum"}]})",
       kMerged, 422},
  });
}

TEST(Repair, AsksInWordsForWhatMayNotBeBegun) {
  constexpr const char* kWords = "answers are not begun for it but asked for in words";
  expect_repairs({
      {R"({"error": {"code": 400, "message": "Assistant response prefill is incompatible with enable_thinking.", "type": "invalid_request_error"}})",
       kWords},
      {R"({"error": {"message": "A prefilled response of the assistant is incompatible with thinking."}})",
       kWords},
      {R"({"message": "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"})",
       kWords},
      {R"({"error": {"message": "This model does not support assistant message prefill. The conversation must end with a user message."}})",
       kWords},
      {R"({"detail": [{"loc": ["body", "continue_final_message"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]})",
       kWords, 422},
      {R"({"error": {"message": "The last message must have role user"}})", kWords},
  });
}

TEST(Repair, IsNotMadeOfWhatIsSaidOfThePromptTheCallerOrTheMoment) {
  expect_repairs({
      {R"({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})", "",
       401},
      {R"({"error": {"message": "Rate limit reached for max_tokens per minute"}})", "", 429},
      {R"({"error": {"message": "max_tokens is too large: 9000. This model's maximum context length is 4096 tokens and your request has 100 input tokens.", "param": "max_tokens"}})",
       ""},
      {R"({"error": {"message": "Invalid 'messages[1].content': string too long", "param": "messages[1].content"}})",
       ""},
      {R"({"error": {"message": "The model `small` does not exist", "code": "model_not_found"}})",
       "", 404},
      {R"({"error": {"message": "Bad request"}})", ""},
      {R"({"error": {"message": "The engine has stopped", "type": "server_error"}})", "", 500},
      {R"({"error": {"message": "The last call of the model failed: out of memory"}})", "", 500},
      {"no", ""},
      {"", ""},
  });
}

TEST(Repair, IsMadeOnce) {
  const Case refused{R"({"error": {"message": "Unsupported parameter", "param": "seed"}})", ""};
  RequestForm form;
  form.at("seed").dropped = true;
  EXPECT_EQ(repaired(refused, asked(), form), "");
  const Case renamed{
      R"({"error": {"message": "Unsupported parameter", "param": "max_completion_tokens"}})", ""};
  RequestForm once;
  once.at("max_tokens").sent_as = "max_completion_tokens";
  EXPECT_EQ(repaired(renamed, asked(), once), "max_tokens is not sent");
}

TEST(Repair, LeavesWhatTheConfigSets) {
  RequestForm form;
  form.at("seed").json = Written{"7", "7"};
  EXPECT_EQ(repaired({R"({"error": {"message": "Unsupported parameter", "param": "seed"}})", ""},
                     asked(), form),
            "");
}

TEST(Repair, IsKeptAndReadBack) {
  RequestForm form;
  form.system_role = false;
  form.begun_answers = false;
  form.at("stop").dropped = true;
  form.at("max_tokens").sent_as = "max_completion_tokens";
  form.at("max_tokens").least = 16;
  form.at("top_p").most = 0.5;
  EXPECT_EQ(form_of(form_json(form)), form);
}

}  // namespace
}  // namespace theta
