#include "core/models/http/cut_prompts.hpp"

#include <gtest/gtest.h>

#include <string>

namespace theta {
namespace {

Request prompt(std::size_t words) {
  Request request;
  std::string text;
  for (std::size_t i = 0; i < words; ++i) text += "word" + std::to_string(i % 10) + " ";
  request.messages = {{"user", text}};
  return request;
}

TEST(CutPrompts, AreToldByTooFewTokensOnce) {
  CutPrompts cuts;
  EXPECT_EQ(cuts.add(prompt(1000), 512), 512);
  EXPECT_EQ(cuts.add(prompt(1000), 512), std::nullopt);
}

TEST(CutPrompts, AreToldByOneCountForAllLengths) {
  CutPrompts cuts;
  EXPECT_EQ(cuts.add(prompt(600), 900), std::nullopt);
  EXPECT_EQ(cuts.add(prompt(800), 1200), std::nullopt);
  EXPECT_EQ(cuts.add(prompt(1000), 1200), std::nullopt);
  EXPECT_EQ(cuts.add(prompt(1100), 1200), 1200);
}

TEST(CutPrompts, AreToldByTheSizeOfAWindow) {
  CutPrompts cuts;
  EXPECT_EQ(cuts.add(prompt(1000), 1024), std::nullopt);
  EXPECT_EQ(cuts.add(prompt(1010), 1024), std::nullopt);
  EXPECT_EQ(cuts.add(prompt(1020), 1024), 1024);
}

TEST(CutPrompts, AreNoneWhereTokensGrowWithThePrompt) {
  CutPrompts cuts;
  for (std::size_t words = 100; words < 3000; words += 100)
    EXPECT_EQ(cuts.add(prompt(words), static_cast<std::int64_t>(words)), std::nullopt);
}

TEST(CutPrompts, AreNotSuspectedOfAServerThatLeavesOutWhatItHadCached) {
  CutPrompts cuts;
  EXPECT_EQ(cuts.add(prompt(1000), 1000), std::nullopt);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(cuts.add(prompt(1000), 20), std::nullopt);
}

TEST(CutPrompts, AreNotToldByWhiteSpaceAndRepetition) {
  CutPrompts cuts;
  Request request;
  request.messages = {{"user", std::string(20000, ' ') + std::string(20000, '=')}};
  EXPECT_EQ(cuts.add(request, 300), std::nullopt);
}

}  // namespace
}  // namespace theta
