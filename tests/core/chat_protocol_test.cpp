#include "core/chat_protocol.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace theta {
namespace {

using Json = nlohmann::json;
using Verdict = ChatReading::Verdict;

Request judgement() {
  Request request;
  request.messages = {{"user", "Which?"}};
  request.answer_prefix = "preference: ";
  request.options = {"First", "Second"};
  return request;
}

Json sent(Dialect dialect, const Request& request, ChatAsk ask) {
  return Json::parse(chat_body("tiny", dialect, request, ask));
}

TEST(ChatBody, ForcesThePrefixWhereTheServerCan) {
  const auto request = judgement();
  const Json messages = Json::parse(R"([{"role": "user", "content": "Which?"},
                                        {"role": "assistant", "content": "preference:"}])");
  const Json llama = sent(Dialect::kLlamaServer, request, ChatAsk::kLogprobs);
  EXPECT_EQ(llama.at("messages"), messages);
  EXPECT_FALSE(llama.contains("continue_final_message"));
  const Json vllm = sent(Dialect::kVllm, request, ChatAsk::kLogprobs);
  EXPECT_EQ(vllm.at("messages"), messages);
  EXPECT_EQ(vllm.at("continue_final_message"), true);
  EXPECT_EQ(vllm.at("add_generation_prompt"), false);
}

TEST(ChatBody, AsksForWhatItCannotForce) {
  auto request = judgement();
  const auto last = [&](ChatAsk ask) {
    return sent(Dialect::kOpenAi, request, ask).at("messages").back().at("content");
  };
  EXPECT_EQ(last(ChatAsk::kGenerate), "Which?\n\nBegin your answer with: preference:");
  EXPECT_EQ(last(ChatAsk::kLogprobs),
            "Which?\n\nAnswer with exactly one of: First, Second. Write nothing else.");
  EXPECT_EQ(last(ChatAsk::kNameOption),
            "Which?\n\nAnswer with exactly one of: First, Second. Write nothing else.");
  request.messages[0].content = "Answer as `preference: ...`.";
  EXPECT_EQ(last(ChatAsk::kGenerate), "Answer as `preference: ...`.");
  request.messages[0].content = "Which?";
  request.answer_prefix.clear();
  EXPECT_EQ(last(ChatAsk::kLogprobs), "Which?");
  EXPECT_EQ(last(ChatAsk::kGenerate), "Which?");
}

TEST(ChatBody, ConstrainsByTheDialectsOwnField) {
  auto request = judgement();
  request.options = {"a \"b\"", "c\\\n"};
  EXPECT_EQ(sent(Dialect::kLlamaServer, request, ChatAsk::kNameOption).at("grammar"),
            R"(root ::= " "? ("a \"b\"" | "c\\\n"))");
  EXPECT_EQ(sent(Dialect::kVllm, request, ChatAsk::kNameOption).at("structured_outputs"),
            Json({{"choice", request.options}}));
  request.grammar = "root ::= [0-9]";
  EXPECT_EQ(sent(Dialect::kLlamaServer, request, ChatAsk::kGenerate).at("grammar"),
            request.grammar);
  EXPECT_EQ(sent(Dialect::kVllm, request, ChatAsk::kGenerate).at("structured_outputs"),
            Json({{"grammar", request.grammar}}));
  EXPECT_FALSE(sent(Dialect::kOpenAi, request, ChatAsk::kGenerate).contains("grammar"));
}

TEST(ChatBody, ReplacesWhatIsNotUtf8) {
  Request request;
  request.messages = {{"user", "caf\xe9"}};
  EXPECT_EQ(sent(Dialect::kOpenAi, request, ChatAsk::kGenerate)["messages"][0]["content"],
            "caf\xef\xbf\xbd");
}

std::string completion(const std::string& text) {
  return Json{{"choices", {{{"message", {{"content", text}}}, {"finish_reason", "length"}}}},
              {"usage",
               {{"prompt_tokens", 9},
                {"completion_tokens", 2},
                {"prompt_tokens_details", {{"cached_tokens", 5}}}}}}
      .dump();
}

TEST(ReadChat, ReadsTextUsageAndTruncation) {
  const auto reading = read_chat(200, completion("so"), {}, Dialect::kOpenAi, ChatAsk::kGenerate);
  ASSERT_TRUE(reading.answer);
  EXPECT_EQ(reading.answer->text, "so");
  EXPECT_EQ(reading.answer->prompt_tokens, 9);
  EXPECT_EQ(reading.answer->generated_tokens, 2);
  EXPECT_TRUE(reading.answer->truncated);
  EXPECT_EQ(reading.reused_tokens, 5);
}

