#include "core/inflate.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace theta {
namespace {

/// @param window  of deflateInit2: which of the formats
std::string deflated(const std::string& text, int window) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

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
