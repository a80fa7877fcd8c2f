// Requests that are refused for their form, and what no retry mends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/models/http/model.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"

namespace theta::test {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Reply refuse(int status, const std::string& message, Json more = Json::object()) {
  more["message"] = message;
  return {status, Json{{"error", more}}.dump(), {}, {}, {}};
}

TEST(HttpModel, LearnsFromARefusalOnceForAllRequests) {
  std::vector<Json> refused, taken;
  const LoopbackServer server([&](const Seen& seen) {
    const Json body = Json::parse(seen.body);
    if (body.contains("max_tokens")) {
      refused.push_back(body);
      return refuse(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
                    {{"param", "max_tokens"}});
    }
    taken.push_back(body);
    return echo(seen);
  });
  auto options = options_for(server.url());
  options.retries = 0;
  options.in_flight = 2;
  HttpModel model(options);
  const auto wave = questions(20);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_LE(refused.size(), 2U);  // that were under way together
  ASSERT_EQ(taken.size(), 20U);
  for (const Json& body : taken) EXPECT_EQ(body.at("max_completion_tokens"), 256);
  EXPECT_THAT(
      model.lessons(),
      ElementsAre(
          "tiny: max_tokens is sent as max_completion_tokens from here on, as it refused it: "
          "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."));
}

TEST(HttpModel, MendsOneThingAfterTheOther) {
  const LoopbackServer server([](const Seen& seen) {
    const Json body = Json::parse(seen.body);
    if (body.at("messages")[0].at("role") == "system")
      return refuse(400, "System role not supported");
    if (body.contains("seed")) return refuse(422, "unknown field: seed");
    if (body.contains("stop")) return refuse(400, "stop is not supported");
    return chat("first\nEND\nsecond");
  });
  HttpModel model(options_for(server.url()));
  Request request = question("hello");
  request.temperature = 0.7;
  request.stop = {"END"};
  const auto answer = ask_one(model, request);
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->text, "first\n");  // cut where the server would have
  EXPECT_EQ(server.requests(), 4U);
  EXPECT_EQ(model.lessons().size(), 3U);
}

TEST(HttpModel, MergesTheSystemMessageWhereAChatTemplateFailsWithAStatusOfTheServer) {
  const LoopbackServer server([](const Seen& seen) {
    const bool system = Json::parse(seen.body).at("messages")[0].at("role") == "system";
    return system ? refuse(500, "Conversation roles must alternate user/assistant") : chat("so");
  });
  auto options = options_for(server.url());
  options.retries = 0;
  HttpModel model(options);
  Request request = question("hello");
  request.messages.insert(request.messages.begin(), {"system", "Be brief."});
  const auto answer = ask_one(model, request);
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(server.requests(), 2U);
}

TEST(HttpModel, AsksAsItLearntBeforeWhereThatWasKept) {
  std::string kept;
  std::atomic<int> refused = 0;
  const LoopbackServer server([&](const Seen& seen) {
    if (!Json::parse(seen.body).contains("seed")) return echo(seen);
    ++refused;
    return refuse(400, "Unrecognized request argument supplied: seed");
  });
  Request request = question("hello");
  request.temperature = 1;
  for (int start = 0; start < 2; ++start) {
    HttpModel model(options_for(server.url()), {},
                    {kept, [&](const std::string& lessons) { kept = lessons; }});
    EXPECT_TRUE(ask_one(model, request));
    EXPECT_EQ(model.lessons().size(), 1U);
  }
  EXPECT_EQ(refused, 1);
}

TEST(HttpModel, EndsWithTheRefusalWhereNothingMendsIt) {
  std::atomic<int> asked = 0;
  const LoopbackServer server([&](const Seen&) {
    ++asked;
    return refuse(400, "temperature is not supported", {{"param", "temperature"}});
  });
  HttpModel model(options_for(server.url()));
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            server.url() + ": status 400: temperature is not supported");
  EXPECT_EQ(asked, 2);
}

TEST(HttpModel, PutsFieldsAsTheConfigWantsThem) {
  Json asked;
  const LoopbackServer server([&](const Seen& seen) {
    asked = Json::parse(seen.body);
    return echo(seen);
  });
  auto options = options_for(server.url());
  options.parameters = {
      {.name = "max_tokens", .sent_as = "max_completion_tokens"},
      {.name = "temperature", .dropped = true},
      {.name = "reasoning_effort", .json = Written{"\"low\"", "\"low\""}},
      {.name = "chat_template_kwargs", .json = Written{R"({"a":1})", R"({"a":1})"}}};
  options.system_role = false;
  HttpModel model(options);
  EXPECT_TRUE(ask_one(model, question("hello")));
  EXPECT_EQ(asked, Json::parse(R"({"model": "tiny", "max_completion_tokens": 256, "stream": false,
    "messages": [{"role": "user", "content": "Be brief.\n\nhello"}],
    "reasoning_effort": "low", "chat_template_kwargs": {"a": 1}})"));
}

