// Proxies, redirects, headers, compression.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/models/http/model.hpp"
#include "tests/support/deflated.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"

namespace theta::test {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

/// An environment variable, for as long as this lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_); }

 private:
  const char* const name_;
};

TEST(HttpModel, AsksAProxyForTheWholeAddress) {
  std::vector<std::string> asked, hosts;
  const LoopbackServer proxy([&](const Seen& seen) {
    asked.push_back(seen.path);
    hosts.push_back(seen.header("Host"));
    EXPECT_EQ(seen.header("Proxy-Authorization"), "Basic bWU6c2VjcmV0");
    return echo(seen);
  });
  const Variable named("HTTP_PROXY", "http://me:secret@127.0.0.1:" + std::to_string(proxy.port()));
  HttpModel model(options_for("http://model.test/v1"));
  const auto wave = questions(3);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_THAT(asked, Each("http://model.test/v1/chat/completions"));
  EXPECT_THAT(hosts, Each("model.test"));
}

TEST(HttpModel, SaysThroughWhichProxyItFailed) {
  const Variable named("http_proxy", "127.0.0.1:1");
  auto options = options_for("http://model.test/v1");
  options.retries = 0;
  HttpModel model(options);
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            "http://model.test/v1: cannot connect: Connection refused, through the proxy "
            "127.0.0.1:1 (http_proxy)");
}

TEST(HttpModel, HasAProxyOpenAWayForTls) {
  std::vector<std::string> asked;
  const LoopbackServer proxy([&](const Seen& seen) {
    asked.push_back(seen.method + " " + seen.path + " for " + seen.header("Host"));
    return Reply{407, "", {}, {}, {}};
  });
  const Variable named("HTTPS_PROXY", "127.0.0.1:" + std::to_string(proxy.port()));
  auto options = options_for("https://model.test/v1");
  options.retries = 0;
  HttpModel model(options);
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            "https://model.test/v1: the proxy 127.0.0.1:" + std::to_string(proxy.port()) +
                " (HTTPS_PROXY) opens no way to model.test:443: HTTP/1.1 407 "
                "Status; put its user and password into HTTPS_PROXY");
  EXPECT_THAT(asked, ElementsAre("CONNECT model.test:443 for model.test:443"));
}

TEST(HttpModel, FollowsARedirectOnItsServer) {
  std::vector<std::string> asked;
  const LoopbackServer server([&](const Seen& seen) {
    asked.push_back(seen.path);
    if (seen.path.starts_with("/v1/"))
      return Reply{308, "", {{"Location", "/moved" + seen.path}}, {}, {}};
    return echo(seen);
  });
  auto options = options_for(server.url());
  options.in_flight = 1;
  HttpModel model(options);
  const auto wave = questions(2);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_THAT(asked, ElementsAre("/v1/chat/completions", "/moved/v1/chat/completions",
                                 "/moved/v1/chat/completions"));
}

TEST(HttpModel, NamesARedirectToAnotherServerAndSendsItNothing) {
  const LoopbackServer other(echo);
  const LoopbackServer server([&](const Seen&) {
    return Reply{307, "", {{"Location", other.url() + "/chat/completions?token=t"}}, {}, {}};
  });
  const KeyFile key;
  auto options = options_for(server.url());
  options.api_key_file = key.path();
  HttpModel model(options);
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            server.url() + ": status 307: it redirects to " + other.url() +
                "/chat/completions, where no key of 127.0.0.1:" + std::to_string(server.port()) +
                " is sent: write base_url: " + other.url() + " if that is the server");
  EXPECT_EQ(other.connections(), 0U);
}

TEST(HttpModel, GivesUpARedirectThatLeadsInACircle) {
  const LoopbackServer server([&](const Seen& seen) {
    return Reply{302, "", {{"Location", seen.path == "/a" ? "/b" : "/a"}}, {}, {}};
  });
  HttpModel model(options_for(server.url()));
  EXPECT_THAT(failure(ask_one(model, question("hello"))), HasSubstr("status 302"));
  EXPECT_EQ(server.requests(), 6U);
}

TEST(HttpModel, SendsHeadersAndAQueryAndRepeatsNoSecret) {
  constexpr const char* kSecret = "key-31415926535";
  const LoopbackServer server([&](const Seen& seen) {
    EXPECT_EQ(seen.path, "/v1/chat/completions?api-version=2024-10-01&route=a%20b%26c");
    EXPECT_EQ(seen.header("api-key"), kSecret);
    EXPECT_EQ(seen.header("user-agent"), "mine");
    return Reply{401, "no: " + seen.header("api-key"), {}, {}, {}};
  });
  auto options = options_for(server.url());
  options.headers = {{"api-key", Written{"${SECRET}", kSecret, {kSecret}}},
                     {"user-agent", Written{"mine", "mine"}}};
  options.query = {{"api-version", Written{"2024-10-01", "2024-10-01"}},
                   {"route", Written{"a b&c", "a b&c"}}};
  HttpModel model(options);
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            server.url() + ": status 401: no: [key]; check the key in header api-key: ${SECRET}");
}

TEST(HttpModel, ReadsACompressedAnswer) {
  const LoopbackServer server([](const Seen& seen) {
    Reply reply = echo(seen);
    return Reply{200, deflated(reply.body, 15 + 16), {{"Content-Encoding", "gzip"}}, {}, {}};
  });
  HttpModel model(options_for(server.url()));
  const auto wave = questions(3);
  expect_echoes(wave, ask_all(model, wave));
}

TEST(HttpModel, NamesACompressionThatItCannotRead) {
  const LoopbackServer server([](const Seen&) {
    return Reply{200, "?", {{"Content-Encoding", "br"}}, {}, {}};
  });
  HttpModel model(options_for(server.url()));
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            server.url() + ": an answer compressed by br cannot be read: it was not asked for");
  EXPECT_EQ(server.requests(), 1U);
}

TEST(HttpModel, SaysThatAServerSpeaksPlainHttp) {
  const LoopbackServer server(echo);
  auto options = options_for("https" + server.url().substr(4));
  options.retries = 0;
  HttpModel model(options);
  EXPECT_THAT(failure(ask_one(model, question("hello"))), HasSubstr("TLS handshake failed: "));
  EXPECT_THAT(failure(ask_one(model, question("hello"))),
              HasSubstr("the server may speak plain HTTP: write http:// in base_url"));
}

}  // namespace
}  // namespace theta::test
