#include "core/inflate.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/deflated.hpp"

namespace theta {
namespace {

TEST(Inflate, ReadsGzipAndBothSortsOfDeflate) {
  std::string text;
  for (int i = 0; i < 50000; ++i) text += std::to_string(i);
  for (const int window : {15 + 16, 15, -15}) {
    const auto out = inflated(deflated(text, window), text.size());
    ASSERT_TRUE(out) << window;
    EXPECT_EQ(*out, text);
  }
}

TEST(Inflate, SaysWhatIsWrong) {
  const std::string whole = deflated("hello, hello, hello", 15 + 16);
  const auto why = [](const std::string& compressed, std::size_t most = 1000) {
    const auto out = inflated(compressed, most);
    return out ? "read: " + *out : out.error().message;
  };
  EXPECT_EQ(why(whole.substr(0, whole.size() - 9)), "the compressed answer breaks off");
  EXPECT_EQ(why("{\"plain\": 1}"), "the compressed answer is damaged");
  EXPECT_EQ(why(whole, 10), "more than 10 bytes");
  EXPECT_EQ(why(""), "the compressed answer breaks off");
}

TEST(Inflate, StopsABombBeforeItFillsTheMemory) {
  const auto out = inflated(deflated(std::string(10'000'000, 'x'), 15 + 16), 1'000'000);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().message, "more than 1000000 bytes");
}

}  // namespace
}  // namespace theta
