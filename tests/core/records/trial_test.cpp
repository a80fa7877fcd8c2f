#include "core/records/trial.hpp"

#include <gtest/gtest.h>

#include "core/result.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

TEST(Candidate, IsWrittenWithoutWhatIsEmpty) {
  EXPECT_EQ(to_json(Candidate{}), "{}");
  EXPECT_EQ(to_json(Candidate{.combination = {0, 3}}), R"({"combination":[0,3]})");
  EXPECT_EQ(to_json(Candidate{.parts = {{"predict", "Say \"yes\".", 2}}}),
            R"({"predictors":{"predict":{"instruction":"Say \"yes\".","demos":2}}})");
}

TEST(Candidate, ComesBackAsItWasWritten) {
  const Candidate candidate{{0, 3, 1, 0}, {{"write", "Two\nlines.", 0}, {"judge", "", 4, "json"}}};
  EXPECT_EQ(candidate_of(to_json(candidate)), candidate);
  EXPECT_EQ(candidate_of("{}"), Candidate{});
}

TEST(Candidate, IsRefusedWhereItIsDamaged) {
  for (const char* text : {"{", R"({"combination": "x"})", R"({"predictors": {"p": {}}})"})
    EXPECT_TRUE(message_of<RunError>([&] { candidate_of(text); })
                    .starts_with("the run's record is damaged: a candidate of a trial cannot be "
                                 "read: "))
        << text;
}

}  // namespace
}  // namespace theta