TEST(HttpModel, IsAnotherModelWithOtherParametersButNotWithAnotherSecret) {
  auto options = options_for("http://127.0.0.1:1/v1");
  const std::string usual = identity_of(options);
  EXPECT_EQ(usual, "tiny at http://127.0.0.1:1/v1, dialect openai, logprobs auto");
  options.parameters = {{.name = "stop", .dropped = true}};
  options.headers = {{"api-key", Written{"${KEY}", "sk-0123456789", {"sk-0123456789"}}}};
  options.query = {{"version", Written{"1", "1"}}};
  options.system_role = false;
  EXPECT_EQ(identity_of(options),
            usual + ", stop dropped, header api-key: ${KEY}, query version=1, no system role");
}

std::vector<Request> judgements(std::size_t n) {
  auto wave = questions(n);
  for (auto& request : wave) request.options = {"First", "Second"};
  return wave;
}

TEST(HttpModel, NamesOptionsWhereLogprobsAreRefusedWithWhateverWords) {
  const std::vector<Reply> refusals = {
      refuse(403, "Log probabilities are for another plan"),
      refuse(500, "logprobs: not implemented"), refuse(501, "not implemented"),
      refuse(400, "This feature is off."), refuse(422, "[1] is wrong")};
  for (const Reply& refusal : refusals) {
    const LoopbackServer server([&](const Seen& seen) {
      return Json::parse(seen.body).contains("logprobs") ? refusal : chat("Second");
    });
    auto options = options_for(server.url());
    options.retries = 0;
    HttpModel model(options);
    for (int wave = 0; wave < 2; ++wave)
      for (const auto& answer : ask_all(model, judgements(4))) {
        ASSERT_TRUE(answer) << failure(answer);
        EXPECT_EQ(answer->text, "Second");
      }
    EXPECT_THAT(model.lessons(),
                ElementsAre("tiny gives no logprobs: options are named, not scored"))
        << refusal.body;
  }
}

TEST(HttpModel, LeavesARefusalAsItIsWhereNamingIsRefusedAsWell) {
  const LoopbackServer server([&](const Seen&) { return refuse(400, "This model is off."); });
  HttpModel model(options_for(server.url()));
  for (const auto& answer : ask_all(model, judgements(4)))
    EXPECT_EQ(failure(answer), server.url() + ": status 400: This model is off.");
  EXPECT_EQ(server.requests(), 5U);  // one tried it out
  EXPECT_THAT(model.lessons(), IsEmpty());
}

TEST(HttpModel, ListsAsManyTokensAsARefusalAllows) {
  std::vector<int> listed;
  const LoopbackServer server([&](const Seen& seen) {
    const int n = Json::parse(seen.body).value("top_logprobs", 0);
    if (n > 8) return refuse(400, "top_logprobs must be at most 8", {{"param", "top_logprobs"}});
    listed.push_back(n);
    Json body = Json::parse(chat("Second").body);
    body["choices"][0]["logprobs"]["content"] = {
        {{"token", "Second"},
         {"logprob", -0.25},
         {"top_logprobs", {{{"token", "Second"}, {"logprob", -0.25}}}}}};
    return Reply{200, body.dump(), {}, {}, {}};
  });
  HttpModel model(options_for(server.url()));
  for (const auto& answer : ask_all(model, judgements(2))) ASSERT_TRUE(answer) << failure(answer);
  EXPECT_THAT(listed, ElementsAre(8, 8));
}

TEST(HttpModel, AsksInWordsWhereBegunAnswersAreRefused) {
  for (const char* said : {"Assistant response prefill is incompatible with enable_thinking.",
                           "Something is wrong with this request."}) {
    const LoopbackServer server([&](const Seen& seen) {
      const Json body = Json::parse(seen.body);
      return body.at("messages").back().at("role") == "assistant" ? refuse(400, said)
                                                                  : chat("verdict: good");
    });
    auto options = options_for(server.url());
    options.dialect = Dialect::kLlamaServer;
    options.retries = 0;
    HttpModel model(options);
    auto wave = questions(3);
    for (auto& request : wave) request.answer_prefix = "verdict: ";
    for (const auto& answer : ask_all(model, wave)) {
      ASSERT_TRUE(answer) << failure(answer);
      EXPECT_EQ(answer->text, "good");
    }
    EXPECT_EQ(model.lessons().size(), 1U) << said;
  }
}

/// Wants JSON, and has a grammar that no server of OpenAI's kind takes.
Request wants_json() {
  Request request = question("hello");
  request.grammar = "root ::= \"{}\"";
  request.schema = R"({"type":"object","properties":{"b":{},"a":{}}})";
  return request;
}

