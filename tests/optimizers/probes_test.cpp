#include "optimizers/probes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "modules/predict.hpp"
#include "tests/optimizers/scripted_task.hpp"

namespace theta {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ProbesTest : public testing::Test {
 protected:
  static Predict student(Format format) {
    return Predict(Signature::parse("text -> label: Literal['yes', 'no']", "Answer."),
                   std::move(format));
  }
  std::vector<std::string> names(const Module& program, const PromptLimits& limits = {}) {
    std::vector<std::string> names;
    for (const Probe& probe : cheap_probes(program, scripted_.task(), limits, 1))
      names.push_back(probe.name);
    return names;
  }

  ScriptedTask scripted_;
};

TEST_F(ProbesTest, AskInOtherFormatsAndWithDemos) {
  EXPECT_THAT(names(student({.adapter = "terse", .answering = Answering::kScore})),
              ElementsAre("1 demo of each label", "chat, scored", "terse, options hidden, scored",
                          "terse, scored, calibrated on 20 inputs", "4 nearest demos"));
}

TEST_F(ProbesTest, DifferFromTheStudentAndFromEachOther) {
  const Predict own = student({.adapter = "chat"});
  const Module& program = own;
  const auto probes = cheap_probes(program, scripted_.task(), {}, 1);
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const auto& one = *std::as_const(*probes[i].program).predictors()[0];
    EXPECT_FALSE(one == *program.predictors()[0]) << probes[i].name;
    for (std::size_t k = 0; k < i; ++k)
      EXPECT_FALSE(one == *std::as_const(*probes[k].program).predictors()[0]) << probes[i].name;
  }
}

TEST_F(ProbesTest, LeaveWhatIsFrozen) {
  const Predict program = student({.adapter = "terse"});
  EXPECT_THAT(names(program, {.frozen = {"format"}}), Not(Contains(HasSubstr("options hidden"))));
  EXPECT_THAT(names(program, {.frozen = {"demos"}}), Not(Contains(HasSubstr("demo"))));
  EXPECT_THAT(names(program, {.frozen = {"format", "demos", "instruction"}}), IsEmpty());
}

TEST_F(ProbesTest, AskNoProposer) {
  std::size_t asked = 0;
  scripted_.written.clear();
  ScriptedModel silent([&](const Request&) {
    ++asked;
    return say("");
  });
  const Task task{scripted_.task().train,
                  scripted_.task().validation,
                  scripted_.task().metric,
                  scripted_.model,
                  silent,
                  silent};
  EXPECT_THAT(cheap_probes(student({.adapter = "terse"}), task, {}, 1), Not(IsEmpty()));
  EXPECT_EQ(asked, 0u);
}

}  // namespace
}  // namespace theta