TEST(ReadChat, TakesNoTokenCountThatCannotBe) {
  for (const auto& [sent, read] : std::vector<std::pair<const char*, std::int64_t>>{
           {"18446744073709551615", 1'000'000'000}, {"-5", 0}, {"1e300", 0}, {"\"7\"", 0}}) {
    std::string body = completion("so");
    body.replace(body.find("\"prompt_tokens\":9") + 16, 1, sent);
    const auto reading = read_chat(200, body, {}, Dialect::kOpenAi, ChatAsk::kGenerate);
    ASSERT_TRUE(reading.answer);
    EXPECT_EQ(reading.prompt_tokens, read) << sent;
    EXPECT_EQ(reading.answer->prompt_tokens, read) << sent;
  }
}

TEST(ReadChat, SaysWhatAnUnscoredAnswerTook) {
  const auto reading =
      read_chat(200, completion("so"), judgement(), Dialect::kOpenAi, ChatAsk::kLogprobs);
  EXPECT_EQ(reading.verdict, Verdict::kNoLogprobs);
  EXPECT_EQ(reading.prompt_tokens, 9);
  EXPECT_EQ(reading.generated_tokens, 2);
  EXPECT_EQ(reading.reused_tokens, 5);
}

TEST(ReadChat, TakesARefusalForOneOfLogprobsByWhatItNames) {
  const auto verdict = [](const char* body) {
    return read_chat(400, body, judgement(), Dialect::kOpenAi, ChatAsk::kLogprobs).verdict;
  };
  for (const char* refused :
       {R"({"error": {"message": "logprobs are not supported"}})",
        R"({"error": {"message": "not supported", "param": "top_logprobs"}})",
        R"({"detail": "top_logprobs must be at most 5"})", "no logprobs here"}) {
    EXPECT_EQ(verdict(refused), Verdict::kRefusesLogprobs) << refused;
  }
  for (const char* other :
       {R"({"error": {"message": "too long: what are logprobs?", "param": "messages"}})",
        R"({"error": {"message": "too long"}, "request": {"logprobs": true}})"}) {
    EXPECT_EQ(verdict(other), Verdict::kDone) << other;
  }
}

TEST(ReadChat, CutsThePrefixThatTheAnswerRepeats) {
  const auto text = [](const char* prefix, const char* content) {
    Request request;
    request.answer_prefix = prefix;
    return read_chat(200, completion(content), request, Dialect::kOpenAi, ChatAsk::kGenerate)
        .answer->text;
  };
  EXPECT_EQ(text("preference: ", "preference: First"), "First");
  EXPECT_EQ(text("preference: ", "\npreference:First"), "First");
  EXPECT_EQ(text("preference: ", " First"), "First");
  EXPECT_EQ(text("preference: ", "First"), "First");
  EXPECT_EQ(text("preference: ", "Sure, I say preference: it is\n  preference: First"), "First");
  EXPECT_EQ(text("[[ ## a ## ]]\n", "<think>\nHm.\n</think>\n[[ ## a ## ]]\nFirst"), "First");
  EXPECT_EQ(text("", " First"), " First");
}

TEST(ReadChat, SaysThatAGrammarWasNotEnforced) {
  Request request;
  request.grammar = "root ::= [0-9]";
  const auto note = [&](Dialect dialect) {
    return read_chat(200, completion("x"), request, dialect, ChatAsk::kGenerate).answer->note;
  };
  EXPECT_EQ(note(Dialect::kOpenAi), "grammar not enforced");
  EXPECT_EQ(note(Dialect::kLlamaServer), "");
}

TEST(ReadChat, FindsTheNamedOption) {
  const auto named = [](const char* content, std::vector<std::string> options) {
    Request request;
    request.options = std::move(options);
    const auto reading =
        read_chat(200, completion(content), request, Dialect::kOpenAi, ChatAsk::kNameOption);
    return reading.answer ? reading.answer->text : reading.answer.error().message;
  };
  EXPECT_EQ(named(" Second.", {"First", "Second"}), "Second");
  EXPECT_EQ(named("10", {"1", "10"}), "10");
  EXPECT_EQ(named("**\"Second\"**", {"First", "Second"}), "Second");
  EXPECT_EQ(named("C++", {"C+", "C++"}), "C++");
  EXPECT_EQ(named("nothing", {"yes", "no"}),
            "the answer names none of the options yes, no: nothing");
  EXPECT_EQ(named("not positive", {"positive", "negative"}),
            "the answer names none of the options positive, negative: not positive");
}

TEST(ReadChat, CutsAnErrorAtACharacter) {
  std::string body(199, 'x');
  for (int i = 0; i < 9; ++i) body += "\xc3\xa9";
  const auto reading = read_chat(400, body, {}, Dialect::kOpenAi, ChatAsk::kGenerate);
  EXPECT_EQ(reading.answer.error().message, "status 400: " + std::string(199, 'x') + "\xc3\xa9...");
}

TEST(ScoreOptions, AddsUpTheTokensThatBeginAnOption) {
  const auto scores = score_options({{"First", std::log(0.5)},
                                     {" Fir", std::log(0.125)},
                                     {"Sec", std::log(0.25)},
                                     {"Firstly", std::log(0.0625)},
                                     {" ", std::log(0.03125)}},
                                    {"First", "Second"});
  ASSERT_TRUE(scores);
  EXPECT_NEAR(scores->logprobs[0], std::log(0.625), 1e-12);
  EXPECT_NEAR(scores->logprobs[1], std::log(0.25), 1e-12);
  EXPECT_EQ(scores->note, "logprobs of the first token");
}

TEST(ScoreOptions, PutsAnUnlistedOptionBelowTheListedTokens) {
  const auto scores = score_options({{"First", -0.5}, {"x", -3.0}}, {"First", "Second"});
  ASSERT_TRUE(scores);
  EXPECT_DOUBLE_EQ(scores->logprobs[1], -4.0);
  EXPECT_EQ(scores->note, "logprobs of the first token; not listed: Second");
}

TEST(ScoreOptions, RefusesWhatTellsNoOptionsApart) {
  const auto shared = score_options({{"Pos", -0.1}, {"Positive", -3.0}}, {"Positive", "Possible"});
  ASSERT_FALSE(shared);
  EXPECT_EQ(shared.error().message, "several options begin with the same token");
  const auto none = score_options({{"The", -0.1}, {"I", -3.0}}, {"First", "Second"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "none of the 2 listed tokens begins an option");
}

TEST(DialectOfModels, GoesByTheOwner) {
  EXPECT_EQ(dialect_of_models(R"({"data": [{"owned_by": "vllm"}]})"), Dialect::kVllm);
  EXPECT_EQ(dialect_of_models(R"({"data": [{"owned_by": "llamacpp"}]})"), Dialect::kLlamaServer);
  EXPECT_EQ(dialect_of_models(R"({"data": [{"owned_by": "library"}]})"), Dialect::kOpenAi);
  EXPECT_EQ(dialect_of_models("<html>"), std::nullopt);
}

TEST(ReadChat, ReadsAnAnswerBehindAByteOrderMark) {
  const std::string body = "\xEF\xBB\xBF" + completion("Second");
  const auto reading = read_chat(200, body, {}, Dialect::kOpenAi, ChatAsk::kGenerate);
  ASSERT_TRUE(reading.answer) << reading.answer.error().message;
  EXPECT_EQ(reading.answer->text, "Second");
}

/// Damages good answers in every way a byte can be and reads them as every kind of question.
TEST(ReadChat, SurvivesDamagedAnswers) {
  Json good = Json::parse(completion("Second"));
  good["choices"][0]["logprobs"]["content"] = {
      {{"top_logprobs", {{{"token", "First"}, {"logprob", -1.5}}}}}};
  const std::string body = good.dump();
  const auto request = judgement();
  std::mt19937 random(1);
  std::size_t answered = 0;
  std::size_t refused = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string damaged = body;
    const auto at = [&] { return random() % damaged.size(); };
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      switch (random() % 4) {
        case 0:
          damaged[at()] = static_cast<char>(random());
          break;
        case 1:
          damaged.erase(at(), random() % 20);
          break;
        case 2:
          damaged.insert(at(), damaged.substr(at(), random() % 20));
          break;
        default:
          damaged.replace(
              at(), 1,
              std::vector<const char*>{"null", "{}", "[]", "-1e999", "\"\""}[random() % 5]);
      }
      if (damaged.empty()) damaged = "x";
    }
    for (const auto ask : {ChatAsk::kGenerate, ChatAsk::kLogprobs, ChatAsk::kNameOption}) {
      for (const int status : {200, 400, 503}) {
        const auto reading = read_chat(status, damaged, request, Dialect::kOpenAi, ask);
        ++(reading.answer ? answered : refused);
        if (!reading.answer) {
          EXPECT_FALSE(reading.answer.error().message.empty());
        } else if (ask != ChatAsk::kGenerate) {
          EXPECT_EQ(reading.answer->option_logprobs.size(), 2U);
        }
      }
    }
    (void)dialect_of_models(damaged);
  }
  EXPECT_GT(answered, 100U);
  EXPECT_GT(refused, 100U);
}

}  // namespace
}  // namespace theta
