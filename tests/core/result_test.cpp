#include "core/result.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

TEST(Result, HoldsAValueOrTheErrorInItsPlace) {
  const Result<int> good = 3;
  const Result<int> bad = Error{Fault::kPrompt, "no answer"};
  EXPECT_TRUE(good);
  EXPECT_EQ(*good, 3);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().fault, Fault::kPrompt);
  EXPECT_EQ(bad.error().message, "no answer");
}

TEST(Require, NamesTheBrokenInvariant) {
  EXPECT_NO_THROW(require(true, "x"));
  try {
    require(false, "every row has an id");
    FAIL();
  } catch (const std::logic_error& e) {
    EXPECT_STREQ(e.what(), "broken invariant: every row has an id");
  }
}

}  // namespace
}  // namespace theta
