// Dialects, and options that are scored or named.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/models/http/chat_body.hpp"
#include "core/models/http/model.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"

namespace theta::test {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;

TEST(HttpModel, FindsOutTheDialectOnce) {
  std::atomic<int> listings = 0;
  Json asked;
  const LoopbackServer server([&](const Seen& seen) {
    if (seen.path == "/v1/models") {
      ++listings;
      EXPECT_EQ(seen.method, "GET");
      return Reply{200, R"({"data": [{"id": "tiny", "owned_by": "vllm"}]})", {}, {}, {}};
    }
    asked = Json::parse(seen.body);
    return chat("yes");
  });
  auto options = options_for(server.url());
  options.dialect = Dialect::kAuto;
  HttpModel model(options);
  auto request = question("hello");
  EXPECT_TRUE(ask_one(model, request));
  EXPECT_EQ(listings, 0);
  request.answer_prefix = "answer:";
  EXPECT_TRUE(ask_one(model, request));
  EXPECT_TRUE(ask_one(model, request));
  EXPECT_EQ(listings, 1);
  EXPECT_EQ(asked.at("continue_final_message"), true);
}

TEST(HttpModel, TellsEveryRequestWhyTheDialectIsUnknownAndTheFirstHowOftenItAsked) {
  auto options = options_for("http://127.0.0.1:1/v1");
  options.dialect = Dialect::kAuto;
  options.retries = 1;
  HttpModel model(options);
  auto wave = questions(3);
  wave[2].grammar = "root ::= \"a\"";
  std::vector<std::size_t> failed;
  for (const auto& answer : ask_all(model, wave)) {
    EXPECT_EQ(failure(answer),
              "http://127.0.0.1:1/v1: cannot connect: Connection refused; 2 attempts");
    failed.push_back(answer.error().failed.size());
  }
  EXPECT_THAT(failed, ElementsAre(2, 0, 0));
}

TEST(HttpModel, ListsFailedAttemptsToFindOutTheDialectWithTheFirstRequest) {
  const LoopbackServer server([](const Seen& seen) {
    if (seen.number == 0) return Reply{503, "loading", {}, {}, {}};
    return seen.method == "GET" ? Reply{200, "{}", {}, {}, {}} : echo(seen);
  });
  auto options = options_for(server.url());
  options.dialect = Dialect::kAuto;
  HttpModel model(options);
  auto wave = questions(2);
  wave[1].grammar = "root ::= \"a\"";
  const auto answers = ask_all(model, wave);
  expect_echoes(wave, answers);
  ASSERT_EQ(answers[0]->failed.size(), 1U);
  EXPECT_EQ(answers[0]->failed[0].message, server.url() + ": status 503");
  EXPECT_EQ(answers[1]->failed.size(), 0U);
}

TEST(HttpModel, AsksForTheDialectAgainWhereTheAnswerIsDamaged) {
  std::atomic<int> listings = 0;
  Json asked;
  const LoopbackServer server([&](const Seen& seen) {
    if (seen.path == "/v1/models") {
      const std::string whole = R"({"data": [{"owned_by": "vllm"}]})";
      return Reply{200, ++listings < 3 ? whole.substr(0, 20) : whole, {}, {}, {}};
    }
    asked = Json::parse(seen.body);
    return chat("yes");
  });
  auto options = options_for(server.url());
  options.dialect = Dialect::kAuto;
  HttpModel model(options);
  auto request = question("hello");
  request.answer_prefix = "answer:";
  EXPECT_TRUE(ask_one(model, request));
  EXPECT_EQ(listings, 3);
  EXPECT_EQ(asked.at("continue_final_message"), true);
}

TEST(HttpModel, TakesAServerWhoseListingIsNeverReadableForOneOfOpenAis) {
  const LoopbackServer server([](const Seen& seen) {
    return seen.path == "/v1/models" ? Reply{200, "<html>", {}, {}, {}} : echo(seen);
  });
  auto options = options_for(server.url());
  options.dialect = Dialect::kAuto;
  options.retries = 2;
  HttpModel model(options);
  auto wave = questions(2);
  wave[0].grammar = "root ::= \"a\"";
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_EQ(server.requests(), 3U + 2);
}

std::vector<Request> judgements(std::size_t n) {
  auto wave = questions(n);
  for (auto& request : wave) request.options = {"First", "Second"};
  return wave;
}

/// An answer of one token with the log-probabilities of both options.
Reply scored() {
  Json body = Json::parse(chat("Second").body);
  body["choices"][0]["logprobs"]["content"] = {
      {{"token", "Second"},
       {"logprob", -0.25},
       {"top_logprobs",
        {{{"token", "Second"}, {"logprob", -0.25}}, {{"token", "First"}, {"logprob", -1.75}}}}}};
  return {200, body.dump(), {}, Delivery::kWhole, {}};
}

TEST(HttpModel, ScoresOptionsByLogprobs) {
  const LoopbackServer server([](const Seen& seen) {
    const Json asked = Json::parse(seen.body);
    EXPECT_EQ(asked.at("top_logprobs"), 20);
    EXPECT_EQ(asked.at("max_tokens"), 1);
    return scored();
  });
  HttpModel model(options_for(server.url()));
  const auto wave = judgements(3);
  for (const auto& answer : ask_all(model, wave)) {
    ASSERT_TRUE(answer) << failure(answer);
    EXPECT_EQ(answer->text, "Second");
    EXPECT_EQ(answer->note, "logprobs of the first token");
    ASSERT_EQ(answer->option_logprobs.size(), 2U);
    EXPECT_NEAR(answer->option_logprobs[0], -1.75, 1e-12);
    EXPECT_NEAR(answer->option_logprobs[1], -0.25, 1e-12);
  }
  EXPECT_EQ(server.requests(), 3U);
}

TEST(HttpModel, HasAnOptionNamedWhereThereAreNoLogprobs) {
  for (const bool refused : {false, true}) {
    const LoopbackServer server([&](const Seen& seen) {
      if (refused && Json::parse(seen.body).contains("logprobs")) {
        return Reply{400, R"({"error": {"message": "logprobs are not supported"}})", {}, {}, {}};
      }
      return chat("  Second.");
    });
    auto options = options_for(server.url());
    options.in_flight = 1;
    HttpModel model(options);
    for (const auto& answer : ask_all(model, judgements(20))) {
      ASSERT_TRUE(answer) << failure(answer);
      EXPECT_EQ(answer->text, "Second");
      EXPECT_EQ(answer->note, "named, asked in words, not scored: the server gives no logprobs");
      EXPECT_EQ(answer->option_logprobs, (std::vector<double>{kUnnamedLogprob, 0}));
    }
    // Two refusals, of many and of few, or eight answers say so; what follows is not asked for what
    // the server lacks.
    EXPECT_EQ(server.requests(), refused ? 22U : 28U);
  }
}

TEST(HttpModel, AsksForFewerLogprobsWhereTheServerRefusesMany) {
  const LoopbackServer server([](const Seen& seen) {
    if (Json::parse(seen.body).at("top_logprobs") > 5)
      return Reply{400, R"({"error": {"message": "top_logprobs must be at most 5"}})", {}, {}, {}};
    return scored();
  });
  HttpModel model(options_for(server.url()));
  for (const auto& answer : ask_all(model, judgements(20))) {
    ASSERT_TRUE(answer) << failure(answer);
    EXPECT_EQ(answer->note, "logprobs of the first token");
  }
  EXPECT_LE(server.requests(), 20U + 8);  // the eight that were sent at once
}

TEST(HttpModel, EstimatesTokensWhereTheServerDoesNotCountThem) {
  const LoopbackServer server([](const Seen&) {
    return Reply{200, R"({"choices": [{"message": {"content": "12345678"}}]})", {}, {}, {}};
  });
  HttpModel model(options_for(server.url()));
  const auto wave = std::vector{question(std::string(4000, 'x'))};
  const auto answer = ask_all(model, wave).front();
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_NEAR(static_cast<double>(answer->prompt_tokens), 1000, 50);
  EXPECT_EQ(answer->generated_tokens, 2);
  EXPECT_EQ(answer->note, "tokens estimated");
}

TEST(HttpModel, GoesOnScoringWhereSomeAnswersLackLogprobs) {
  const LoopbackServer server([](const Seen& seen) {
    return seen.number < 7 || seen.number > 10 ? chat("Second") : scored();
  });
  auto options = options_for(server.url());
  options.in_flight = 1;
  HttpModel model(options);
  EXPECT_TRUE(ask_all(model, judgements(40)).back());
  EXPECT_EQ(server.requests(), 40U + 36);
}

/// A server whose model thinks aloud and, as servers do, ends the text at the first stop text.
Reply thinking(const Seen& seen, const std::string& text) {
  const Json asked = Json::parse(seen.body);
  std::string content = text;
  for (const auto& stop : asked.value("stop", std::vector<std::string>()))
    content = content.substr(0, content.find(stop));
  return chat(content);
}

std::vector<Request> verdicts(std::size_t n) {
  auto wave = questions(n);
  for (auto& request : wave) {
    request.answer_prefix = "Verdict:";
    request.stop = {"\n"};
  }
  return wave;
}

TEST(HttpModel, SendsNoStopTextsToAModelThatThinks) {
  for (const std::string opening : {"<think>\n", ""}) {  // which a chat template may have sent
    const LoopbackServer server([&](const Seen& seen) {
      return thinking(seen, opening +
                                "The words are weighed.\nVerdict: bad?\n</think>\n\n"
                                "Verdict: good\nVerdict: bad");
    });
    auto options = options_for(server.url());
    options.in_flight = 1;
    HttpModel model(options);
    for (const auto& answer : ask_all(model, verdicts(4))) {
      ASSERT_TRUE(answer) << failure(answer);
      EXPECT_EQ(answer->text, " good");
      EXPECT_EQ(answer->note, "a thought was dropped");
    }
    // The first says so at once; without an opening, all are in before one is tried out.
    EXPECT_EQ(server.requests(), opening.empty() ? 8U : 5U);
    const auto again = ask_one(model, verdicts(1)[0]);
    ASSERT_TRUE(again) << failure(again);
    EXPECT_EQ(again->prompt_tokens, 11);  // asked once
  }
}

TEST(HttpModel, TriesOutOnceWhetherATextIsAThought) {
  const LoopbackServer server(
      [](const Seen& seen) { return thinking(seen, "It is good, I say.\nVerdict: bad"); });
  HttpModel model(options_for(server.url()));
  for (const auto& answer : ask_all(model, verdicts(20))) {
    ASSERT_TRUE(answer) << failure(answer);
    EXPECT_EQ(answer->text, "It is good, I say.");
  }
  EXPECT_EQ(server.requests(), 21U);
}

TEST(HttpModel, KeepsFromStartToStartWhetherAModelThinks) {
  std::string kept;
  for (const std::string text :
       {"It is good, I say.", "The words are weighed.\nBad?\n</think>\n\nGood."}) {
    kept.clear();
    const LoopbackServer server([&](const Seen& seen) { return thinking(seen, text); });
    for (const std::size_t in_all : {2U, 3U}) {
      HttpModel model(options_for(server.url()), {},
                      {kept, [&](const std::string& lessons) { kept = lessons; }});
      EXPECT_TRUE(ask_one(model, verdicts(1)[0]));
      EXPECT_EQ(server.requests(), in_all) << text;
    }
  }
}

TEST(HttpModel, GivesAThoughtRoomBeforeAnOption) {
  const LoopbackServer server([](const Seen& seen) {
    const Json asked = Json::parse(seen.body);
    if (asked.contains("logprobs")) return chat("<think>");
    const bool room = asked.at("max_tokens") == kThoughtTokens;
    Json body = Json::parse(chat(room ? "<think>Hm.</think>Second" : "<think>Hm").body);
    if (!room) body["choices"][0]["finish_reason"] = "length";
    return Reply{200, body.dump(), {}, Delivery::kWhole, {}};
  });
  auto options = options_for(server.url());
  options.in_flight = 1;
  HttpModel model(options);
  const auto answers = ask_all(model, judgements(3));
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer) << failure(answer);
    EXPECT_EQ(answer->text, "Second");
    EXPECT_TRUE(answer->named);
  }
  EXPECT_EQ(server.requests(), 3U + 3 + 1);  // for log-probabilities, by name, and with room
  EXPECT_EQ(answers[0]->prompt_tokens, 33);
  EXPECT_EQ(answers[1]->prompt_tokens, 22);
}

