#include "experiments/runs/persona_row.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

User reader(const std::string& id) {
  User user;
  user.id = id;
  user.test = {{.id = id + "1", .context = "", .chosen = "Bad.", .rejected = "Good."},
               {.id = id + "2", .context = "", .chosen = "Dull.", .rejected = "Fun."}};
  return user;
}

/// Chooses the first text.
Result<Response> first(const Request& request) { return choose(request, request.options[0]); }

Result<Response> named_first(const Request& request) {
  Response response;
  response.text = request.options[0];
  response.option_logprobs = {0, kUnnamedLogprob};
  response.named = true;
  return response;
}

class PersonaRows : public ::testing::Test {
 protected:
  static std::shared_ptr<const Judge> judge(bool both_orders = false,
                                            Judging judging = Judging::kContrast) {
    JudgeOptions options;
    options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
    options.both_orders = both_orders;
    options.judging = judging;
    return std::make_shared<const Judge>(options, make_terse_adapter());
  }
  PersonaRow row(std::shared_ptr<const Judge> judge = PersonaRows::judge()) const {
    PersonaRow out{.name = "personas", .model = "teacher", .judge = std::move(judge)};
    for (const User* user : {&a_, &b_})
      out.personas.emplace(user->id, FoundPersona{.persona = "Likes complaints"});
    return out;
  }
  static void judge_all(const std::vector<User>& users, PersonaRow& row,
                        const ScriptedModel::Script& script) {
    ScriptedModel model(script);
    judge_rows(users, std::span(&row, 1), {.model = model});
  }

  const User a_ = reader("a"), b_ = reader("b");
};

TEST_F(PersonaRows, HoldBothOrdersOfEveryPair) {
  for (const bool both_orders : {false, true}) {
    PersonaRow row = this->row(judge(both_orders));
    judge_all({a_, b_}, row, first);
    ASSERT_THAT(row.outcomes, SizeIs(8));
    EXPECT_EQ(row.outcomes[0].variant, 0);
    EXPECT_EQ(row.outcomes[1].variant, 1);
    EXPECT_THAT(row.remarks(), IsEmpty());
  }
}

TEST_F(PersonaRows, OfOneJudgeAreOneWaveForAllPeople) {
  std::vector<PersonaRow> rows = {row(), row()};
  rows[1].judge = rows[0].judge;
  rows[1].name = "others";
  rows.push_back(row());  // a judge of its own
  ScriptedModel model(first);
  judge_rows(std::vector<User>{a_, b_}, rows, {.model = model});
  EXPECT_EQ(model.waves().size(), 2u);
  for (const PersonaRow& one : rows) {
    ASSERT_THAT(one.outcomes, SizeIs(8));
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(one.outcomes[i].group, i < 4 ? "a" : "b");
  }
}

TEST_F(PersonaRows, SayHowManyJudgementsWereNamed) {
  PersonaRow row = this->row();
  judge_all({a_, b_}, row, named_first);
  EXPECT_EQ(row.outcomes[0].score, 1);
  EXPECT_EQ(row.outcomes[1].score, 0);
  EXPECT_THAT(row.remarks(),
              ElementsAre("personas, teacher: 8 of 8 judgements were named, not scored: contrast "
                          "fell back to the plain choice"));
  PersonaRow plain = this->row(judge(false, Judging::kScored));
  judge_all({a_, b_}, plain, named_first);
  EXPECT_THAT(plain.remarks(),
              ElementsAre("personas, teacher: 8 of 8 judgements were named, not scored"));
}

TEST_F(PersonaRows, CountThoseAloneThatWereNamed) {
  PersonaRow row = this->row();
  judge_all({a_, b_}, row, [](const Request& request) {
    const bool fun = request.messages.back().content.find("Fun") != std::string::npos;
    return fun ? named_first(request) : first(request);
  });
  EXPECT_THAT(row.remarks(),
              ElementsAre("personas, teacher: 4 of 8 judgements were named, not scored: contrast "
                          "fell back to the plain choice"));
}

TEST_F(PersonaRows, SayWhichHadNothingToBeComparedWith) {
  PersonaRow row = this->row();
  judge_all({a_}, row, [](const Request& request) -> Result<Response> {
    const bool plain = request.messages.back().content.find("complaints") == std::string::npos;
    if (plain) return Error{.fault = Fault::kRefused, .message = "filtered"};
    return first(request);
  });
  EXPECT_THAT(row.remarks(),
              ElementsAre("personas, teacher: 4 of 4 judgements have nothing to be compared with, "
                          "the first because of the judge without persona: filtered: contrast fell "
                          "back to the plain choice"));
}

TEST_F(PersonaRows, FailForThoseWhosePersonaIsLost) {
  PersonaRow row = this->row();
  row.personas.insert_or_assign("a", Error{.fault = Fault::kService, .message = "down"});
  judge_all({a_, b_}, row, first);
  ASSERT_THAT(row.outcomes, SizeIs(8));
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(row.outcomes[i].status, i < 4 ? Outcome::Status::kFailed : Outcome::Status::kScored);
    EXPECT_EQ(row.outcomes[i].why, i < 4 ? "down" : "");
  }
}

TEST_F(PersonaRows, SayForHowManyThetaWroteNothingOfUse) {
  PersonaRow row = this->row();
  const FoundPersona none{.unwritten = "no section"};
  row.personas.insert_or_assign("a", none);
  judge_all({a_, b_}, row, first);
  EXPECT_THAT(row.remarks(),
              ElementsAre("personas, teacher: no persona of Θ's could be used for 1 of 2 people, "
                          "the first because of: no section"));
}

}  // namespace
}  // namespace theta
