#include "core/records/kept_answers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/records/request_json.hpp"
#include "core/records/store.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

Request asked(const std::string& text) {
  Request request;
  request.messages = {{"system", "Answer."}, {"user", text}};
  return request;
}

class KeptAnswersOfARun : public testing::Test {
 protected:
  void keep(const std::string& identity, const std::string& text, Result<Response> answer) {
    store_.commit(identity, {{std::to_string(++keys_), canonical(asked(text)), answer}});
  }

  TemporaryFolder folder_;
  Store store_{folder_.path() / "run.db"};
  int keys_ = 0;
};

TEST_F(KeptAnswersOfARun, ComeBackInTheirOrderAndInPieces) {
  for (const char* text : {"one", "two", "three"}) keep("m", text, say("yes"));
  KeptAnswers answers(folder_.path() / "run.db");
  const auto first = answers.find("", 0, 2);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].request, asked("one"));
  EXPECT_EQ(first[1].request, asked("two"));
  EXPECT_EQ(first[1].answer->text, "yes");
  const auto rest = answers.find("", first[1].number, 2);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].request, asked("three"));
  EXPECT_EQ(answers.at(rest[0].number)->identity, "m");
  EXPECT_FALSE(answers.at(99));
}

TEST_F(KeptAnswersOfARun, AreFoundByATextInWhatWasAskedOrAnswered) {
  keep("m", "50% \"off\"_", say("plain"));
  keep("m", "500 off", say("Back\\slash"));
  keep("m", "other", Error{Fault::kRefused, "too long"});
  KeptAnswers answers(folder_.path() / "run.db");
  const auto found = [&](const std::string& text) {
    std::vector<std::string> all;
    for (const auto& one : answers.find(text, 0, 9)) all.push_back(one.request.messages[1].content);
    return all;
  };
  using testing::ElementsAre;
  EXPECT_THAT(found("50%"), ElementsAre("50% \"off\"_"));
  EXPECT_THAT(found("\"OFF\"_"), ElementsAre("50% \"off\"_"));
  EXPECT_THAT(found("back\\s"), ElementsAre("500 off"));
  EXPECT_THAT(found("too long"), ElementsAre("other"));
  EXPECT_THAT(found("nowhere"), ElementsAre());
}

TEST_F(KeptAnswersOfARun, AreFoundByTheirRequest) {
  keep("small", "one", say("a"));
  keep("large", "one", say("b"));
  keep("small", "two", say("c"));
  KeptAnswers answers(folder_.path() / "run.db");
  const auto found = answers.to({asked("two"), asked("one"), asked("never"), asked("two")});
  ASSERT_EQ(found.size(), 4U);
  ASSERT_EQ(found[0].size(), 1U);
  EXPECT_EQ(found[0][0].answer->text, "c");
  ASSERT_EQ(found[1].size(), 2U);
  EXPECT_EQ(found[1][1].identity, "large");
  EXPECT_TRUE(found[2].empty());
  EXPECT_EQ(found[3].size(), 1U);
}

TEST_F(KeptAnswersOfARun, AreSeenWhileTheRunGoesOn) {
  KeptAnswers answers(folder_.path() / "run.db");
  EXPECT_TRUE(answers.find("", 0, 9).empty());
  keep("m", "one", say("a"));
  EXPECT_EQ(answers.find("", 0, 9).size(), 1U);
}

}  // namespace
}  // namespace theta
