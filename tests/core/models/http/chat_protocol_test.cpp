// What is asked of a chat server, and how its answers are read.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/models/http/chat_body.hpp"
#include "core/models/http/chat_reading.hpp"
#include "core/models/option_scores.hpp"

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
  return Json::parse(chat_body("tiny", dialect, request, {.ask = ask}));
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
  const auto reading =
      read_chat(200, completion("so"), {}, Dialect::kOpenAi, {.ask = ChatAsk::kGenerate});
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
    const auto reading = read_chat(200, body, {}, Dialect::kOpenAi, {.ask = ChatAsk::kGenerate});
    ASSERT_TRUE(reading.answer);
    EXPECT_EQ(reading.prompt_tokens, read) << sent;
    EXPECT_EQ(reading.answer->prompt_tokens, read) << sent;
  }
}

TEST(ReadChat, SaysWhatAnUnscoredAnswerTook) {
  const auto reading =
      read_chat(200, completion("so"), judgement(), Dialect::kOpenAi, {.ask = ChatAsk::kLogprobs});
  EXPECT_EQ(reading.verdict, Verdict::kNoLogprobs);
  EXPECT_EQ(reading.prompt_tokens, 9);
  EXPECT_EQ(reading.generated_tokens, 2);
  EXPECT_EQ(reading.reused_tokens, 5);
}

TEST(ReadChat, TakesARefusalForOneOfLogprobsByWhatItNames) {
  const auto verdict = [](const char* body) {
    return read_chat(400, body, judgement(), Dialect::kOpenAi, {.ask = ChatAsk::kLogprobs}).verdict;
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
    return read_chat(200, completion(content), request, Dialect::kOpenAi,
                     {.ask = ChatAsk::kGenerate})
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
    return read_chat(200, completion("x"), request, dialect, {.ask = ChatAsk::kGenerate})
        .answer->note;
  };
  EXPECT_EQ(note(Dialect::kOpenAi), "grammar not enforced");
  EXPECT_EQ(note(Dialect::kLlamaServer), "");
}

