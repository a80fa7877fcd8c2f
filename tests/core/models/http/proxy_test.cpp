#include "core/models/http/proxy.hpp"

#include <gtest/gtest.h>

#include <map>

#include "core/result.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

std::optional<HttpProxy> found(const std::string& server,
                               const std::map<std::string, std::string>& environment) {
  return proxy_for(parse_url(server), [&](const char* name) {
    const auto variable = environment.find(name);
    return variable == environment.end() ? "" : variable->second;
  });
}

std::string shown(const std::string& server,
                  const std::map<std::string, std::string>& environment) {
  const auto proxy = found(server, environment);
  return proxy ? proxy->shown() : "none";
}

TEST(HttpProxy, IsNamedForEachScheme) {
  const std::map<std::string, std::string> both = {{"HTTP_PROXY", "http://a:3128"},
                                                   {"https_proxy", "b:8080"}};
  EXPECT_EQ(shown("http://model.test/v1", both), "a:3128 (HTTP_PROXY)");
  EXPECT_EQ(shown("https://model.test/v1", both), "b:8080 (https_proxy)");
  EXPECT_EQ(shown("http://model.test/v1", {{"ALL_PROXY", "http://c"}}), "c:80 (ALL_PROXY)");
  EXPECT_EQ(shown("http://model.test/v1", {{"http_proxy", "d:1"}, {"HTTP_PROXY", "e:2"}}),
            "d:1 (http_proxy)");
  EXPECT_EQ(shown("http://model.test/v1", {{"HTTP_PROXY", ""}}), "none");
  EXPECT_EQ(shown("https://model.test/v1", {{"HTTP_PROXY", "a:1"}}), "none");
}

TEST(HttpProxy, IsNotUsedForThisMachine) {
  for (const char* server : {"http://localhost:8000/v1", "http://127.0.0.1/v1", "http://[::1]/v1"})
    EXPECT_EQ(shown(server, {{"HTTP_PROXY", "a:1"}}), "none") << server;
}

TEST(HttpProxy, IsNotUsedForWhatNoProxyLists) {
  const auto excepted = [](const std::string& server, const std::string& list) {
    return shown(server, {{"HTTP_PROXY", "a:1"}, {"NO_PROXY", list}}) == "none";
  };
  for (const char* list :
       {"*", "model.test", ".test", "*.test", "MODEL.TEST", "x, model.test", "x,,model.test:80"})
    EXPECT_TRUE(excepted("http://model.test/v1", list)) << list;
  for (const char* list : {"other.test", "el.test", "model.test:8080", "model", "test.model.test"})
    EXPECT_FALSE(excepted("http://model.test/v1", list)) << list;
  for (const char* list : {"10.1.2.3", "10.0.0.0/8", "10.1.2.0/24", "10.1.2.3:80"})
    EXPECT_TRUE(excepted("http://10.1.2.3/v1", list)) << list;
  for (const char* list : {"10.1.2.4", "11.0.0.0/8", "10.1.3.0/24", "10.1.2.3/33"})
    EXPECT_FALSE(excepted("http://10.1.2.3/v1", list)) << list;
  EXPECT_TRUE(excepted("http://[fd00::1]/v1", "fd00::/8"));
  EXPECT_TRUE(excepted("http://[fd00::1]/v1", "[fd00::1]"));
}

TEST(HttpProxy, IsShownItsUser) {
  const auto proxy = found("http://model.test", {{"HTTP_PROXY", "http://me:se%40cret@a:1/"}});
  ASSERT_TRUE(proxy);
  EXPECT_EQ(proxy->authorization, "Basic bWU6c2VAY3JldA==");
  EXPECT_EQ(proxy->shown(), "a:1 (HTTP_PROXY)");
}

TEST(HttpProxy, IsRefusedWhereItIsOfAnotherKind) {
  EXPECT_EQ(message_of<UserError>([] {
              return shown("http://m.test", {{"ALL_PROXY", "socks5://me:key@a:1"}});
            }),
            "environment variable ALL_PROXY names a proxy that is spoken to by socks5: only "
            "http://host:port is known");
  EXPECT_EQ(message_of<UserError>([] {
              return shown("http://m.test", {{"HTTP_PROXY", "http://a:port"}});
            }),
            "environment variable HTTP_PROXY is not of the form http://host:port");
}

TEST(Redirect, IsFollowedOnTheServerAlone) {
  const Url server = parse_url("http://host:81/v1");
  const auto to = [&](const char* location) {
    const auto redirect = redirect_to(server, "/v1/chat/completions", location);
    return redirect ? std::string(redirect->same_server ? "here " : "elsewhere ") +
                          redirect->target + " " + redirect->shown
                    : "nowhere";
  };
  EXPECT_EQ(to("/v2/chat"), "here /v2/chat http://host:81/v2/chat");
  EXPECT_EQ(to("other?a=b"), "here /v1/chat/other?a=b http://host:81/v1/chat/other");
  EXPECT_EQ(to("http://HOST:81/v2"), "here /v2 http://HOST:81/v2");
  EXPECT_EQ(to("//host:81/v2"), "here /v2 http://host:81/v2");
  EXPECT_EQ(to("http://host:82/v2"), "elsewhere /v2 http://host:82/v2");
  EXPECT_EQ(to("http://host.evil.test:81/v2?key=k"),
            "elsewhere /v2?key=k http://host.evil.test:81/v2");
  EXPECT_EQ(to("https://host:81/v2"), "elsewhere /v2 https://host:81/v2");
  EXPECT_EQ(to("http://host:81@evil.test/v2"), "elsewhere /v2 an address with a user in it");
  EXPECT_EQ(to(""), "nowhere");
  EXPECT_EQ(to("/a b"), "nowhere");
}

}  // namespace
}  // namespace theta