TEST(HttpModel, CountsTheTokensOfAnswersThatWereThrownAway) {
  const LoopbackServer server([](const Seen& seen) {
    if (seen.number % 3 == 2) return chat("yes");
    return Reply{200,
                 R"({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 64}})",
                 {},
                 Delivery::kWhole,
                 {}};
  });
  auto options = options_for(server.url());
  options.in_flight = 1;
  HttpModel model(options);
  const auto answer = ask_one(model, question("?"));
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->prompt_tokens, 33);
  EXPECT_EQ(answer->generated_tokens, 64 + 64 + 3);
  ASSERT_EQ(answer->failed.size(), 2U);
  EXPECT_EQ(answer->failed[1].generated_tokens, 64);

  options.retries = 1;
  HttpModel hasty(options);
  const auto lost = ask_one(hasty, question("?"));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().prompt_tokens, 22);
  EXPECT_EQ(lost.error().generated_tokens, 128);
}

TEST(HttpModel, GivesUpAtOnceOnAPromptThatIsRefused) {
  const LoopbackServer server([](const Seen&) {
    return Reply{400,
                 R"({"error": {"message": "too long", "code": "context_length_exceeded"}})",
                 {},
                 {},
                 {}};
  });
  HttpModel model(options_for(server.url()));
  const auto answer = ask_one(model, question("?"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().fault, Fault::kRefused);
  EXPECT_EQ(answer.error().message, "status 400: too long");
  EXPECT_EQ(server.requests(), 1U);
}

TEST(HttpModel, CountsTheTokensOfAnAnswerThatScoredNothing) {
  const LoopbackServer server([](const Seen&) { return chat("Second"); });
  HttpModel model(options_for(server.url()));
  const auto answer = ask_one(model, judgements(1).front());
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->prompt_tokens, 22);
  EXPECT_EQ(answer->generated_tokens, 6);
  EXPECT_EQ(model.counters().asked_tokens, 22);
  EXPECT_EQ(model.counters().generated_tokens, 6);
}

