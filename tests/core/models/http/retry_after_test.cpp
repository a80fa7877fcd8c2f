#include "core/models/http/retry_after.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace theta {
namespace {

TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(retry_after_seconds("0", 0), 0.0);
  EXPECT_EQ(retry_after_seconds("120", 0), 120.0);
  EXPECT_EQ(retry_after_seconds("1.5", 0), 1.5);
  EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 30), 30.0);
  EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 30), 0.0);
  for (const char* bad : {"", "-1", "soon", "inf", "nan", "1e999", "12 s", "Sun, 06 Nov 1994"}) {
    EXPECT_EQ(retry_after_seconds(bad, 0), std::nullopt) << bad;
  }
}

TEST(RetryAfter, ReadsEveryFormOfADate) {
  for (const char* date :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 09:49:37 +0100", "1994-11-06T08:49:37Z", "1994-11-06T08:49:37.123Z",
        "1994-11-06T03:49:37-05:00", "1994-11-06 08:49:37"}) {
    EXPECT_EQ(retry_after_seconds(date, 784111777 - 30), 30.0) << date;
  }
  EXPECT_EQ(retry_after_seconds("1784111777", 1784111747), 30.0);
  EXPECT_EQ(retry_after_seconds("1784111777500", 1784111777), 0.5);
}

TEST(RetryAfter, ReadsSpansOfTime) {
  EXPECT_EQ(duration_seconds("1.5s"), 1.5);
  EXPECT_EQ(duration_seconds("250ms"), 0.25);
  EXPECT_EQ(duration_seconds("6m0s"), 360.0);
  EXPECT_EQ(duration_seconds("1h2m3.5s"), 3723.5);
  EXPECT_EQ(duration_seconds("7"), 7.0);
  for (const char* bad : {"", "s", "1x", "1m2", "-1s"})
    EXPECT_EQ(duration_seconds(bad), std::nullopt) << bad;
}

TEST(RetryAfter, IsFoundInWords) {
  EXPECT_EQ(told_delay("Rate limit reached. Please try again in 1.5s. Visit the page."), 1.5);
  EXPECT_EQ(told_delay("Please try again in 6m0s."), 360.0);
  EXPECT_EQ(told_delay("Please retry after 20 seconds."), 20.0);
  EXPECT_EQ(told_delay("Retry in 3 minutes"), 180.0);
  EXPECT_EQ(told_delay("Try again in 20ms"), 0.02);
  EXPECT_EQ(told_delay("Try again later"), std::nullopt);
  EXPECT_EQ(told_delay("Too many requests."), std::nullopt);
}

std::optional<double> waits(const std::map<std::string, std::string, std::less<>>& headers,
                            double now_s = 0) {
  return told_wait(
      [&](std::string_view name) -> std::string_view {
        const auto found = headers.find(name);
        return found == headers.end() ? "" : std::string_view(found->second);
      },
      now_s);
}

TEST(RetryAfter, IsToldByWhicheverHeaderThereIs) {
  EXPECT_EQ(waits({}), std::nullopt);
  EXPECT_EQ(waits({{"retry-after", "2"}}), 2.0);
  EXPECT_EQ(waits({{"retry-after-ms", "1500"}, {"retry-after", "2"}}), 1.5);
  EXPECT_EQ(waits({{"x-ms-retry-after-ms", "20"}}), 0.02);
  EXPECT_EQ(waits({{"x-ratelimit-reset-requests", "1.5s"}}), 1.5);
  EXPECT_EQ(waits({{"anthropic-ratelimit-requests-reset", "1994-11-06T08:49:37Z"}}, 784111776),
            1.0);
  EXPECT_EQ(waits({{"x-ratelimit-reset", "1784111777500"}}, 1784111777), 0.5);
  EXPECT_EQ(waits({{"ratelimit-reset", "30"}}), 30.0);
}

TEST(RetryAfter, IsToldByTheLimitsOfOneHeader) {
  EXPECT_EQ(waits({{"ratelimit", "\"default\";r=0;t=20"}}), 20.0);
  EXPECT_EQ(waits({{"ratelimit", "\"day\";r=900;t=4000, \"minute\";r=0;t=20"}}), 20.0);
  EXPECT_EQ(waits({{"ratelimit", "limit=60, remaining=0, reset=20"}}), 20.0);
  EXPECT_EQ(waits({{"ratelimit", "none"}}), std::nullopt);
}

TEST(RetryAfter, IsOfTheLimitThatIsUsedUp) {
  EXPECT_EQ(waits({{"x-ratelimit-remaining-requests", "14000"},
                   {"x-ratelimit-reset-requests", "23h"},
                   {"x-ratelimit-remaining-tokens", "0"},
                   {"x-ratelimit-reset-tokens", "7s"}}),
            7.0);
  EXPECT_EQ(waits({{"x-ratelimit-limit-requests", "15000"},
                   {"x-ratelimit-remaining-requests", "14000"},
                   {"x-ratelimit-reset-requests", "23h"},
                   {"x-ratelimit-limit-tokens", "6000"},
                   {"x-ratelimit-remaining-tokens", "40"},
                   {"x-ratelimit-reset-tokens", "7s"}}),
            7.0);
  EXPECT_EQ(waits({{"x-ratelimit-remaining-requests", "0"},
                   {"x-ratelimit-reset-requests", "9s"},
                   {"x-ratelimit-remaining-tokens", "0"},
                   {"x-ratelimit-reset-tokens", "7s"}}),
            9.0);
}

}  // namespace
}  // namespace theta