TEST(ReadChat, FindsTheNamedOption) {
  const auto named = [](const char* content, std::vector<std::string> options) {
    Request request;
    request.options = std::move(options);
    const auto reading = read_chat(200, completion(content), request, Dialect::kOpenAi,
                                   {.ask = ChatAsk::kNameOption});
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
  const auto reading = read_chat(400, body, {}, Dialect::kOpenAi, {.ask = ChatAsk::kGenerate});
  EXPECT_EQ(reading.answer.error().message, "status 400: " + std::string(199, 'x') + "\xc3\xa9...");
}

/// A completion of that message.
std::string message(Json message, const char* finish = "stop") {
  return Json{{"choices", {{{"message", std::move(message)}, {"finish_reason", finish}}}},
              {"usage", {{"prompt_tokens", 9}, {"completion_tokens", 2}}}}
      .dump();
}

std::string content(const char* text, const char* finish = "stop") {
  return message({{"content", text}}, finish);
}

ChatReading generated(const std::string& body, const Request& request = {}, bool thinks = false) {
  return read_chat(200, body, request, Dialect::kOpenAi, {.thinks = thinks});
}

Request stopped() {
  Request request;
  request.answer_prefix = "Verdict:";
  request.stop = {"\n"};
  request.max_tokens = 64;
  return request;
}

TEST(ReadChat, TellsAThoughtFromTheAnswer) {
  const auto reading = generated(
      content("<think>\nIt could be\nVerdict: bad\n</think>\n\nVerdict: good"), stopped(), true);
  ASSERT_TRUE(reading.answer);
  EXPECT_EQ(reading.answer->text, " good");
  EXPECT_EQ(reading.answer->note, "a thought was dropped");
  EXPECT_TRUE(reading.thought);
}

TEST(ReadChat, JoinsTheTextsOfAContentInParts) {
  const auto text = [](Json parts) {
    const auto reading = generated(message({{"content", std::move(parts)}}));
    return reading.answer ? reading.answer->text : reading.answer.error().message;
  };
  const Json good = {{"type", "text"}, {"text", "good"}};
  EXPECT_EQ(text(good), "good");
  EXPECT_EQ(text(Json::array({good, good})), "goodgood");
  EXPECT_EQ(text(Json::array({"go", "od"})), "good");
  for (const Json& thought :
       {Json{{"type", "thinking"}, {"thinking", "bad?"}},
        Json{{"type", "reasoning"}, {"text", "bad?"}}, Json{{"text", "bad?"}, {"thought", true}}}) {
    EXPECT_EQ(text(Json::array({thought, good})), "good") << thought;
    EXPECT_EQ(text(Json::array({thought})), "no answer behind a thought") << thought;
  }
}

TEST(ReadChat, BlamesThePromptForAnAnswerWithoutAText) {
  const auto why = [](const std::string& body) {
    Request request;
    request.max_tokens = 64;
    const auto reading = generated(body, request);
    EXPECT_EQ(reading.verdict, Verdict::kDone) << body;
    EXPECT_EQ(reading.answer.error().fault, Fault::kPrompt) << body;
    EXPECT_EQ(reading.generated_tokens, 2);
    return reading.answer.error().message;
  };
  const Json thought = {{"content", nullptr}, {"reasoning_content", "Hm."}};
  EXPECT_EQ(why(message(thought, "length")), "no answer: max_tokens = 64 was used up by a thought");
  EXPECT_EQ(why(message({{"content", ""}, {"reasoning", "Hm."}}, "length")),
            "no answer: max_tokens = 64 was used up by a thought");
  EXPECT_EQ(why(content("<think>\nHm", "length")),
            "no answer: max_tokens = 64 was used up by a thought");
  EXPECT_EQ(why(message({{"content", nullptr}}, "length")),
            "no answer: max_tokens = 64 was used up without a text");
  EXPECT_EQ(why(message(thought)), "no answer behind a thought");
  EXPECT_EQ(why(content("<think>Hm")), "no answer: it ended within a thought");
  EXPECT_EQ(why(message({{"content", nullptr}})),
            "no answer: the text is empty, finish_reason stop");
  EXPECT_EQ(why(content(" \n")), "no answer: the text is empty, finish_reason stop");
}

TEST(ReadChat, AsksAgainForAnAnswerThatNothingEnded) {
  const auto reading = generated(R"({"choices": [{"message": {"content": null}}]})");
  EXPECT_EQ(reading.verdict, Verdict::kRetry);
  EXPECT_EQ(generated(content("half of it", "error")).verdict, Verdict::kRetry);
}

TEST(ReadChat, FindsAStopTextThatEndedAThought) {
  EXPECT_EQ(generated(content("<think>"), stopped()).verdict, Verdict::kThinks);
  EXPECT_EQ(
      generated(message({{"content", nullptr}, {"reasoning_content", "Hm."}}), stopped()).verdict,
      Verdict::kThinks);
  EXPECT_EQ(generated(content("<think>", "length"), stopped()).verdict, Verdict::kDone);
  EXPECT_EQ(generated(content("<think>"), stopped(), true).verdict, Verdict::kDone);
  // A template may have opened it.
  EXPECT_EQ(generated(content("The words are weighed."), stopped()).verdict, Verdict::kMayThink);
  EXPECT_EQ(generated(content("good"), stopped()).verdict, Verdict::kDone);
  EXPECT_EQ(generated(content("Verdict: the words are fine"), stopped()).verdict, Verdict::kDone);
}

TEST(ReadChat, AppliesStopTextsBehindAThoughtItself) {
  EXPECT_EQ(
      Json::parse(chat_body("m", Dialect::kOpenAi, stopped(), {.thinks = true})).count("stop"), 0U);
  const auto reading = generated(
      content("<think>\nHm.\n</think>\n\nVerdict: good\nVerdict: bad", "length"), stopped(), true);
  EXPECT_EQ(reading.answer->text, " good");
  EXPECT_FALSE(reading.answer->truncated);
  EXPECT_EQ(generated(content("\nVerdict: good\nmore"), stopped(), true).answer->text, " good");
}

TEST(ReadChat, GivesAThoughtRoomBeforeAnOption) {
  const auto named = [](const std::string& body, bool thinks) {
    return read_chat(200, body, judgement(), Dialect::kOpenAi,
                     {.ask = ChatAsk::kNameOption, .thinks = thinks});
  };
  EXPECT_EQ(named(content("<think>\nHm", "length"), false).verdict, Verdict::kThinks);
  EXPECT_EQ(named(message({{"content", nullptr}}, "length"), false).verdict, Verdict::kThinks);
  EXPECT_EQ(named(content("The words are weighed", "length"), false).verdict, Verdict::kMayThink);
  EXPECT_EQ(named(content("<think>\nHm", "length"), true).answer.error().message,
            "no answer: max_tokens = 2048 was used up by a thought");
  EXPECT_EQ(named(content("<think>\nHm.</think>\nsecond", "stop"), true).answer->text, "Second");
  const Json body = Json::parse(
      chat_body("m", Dialect::kOpenAi, judgement(), {.ask = ChatAsk::kNameOption, .thinks = true}));
  EXPECT_EQ(body.at("max_tokens"), kThoughtTokens);
}

TEST(ReadChat, TellsARefusalOfThePromptFromAnOutage) {
  const auto fault = [](int status, const char* body) {
    const auto reading = read_chat(status, body, {}, Dialect::kOpenAi, {});
    EXPECT_NE(reading.verdict == Verdict::kRetry, reading.answer.error().fault == Fault::kRefused);
    return reading.answer.error().fault;
  };
  for (
      const char* refusal :
      {R"({"error": {"message": "no", "code": "context_length_exceeded"}})",
       R"([{"error": {"code": 400, "message": "The input token count (9) exceeds the maximum.", "status": "INVALID_ARGUMENT"}}])",
       R"({"object": "error", "message": "The prompt is too long", "type": "BadRequestError", "code": 400})",
       R"({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "prompt is too long: 9 tokens"}}})",
       R"({"detail": [{"type": "string_too_long", "loc": ["body", "messages", 0, "content"], "msg": "at most 9"}]})",
       R"({"error": {"message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}})",
       R"({"error": "input length exceeds the context length"})",
       "Input is too long for the model"}) {
    EXPECT_EQ(fault(400, refusal), Fault::kRefused) << refusal;
  }
  EXPECT_EQ(fault(200, R"({"error": {"message": "no", "code": "content_filter"}})"),
            Fault::kRefused);
  EXPECT_EQ(
      fault(200, R"({"choices": [{"error": {"message": "maximum context length", "code": 400}}]})"),
      Fault::kRefused);
  EXPECT_EQ(fault(503, R"({"error": {"message": "overloaded"}})"), Fault::kService);
  EXPECT_EQ(fault(200, R"({"error": {"message": "Too many requests", "code": 429}})"),
            Fault::kService);
}

