#include "experiments/http_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "core/result.hpp"
#include "experiments/models.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

HttpOptions read(const std::string& more) {
  return read_http(
      Config::parse("{base_url: 'http://localhost:1/v1', model: small, " + more + "}", "m.yaml"));
}

std::string why_not(const std::string& more) {
  return message_of<UserError>([&] { (void)read(more); });
}

TEST(HttpConfig, ReadsWhatIsAddedRenamedAndDropped) {
  const auto options = read(
      "parameters: {max_tokens: {rename: max_completion_tokens}, stop: null, seed: ~, min_p: 0.05, "
      "reasoning_effort: low, chat_template_kwargs: {enable_thinking: false}, top_k: 40}");
  ASSERT_EQ(options.parameters.size(), 7U);
  EXPECT_EQ(options.parameters[0],
            (FieldForm{.name = "max_tokens", .sent_as = "max_completion_tokens"}));
  EXPECT_EQ(options.parameters[1], (FieldForm{.name = "stop", .dropped = true}));
  EXPECT_EQ(options.parameters[2], (FieldForm{.name = "seed", .dropped = true}));
  EXPECT_EQ(options.parameters[3].json->sent, "0.05");
  EXPECT_EQ(options.parameters[4].json->sent, "\"low\"");
  EXPECT_EQ(options.parameters[5].json->sent, R"({"enable_thinking":false})");
  EXPECT_EQ(options.parameters[6].json->sent, "40");
}

TEST(HttpConfig, KeepsWhatAVariableHoldsApart) {
  ::setenv("THETA_TEST_HEADER", "abc", 1);
  const auto options = read(
      "headers: {Authorization: 'Bearer ${THETA_TEST_HEADER}', X-Route: eu}, "
      "query: {api-version: '2024-10-01', code: '${THETA_TEST_HEADER}'}, "
      "parameters: {user: {id: '${THETA_TEST_HEADER}'}}");
  ::unsetenv("THETA_TEST_HEADER");
  ASSERT_EQ(options.headers.size(), 2U);
  EXPECT_EQ(options.headers[0].second,
            (Written{"Bearer ${THETA_TEST_HEADER}", "Bearer abc", {"abc"}}));
  EXPECT_EQ(options.headers[1].second, (Written{"eu", "eu"}));
  EXPECT_EQ(options.query[1].second, (Written{"${THETA_TEST_HEADER}", "abc", {"abc"}}));
  EXPECT_EQ(*options.parameters[0].json,
            (Written{R"({"id":"${THETA_TEST_HEADER}"})", R"({"id":"abc"})", {"abc"}}));
}

TEST(HttpConfig, SaysWhatIsWrong) {
  EXPECT_EQ(why_not("parameters: {messages: []}"),
            "m.yaml:1:74: 'messages' is no parameter: Theta itself sets it");
  EXPECT_EQ(why_not("parameters: {stop: {rename: ''}}"),
            "m.yaml:1:79: 'rename' is empty: name the other field");
  EXPECT_EQ(why_not("headers: {'a b': c}"), "m.yaml:1:68: 'a b' is no name of a header");
  EXPECT_EQ(why_not("headers: {Host: c}"),
            "m.yaml:1:67: 'Host' is set by Theta itself: take it out");
  EXPECT_EQ(why_not("headers: {a: \"b\\nc\"}"),
            "m.yaml:1:64: header 'a' holds more than printable ASCII");
  EXPECT_EQ(why_not("headers: {a: '${THETA_TEST_NO_SUCH}'}"),
            "m.yaml:1:64: environment variable THETA_TEST_NO_SUCH is not set (write "
            "${THETA_TEST_NO_SUCH:-default} to give a default)");
}

}  // namespace
}  // namespace theta
