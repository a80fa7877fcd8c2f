#include "experiments/view/server.hpp"

#include <gtest/gtest.h>

#include "core/result.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/message_of.hpp"

namespace theta::view {
namespace {

TEST(ViewTarget, IsReadBehindItsToken) {
  PageRequest asked;
  ASSERT_TRUE(read_target("/secret/items?run=a%2Fb+c&text=%3Cb%3E&only=", "secret", asked));
  EXPECT_EQ(asked.page, "items");
  EXPECT_EQ(asked["run"], "a/b c");
  EXPECT_EQ(asked["text"], "<b>");
  EXPECT_EQ(asked["only"], "");
  EXPECT_EQ(asked["missing"], "");
}

TEST(ViewTarget, IsRefusedWithoutItsTokenOrWhereItIsMalformed) {
  PageRequest asked;
  for (const char* target : {"/", "/secre/", "/secret", "/secretx", "/Secret/", "secret/", "",
                             "/secret/items?a=%4", "/secret/items?a=%zz", "//secret/"})
    EXPECT_FALSE(read_target(target, "secret", asked)) << target;
}

TEST(ViewHost, IsThisMachinesOwnName) {
  EXPECT_TRUE(is_own_host("127.0.0.1:8080", 8080));
  EXPECT_TRUE(is_own_host("localhost:8080", 8080));
  for (const char* host : {"127.0.0.1", "127.0.0.1:81", "evil.example:8080", "localhost.evil:8080",
                           "", "127.0.0.1:8080.evil"})
    EXPECT_FALSE(is_own_host(host, 8080)) << host;
}

TEST(ViewServer, SaysThatAPortIsTaken) {
  const test::LoopbackServer other([](const test::Seen&) { return test::Reply{}; });
  EXPECT_EQ(message_of<UserError>([&] { Server(other.port(), {}); }),
            "port " + std::to_string(other.port()) +
                " cannot be served on (Address already in use): give another --port, or none for "
                "any that is free");
}

TEST(ViewServer, HasATokenOfItsOwn) {
  const Server first(0, {}), second(0, {});
  const auto token = [](const std::string& url) {
    return url.substr(url.rfind('/', url.size() - 2));
  };
  EXPECT_EQ(token(first.url()).size(), 34U);
  EXPECT_NE(token(first.url()), token(second.url()));
}

}  // namespace
}  // namespace theta::view