TEST(ReadChat, SaysWhatAnErrorInsideAnAnswerIs) {
  const auto reading =
      read_chat(200, R"({"error": {"message": "The credits are used up.", "code": 402}})", {},
                Dialect::kOpenAi, {});
  EXPECT_EQ(reading.verdict, Verdict::kDone);
  EXPECT_EQ(reading.answer.error().message,
            "an error of code 402 inside of an answer: The credits are used up.");
}

TEST(ReadChat, FindsAnErrorInsideAnAnswerBesideItsCode) {
  const auto reading =
      read_chat(200, R"({"code": 401, "msg": "The key has run out."})", {}, Dialect::kOpenAi, {});
  EXPECT_EQ(reading.verdict, Verdict::kDone);
  EXPECT_EQ(reading.answer.error().message,
            "an error of code 401 inside of an answer: The key has run out.");
  const auto limited =
      read_chat(200, R"({"error_code": 17, "error_msg": "The day's limit is reached."})", {},
                Dialect::kOpenAi, {});
  EXPECT_EQ(limited.verdict, Verdict::kRetry);
  EXPECT_EQ(limited.answer.error().message,
            "no choices in the answer: The day's limit is reached.");
}

TEST(ReadChat, ReadsTheTextOfAnOlderCompletion) {
  EXPECT_EQ(generated(R"({"choices": [{"text": "so", "finish_reason": "stop"}]})").answer->text,
            "so");
}

TEST(ReadChat, ReadsWhenToComeBackWhereARouterRepeatsTheHeaders) {
  const auto reading = read_chat(
      429,
      R"({"error": {"message": "Slowly.", "metadata": {"headers": {"X-RateLimit-Reset": "7"}}}})",
      {}, Dialect::kOpenAi, {});
  EXPECT_EQ(reading.refusal->retry_after_s, 7.0);
}