TEST(HttpModel, CallsAnAnswerThatNamesNoOptionThePromptsFault) {
  const LoopbackServer server([](const Seen&) { return chat("Hard to say"); });
  auto options = options_for(server.url());
  options.logprobs = false;
  HttpModel model(options);
  const auto answer = ask_one(model, judgements(1).front());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().fault, Fault::kPrompt);
  EXPECT_EQ(answer.error().message,
            "the answer names none of the options First, Second: Hard to say");
  EXPECT_EQ(usage_of(answer), (Usage{1, 11, 3}));
}

TEST(HttpModel, IdentityHoldsWhatDecidesAnAnswer) {
  auto options = options_for("http://127.0.0.1:8000/v1");
  EXPECT_EQ(HttpModel(options).identity(),
            "tiny at http://127.0.0.1:8000/v1, dialect openai, logprobs auto");
  options.logprobs = false;
  options.dialect = Dialect::kAuto;
  options.base_urls.insert(options.base_urls.begin(), "http://host/v1");
  const std::string identity = HttpModel(options).identity();
  EXPECT_EQ(identity,
            "tiny at http://127.0.0.1:8000/v1, http://host/v1, dialect auto, logprobs off");
  std::swap(options.base_urls[0], options.base_urls[1]);
  EXPECT_EQ(HttpModel(options).identity(), identity);
}

}  // namespace
}  // namespace theta::test
