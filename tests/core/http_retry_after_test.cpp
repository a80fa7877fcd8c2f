#include "core/http_retry_after.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(retry_after_seconds("0", 0), 0.0);
  EXPECT_EQ(retry_after_seconds("120", 0), 120.0);
  EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 30), 30.0);
  EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 30), 0.0);
  for (const char* bad : {"", "-1", "soon", "inf", "nan", "1e999", "12 s", "Sun, 06 Nov 1994"}) {
    EXPECT_EQ(retry_after_seconds(bad, 0), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace theta