TEST(ReadChat, TakesAFilteredAnswerForARefusal) {
  const auto filtered = generated(message({{"content", nullptr}}, "content_filter"));
  EXPECT_EQ(filtered.answer.error().fault, Fault::kRefused);
  EXPECT_EQ(filtered.verdict, Verdict::kDone);
  EXPECT_EQ(
      generated(message({{"content", nullptr}, {"refusal", "I cannot."}})).answer.error().message,
      "the model refuses: I cannot.");
  EXPECT_TRUE(generated(content("half", "content_filter")).answer->truncated);
}

TEST(ReadChat, ReadsWhatIsNearlyJson) {
  const auto text = [](std::string body) {
    const auto reading = generated(body);
    return reading.answer ? reading.answer->text : reading.answer.error().message;
  };
  EXPECT_EQ(
      text(
          R"({"choices": [{"message": {"content": "so"}, "x": [-Infinity, Infinity, NaN, 1e999]}]})"),
      "so");
  EXPECT_EQ(
      text(R"({"id": 123456789012345678901234, "choices": [{"message": {"content": "so"}}]})"),
      "so");
  EXPECT_EQ(text(R"({"choices": [{"message": {"content": "\ud83d so \ude00"}}]})"),
            "\uFFFD so \uFFFD");
  EXPECT_EQ(text(R"({"choices": [{"message": {"content": "\ud83d\ude00 \ud83d \"so\\"}}]})"),
            "\U0001F600 \uFFFD \"so\\");
  EXPECT_EQ(text("{\"choices\": [{\"message\": {\"content\": \"a\nb \xff\"}}]}"), "a\nb \uFFFD");
  EXPECT_TRUE(text("{\"choices\": [{\"message\": {\"content\": \"\\ud83d").starts_with("not JSON"));
}

TEST(ReadChat, ReadsAStreamThatWasNotAskedFor) {
  const auto reading = generated(
      ": comment\n\n"
      "data: {\"choices\": [{\"delta\": {\"role\": \"assistant\", \"content\": \"\"}}]}\n\n"
      "data: {\"choices\": [{\"delta\": {\"content\": \"so \"}, \"finish_reason\": null}]}\r\n\r\n"
      "data: {\"choices\": [{\"delta\": {\"content\": \"it is\"}, \"finish_reason\": "
      "\"length\"}]}\n\n"
      "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 7, \"completion_tokens\": 3}}\n\n"
      "data: [DONE]\n\n");
  ASSERT_TRUE(reading.answer) << reading.answer.error().message;
  EXPECT_EQ(reading.answer->text, "so it is");
  EXPECT_TRUE(reading.answer->truncated);
  EXPECT_EQ(reading.prompt_tokens, 7);
  EXPECT_EQ(reading.generated_tokens, 3);

  const auto broken = generated("data: {\"choices\": [{\"delta\": {\"content\": \"so\"}}]}\n");
  ASSERT_FALSE(broken.answer);
  EXPECT_EQ(broken.answer.error().message, "a stream that broke off");
  EXPECT_EQ(broken.verdict, Verdict::kRetry);
  const auto refused = generated("data: {\"error\": {\"message\": \"No.\", \"code\": 402}}\n");
  ASSERT_FALSE(refused.answer);
  EXPECT_EQ(refused.answer.error().message, "an error of code 402 inside of an answer: No.");
}

TEST(ReadChat, SaysInWordsWhatIsNoAnswer) {
  const auto why = [](int status, const std::string& body) {
    const auto reading = read_chat(status, body, {}, Dialect::kOpenAi, {});
    return reading.answer ? "answered" : reading.answer.error().message;
  };
  EXPECT_EQ(why(400, R"({"object": "error", "code": 1, "more": {"reason": "It is late."}})"),
            "status 400: It is late.");
  EXPECT_EQ(why(400, R"({"a": 1, "b": []})"), "status 400: no words, only the fields a, b");
  EXPECT_EQ(why(502, "<html><head><title>Bad gateway</title></head></html>"),
            "status 502: Bad gateway");
  EXPECT_EQ(why(422, R"({"detail": [{"loc": ["body", "seed"], "msg": "Not permitted"}]})"),
            "status 422: Not permitted (body.seed)");
  EXPECT_EQ(why(400, R"({"message": "OpenAIException - {\"error\": {\"message\": \"Too odd\"}}"})"),
            "status 400: OpenAIException - Too odd");
  EXPECT_EQ(why(200, R"({"id": "c", "choices": []})"),
            "no choices in the answer: no words, only the fields id, choices");
  EXPECT_EQ(why(200, R"({"choices": [{"mess)"), "not JSON: JSON that breaks off, of 19 bytes");
}

TEST(ReadChat, TakesNoLogprobThatIsNone) {
  const std::string body = R"({"choices": [{"message": {"content": "x"}, "logprobs": {"content": [
      {"top_logprobs": [{"token": "First", "logprob": 0.0947}, {"token": "Second", "logprob": null},
                        {"token": "Second", "logprob": -Infinity}]}]}}]})";
  const auto reading =
      read_chat(200, body, judgement(), Dialect::kOpenAi, {.ask = ChatAsk::kLogprobs});
  ASSERT_TRUE(reading.answer) << reading.answer.error().message;
  EXPECT_EQ(reading.answer->option_logprobs, (std::vector<double>{0, -1}));
  EXPECT_FALSE(reading.answer->named);
}

