#include "core/json_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace theta {
namespace {

TEST(JsonText, IsWrittenAsTheLibraryWritesItWhateverStandsWhere) {
  for (int c = 0; c < 128; ++c) {
    for (std::size_t at = 0; at < 20; ++at) {
      std::string text = "the words é around it";
      text.insert(at == 11 ? 12 : at, 1, static_cast<char>(c));
      std::string lossless, replaced;
      append_json_text(lossless, text);
      append_json_string(replaced, text);
      EXPECT_EQ(nlohmann::json::parse(lossless).get<std::string>(), text);
      EXPECT_EQ(lossless, replaced);
      if (c >= ' ' || c == '\n') {
        EXPECT_EQ(lossless, json_text(text).dump());
      }
    }
  }
}

TEST(JsonText, ThatIsNoUtf8IsKeptLosslessOrReplaced) {
  const std::string text = "caf\xE9 \xFF";
  std::string lossless, replaced;
  append_json_text(lossless, text);
  append_json_string(replaced, text);
  EXPECT_EQ(text_of(nlohmann::json::parse(lossless)), text);
  EXPECT_EQ(replaced, "\"caf\uFFFD \uFFFD\"");
}

TEST(JsonText, WritesANumberAsAJsonValueDoes) {
  for (const double number : {0.0, -0.0, 1.0, -1.0, 0.7, 1e-5, 1e300, -123.456}) {
    std::string out;
    append_json_number(out, number);
    EXPECT_EQ(out, nlohmann::json(number).dump());
  }
}

}  // namespace
}  // namespace theta
