#include "core/models/thoughts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace theta {
namespace {

TEST(BehindThought, FindsTheAnswerBehindAnyUsualMarks) {
  for (const std::string text :
       {"<think>\nHm.\n</think>\n\nyes", "<think></think>yes", "\n <THINK>Hm</Think> yes",
        "<thinking>a < b</thinking>\nyes", "<thought>Hm</thought>yes",
        "<reasoning>Hm</reasoning>\nyes", "[THINK]Hm[/THINK]yes",
        "\u25c1think\u25b7Hm\u25c1/think\u25b7yes",
        "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>yes",
        "<think>one</think>\n<think>two</think>\nyes"}) {
    const Told told = behind_thought(text);
    EXPECT_EQ(told.answer, "yes") << text;
    EXPECT_TRUE(told.thought) << text;
    EXPECT_FALSE(told.open) << text;
  }
}

TEST(BehindThought, FindsTheAnswerBehindAThoughtThatATemplateOpened) {
  EXPECT_EQ(behind_thought("Hm.\n</think>\n\nyes").answer, "yes");
  EXPECT_EQ(behind_thought("Hm.</think>\nyes").answer, "yes");
  EXPECT_EQ(behind_thought("Hm.\n</think>yes").answer, "yes");
  EXPECT_EQ(behind_thought("</think>\n\nyes").answer, "yes");
  const Told silent = behind_thought("Hm.\n</think>\n");
  EXPECT_EQ(silent.answer, "");
  EXPECT_TRUE(silent.thought);
}

TEST(BehindThought, HasNoAnswerWhereAThoughtDoesNotEnd) {
  for (const std::string text : {"<think>", "<think>\nyes, I think", "<think>a</think><think>b"}) {
    const Told told = behind_thought(text);
    EXPECT_TRUE(told.open) << text;
    EXPECT_EQ(told.answer, "") << text;
  }
}

TEST(BehindThought, LeavesMarksWithinAnAnswer) {
  for (const std::string text : {"Write `<think>` and `</think>` around it.", "The tag is </think>",
                                 "First <think>\nthen\n</think>\nlast", "<thinker>x</thinker>",
                                 "a </think> b", "yes", "", "  yes", "[1] <b>bold</b>"}) {
    const Told told = behind_thought(text);
    EXPECT_EQ(told.answer, text);
    EXPECT_FALSE(told.thought) << text;
  }
}

TEST(BehindThought, TellsEveryBeginningOfAThoughtAsOpen) {
  const std::string text = "<think>\nOne.\nTwo.\n</think>\nyes";
  for (std::size_t n = 7; n < text.find("</think>") + 8; ++n)
    EXPECT_TRUE(behind_thought(std::string_view(text).substr(0, n)).open) << n;
}

TEST(MayOpenThought, GoesByTheFirstLetter) {
  EXPECT_TRUE(may_open_thought(" \n<th"));
  EXPECT_FALSE(may_open_thought("yes"));
  EXPECT_FALSE(may_open_thought(" "));
}

}  // namespace
}  // namespace theta