TEST(HttpModel, SendsTheSchemaOfAnAnswerWhereNoGrammarIsKnown) {
  std::string body;
  const LoopbackServer server([&](const Seen& seen) {
    body = seen.body;
    return echo(seen);
  });
  HttpModel model(options_for(server.url()));
  const auto answer = ask_one(model, wants_json());
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->note, "");
  EXPECT_THAT(body, HasSubstr(R"("response_format":{"type":"json_schema","json_schema":{)"
                              R"("name":"answer","strict":true,"schema":)" +
                              wants_json().schema + "}}"));
  EXPECT_FALSE(Json::parse(body).contains("grammar"));
}

TEST(HttpModel, AsksInWordsAloneWhereASchemaIsRefusedWithWhateverWords) {
  for (const std::string words :
       {"This response_format type is unavailable now", "json_schema is not supported",
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this "
        "model."}) {
    const LoopbackServer server([&](const Seen& seen) {
      return Json::parse(seen.body).contains("response_format") ? refuse(400, words) : echo(seen);
    });
    HttpModel model(options_for(server.url()));
    const auto answer = ask_one(model, wants_json());
    ASSERT_TRUE(answer) << failure(answer);
    EXPECT_EQ(answer->note, "grammar not enforced");
    EXPECT_EQ(model.lessons().front(),
              "tiny: response_format is not sent from here on, as it refused it: " + words);
  }
}

TEST(HttpModel, RetriesNothingThatNoRetryMends) {
  const std::vector<std::pair<Reply, std::string>> refusals = {
      {refuse(429, "You exceeded your current quota.", {{"code", "insufficient_quota"}}),
       ": status 429: You exceeded your current quota."},
      {refuse(429, "Your credit balance is too low"),
       ": status 429: Your credit balance is too low"},
      {refuse(402, "Pay first"), ": status 402: Pay first"},
      {refuse(501, "No such thing"), ": status 501: No such thing"},
      {refuse(200, "The credits are used up; add some.", {{"code", 402}}),
       ": an error of code 402 inside of an answer: The credits are used up; add some."},
      {refuse(200, "No access", {{"type", "permission_denied"}}),
       ": an error of code 403 inside of an answer: No access; no key was sent: say where it is "
       "with "
       "api_key_env or api_key_file"}};
  for (const auto& [refusal, message] : refusals) {
    const LoopbackServer server([&](const Seen&) { return refusal; });
    HttpModel model(options_for(server.url()));
    EXPECT_EQ(failure(ask_one(model, question("hello"))), server.url() + message);
    EXPECT_EQ(server.requests(), 1U);
  }
}

TEST(HttpModel, LosesNothingToALimitThatIsHitWithoutAWord) {
  using std::chrono::milliseconds;
  auto until = Clock::now();
  int used = 0;
  const LoopbackServer server([&](const Seen& seen) {
    if (Clock::now() >= until) {
      until = Clock::now() + milliseconds(200);
      used = 0;
    }
    return ++used <= 5 ? echo(seen) : refuse(429, "Too many requests.");
  });
  auto options = options_for(server.url());
  options.retries = 1;
  options.backoff_s = 0.01;
  HttpModel model(options);
  const auto wave = questions(20);
  expect_echoes(wave, ask_all(model, wave));
}

TEST(HttpModel, WaitsAsLongAsABodyOrAHeaderSays) {
  const std::vector<Reply> refusals = {
      {429, "", {{"x-ratelimit-reset-requests", "100ms"}}, {}, {}},
      {429,
       R"([{"error": {"code": 429, "details": [{"@type": "RetryInfo", "retryDelay": "0.1s"}]}}])",
       {},
       {},
       {}},
      {200, R"({"error": {"code": 429, "message": "Please try again in 100ms."}})", {}, {}, {}}};
  for (const Reply& refusal : refusals) {
    const LoopbackServer server(
        [&](const Seen& seen) { return seen.number == 0 ? refusal : echo(seen); });
    HttpModel model(options_for(server.url()));
    const auto answer = ask_one(model, question("hello"));
    ASSERT_TRUE(answer) << failure(answer);
    ASSERT_EQ(answer->failed.size(), 1U);
    EXPECT_GE(answer->failed[0].wait_s, 0.1);
  }
}

TEST(HttpModel, WarnsOfPromptsThatTheServerCuts) {
  const LoopbackServer server([](const Seen&) { return chat("yes"); });  // says 11 tokens
  HttpModel model(options_for(server.url()));
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + " ";
  EXPECT_TRUE(ask_one(model, question(text)));
  EXPECT_THAT(model.lessons(),
              ElementsAre(HasSubstr("tiny counts 11 tokens for prompts that are longer")));
}

}  // namespace
}  // namespace theta::test
