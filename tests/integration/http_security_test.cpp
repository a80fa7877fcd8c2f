// Keys, addresses and certificates.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "core/models/http/model.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/message_of.hpp"

namespace theta::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Why no model can be made of the options.
std::string refusal(const HttpOptions& options) {
  return message_of<UserError>([&] { HttpModel model(options); });
}

TEST(HttpModel, NamesTheVariableOfARefusedKey) {
  const LoopbackServer server([](const Seen&) { return Reply{401, "bad key", {}, {}, {}}; });
  ::setenv("THETA_TEST_KEY", kKey, 1);
  auto options = options_for(server.url());
  options.api_key_env = "THETA_TEST_KEY";
  HttpModel model(options);
  ::unsetenv("THETA_TEST_KEY");
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            server.url() +
                ": status 401: bad key; check the key in environment variable "
                "THETA_TEST_KEY");
}

TEST(HttpModel, RefusesAKeyThatCannotBeRead) {
  auto options = options_for("http://127.0.0.1:1/v1");
  options.api_key_env = "THETA_TEST_NO_SUCH_KEY";
  EXPECT_EQ(refusal(options),
            "environment variable THETA_TEST_NO_SUCH_KEY (api_key_env) is not set");
}

TEST(HttpModel, RefusesAMalformedAddress) {
  for (const char* url : {"ftp://host/v1", "http://", "http://host:0/v1", "http://host:port/v1",
                          "http://host:99999/", "http://host/v1#here", "http://ho st/v1"}) {
    EXPECT_EQ(refusal(options_for(url)), "base_url '" + std::string(url) +
                                             "' is not of the form http://host:port/path or "
                                             "https://host/path");
  }
}

TEST(HttpModel, SaysWhatToWriteInPlaceOfAnAddressThatIsNearlyOne) {
  const std::vector<std::pair<std::string, std::string>> written = {
      {"127.0.0.1:8000/v1", "names no scheme: write http://127.0.0.1:8000/v1"},
      {"localhost/v1", "names no scheme: write http://localhost/v1"},
      {"api.host.org/v1", "names no scheme: write https://api.host.org/v1"},
      {"http:/host/v1", "names no scheme: write http://host/v1"},
      {"HTTPS://host/v1", "has its scheme in capitals: write https://host/v1"},
      {" http://host/v1", "has spaces around it: write http://host/v1"},
      {"ws://host/v1", "is not spoken to by HTTP: write http://host/v1"},
      {"http://host/v1/chat/completions", "goes on to an endpoint: write http://host/v1"},
      {"http://host/v1/completions/", "goes on to an endpoint: write http://host/v1"}};
  for (const auto& [url, what] : written)
    EXPECT_EQ(refusal(options_for(url)), "base_url '" + url + "' " + what);
}

TEST(HttpModel, NeverRepeatsAKeyWrittenIntoTheAddress) {
  EXPECT_EQ(refusal(options_for(std::string("https://me:") + kKey + "@host/v1")),
            "base_url holds a user or a key; put the key where api_key_env or api_key_file "
            "name it");
  EXPECT_EQ(refusal(options_for(std::string("https://host/v1?key=") + kKey)),
            "base_url 'https://host/v1?..' holds a query: write https://host/v1 and put it under "
            "'query: {key: ..}'");
}

TEST(HttpModel, NeverLetsTheKeyOutOfTheHeader) {
  // The server repeats the key as it came, escaped in JSON and once more, across the excerpt's end,
  // and as text.
  std::vector<Reply> replies = {
      {401, std::string("bad key ") + kKey, {}, {}, {}},
      {401, R"({"error": {"message": "bad key sk-secret\/0123456789"}})", {}, {}, {}},
      {401, R"({"error": {"message": "{\"message\": \"sk-secret\\\/0123456789\"}"}})", {}, {}, {}},
      {400, std::string(190, 'x') + kKey, {}, {}, {}},
      {400,
       R"({"message": ")" + std::string(190, 'x') + R"(sk-secret\u002F0123456789"})",
       {},
       {},
       {}},
      {200, std::string("<html>") + kKey, {}, {}, {}},
      chat(kKey),
      chat(std::string("your key is ") + kKey + ", " + kKey)};
  replies.push_back(replies[6]);
  replies.back().body.replace(replies.back().body.find('/'), 1, "\\u002f");
  const KeyFile key;
  for (const auto& reply : replies) {
    const LoopbackServer server([&](const Seen& seen) {
      EXPECT_EQ(seen.authorization, std::string("Bearer ") + kKey);
      return reply;
    });
    auto options = options_for(server.url());
    options.api_key_file = key.path();
    options.retries = 0;
    HttpModel model(options);
    const auto answer = ask_one(model, question("hello"));
    EXPECT_THAT(failure(answer),
                AllOf(Not(HasSubstr("0123456789")), Not(HasSubstr("sk-sec")), HasSubstr("[key]")));
    EXPECT_THAT(model.identity(), Not(HasSubstr("sk-sec")));
  }
}

TEST(HttpModel, LeavesTheLettersOfAShortKeyInAnswers) {
  const LoopbackServer server([](const Seen&) { return chat("none of the \\ nones"); });
  ::setenv("THETA_TEST_KEY", "none", 1);
  auto options = options_for(server.url());
  options.api_key_env = "THETA_TEST_KEY";
  HttpModel model(options);
  ::unsetenv("THETA_TEST_KEY");
  EXPECT_EQ(ask_one(model, question("hello"))->text, "none of the \\ nones");
}

TEST(HttpModel, SpeaksTlsToACertifiedServer) {
  const Certificate certificate("127.0.0.1");
  const LoopbackServer server(echo, &certificate);
  auto options = options_for(server.url());
  options.ca_file = certificate.authority();
  HttpModel model(options);
  const auto wave = questions(50);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_LE(server.connections(), 8U);
}

TEST(HttpModel, RefusesACertificateForAnotherHost) {
  const Certificate certificate("example.org");
  const LoopbackServer server(echo, &certificate);
  auto options = options_for(server.url());
  options.ca_file = certificate.authority();
  HttpModel model(options);
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            server.url() +
                ": its certificate is refused: IP address mismatch; name the authority "
                "that signed it in ca_file if it is your own");
  EXPECT_EQ(server.requests(), 0U);
}

TEST(HttpModel, ChecksTheHostNameOfACertificate) {
  const Certificate certificate("localhost");
  const LoopbackServer server(echo, &certificate);
  auto options = options_for("https://localhost:" + std::to_string(server.port()) + "/v1");
  options.ca_file = certificate.authority();
  HttpModel model(options);
  EXPECT_TRUE(ask_one(model, question("hello")));
}

TEST(HttpModel, RefusesACertificateOfAnUnknownAuthority) {
  const Certificate certificate("127.0.0.1");
  const LoopbackServer server(echo, &certificate);
  HttpModel model(options_for(server.url()));
  EXPECT_THAT(failure(ask_one(model, question("hello"))),
              StartsWith(server.url() + ": its certificate is refused: "));
  EXPECT_EQ(server.requests(), 0U);
}

TEST(HttpModel, RefusesAnAuthorityFileThatIsNone) {
  auto options = options_for("https://127.0.0.1:1/v1");
  options.ca_file = "/dev/null";
  EXPECT_THAT(refusal(options),
              StartsWith("ca_file '/dev/null' holds no authorities in PEM form: "));
}

}  // namespace
}  // namespace theta::test