TEST(ReadChat, NamesAnOptionHoweverItIsSpelt) {
  const auto named = [](const char* text, std::vector<std::string> options) {
    Request request;
    request.options = std::move(options);
    const auto reading =
        read_chat(200, content(text), request, Dialect::kOpenAi, {.ask = ChatAsk::kNameOption});
    EXPECT_EQ(reading.answer ? reading.answer->named : false, reading.answer ? true : false);
    return reading.answer ? reading.answer->text : "none";
  };
  EXPECT_EQ(named("Good.", {"good", "bad"}), "good");
  EXPECT_EQ(named("GOOD", {" good", " bad"}), " good");
  EXPECT_EQ(named("US", {"us", "US"}), "US");
  EXPECT_EQ(named("Us", {"us", "US"}), "none");
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

TEST(ScoreOptions, AddsUpTheSpellingsOfAnOption) {
  const auto scores = score_options({{"Good", std::log(0.5)},
                                     {" good", std::log(0.125)},
                                     {"\"GOOD\"", std::log(0.0625)},
                                     {"good.", std::log(0.0625)},
                                     {"Bad", std::log(0.125)}},
                                    {"good", "bad"});
  ASSERT_TRUE(scores);
  EXPECT_NEAR(scores->logprobs[0], std::log(0.75), 1e-12);
  EXPECT_NEAR(scores->logprobs[1], std::log(0.125), 1e-12);
}

TEST(ScoreOptions, KeepsApartOptionsThatDifferInCapitalsAlone) {
  const auto scores = score_options({{"US", std::log(0.6)}, {"us", std::log(0.3)}}, {"us", "US"});
  ASSERT_TRUE(scores);
  EXPECT_NEAR(scores->logprobs[0], std::log(0.3), 1e-12);
  EXPECT_NEAR(scores->logprobs[1], std::log(0.6), 1e-12);
}

TEST(ScoreOptions, ScoresNothingFromTheTail) {
  const auto scores = score_options(
      {{"The", std::log(0.9)}, {"good", std::log(0.01)}, {"bad", std::log(0.02)}}, {"good", "bad"});
  ASSERT_FALSE(scores);
  EXPECT_EQ(scores.error().message, "the options hold 0.03 of the 0.93 that is listed");
}

TEST(ScoreOptions, TellsApartByLongerTokensOnlyWhereTheyDecide) {
  const std::vector<std::string> options = {"positive", "possible"};
  const auto decided = score_options(
      {{"positive", std::log(0.7)}, {"pos", std::log(0.1)}, {"possible", std::log(0.1)}}, options);
  ASSERT_TRUE(decided);
  EXPECT_GT(decided->logprobs[0], decided->logprobs[1]);
  const auto open = score_options(
      {{"positive", std::log(0.4)}, {"pos", std::log(0.3)}, {"possible", std::log(0.2)}}, options);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().message, "several options begin with the same token");
  // A number that another begins with is the whole of neither.
  EXPECT_FALSE(score_options({{"1", std::log(0.9)}}, {"1", "10"}));
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
  const auto reading = read_chat(200, body, {}, Dialect::kOpenAi, {.ask = ChatAsk::kGenerate});
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
        const auto reading = read_chat(status, damaged, request, Dialect::kOpenAi, {.ask = ask});
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
