#include "experiments/view/row_replay.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/records/recorded_model.hpp"
#include "experiments/runs/prompt_file.hpp"
#include "experiments/runs/row_prompt.hpp"
#include "experiments/runs/run_record.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta::view {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Replayed : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 4; ++i)
      rows_.push_back({std::to_string(i), "", {{"text", fmt::format("text {}", i)}}});
  }

  /// Has a program answer all rows, as a run does, and keeps its prompt.
  void ask(const std::string& program, const ScriptedModel::Script& script) {
    const ProgramOptions options = read_program(Config::parse(program, "p.yaml"));
    const auto module = make_program(options);
    put_row_prompt(
        store_, "untouched", "task",
        prompt_json(*module, options, {read_model(Config::parse("path: m.gguf", "m"))}, ""));
    ScriptedModel model(script);
    RecordedModel recorded(model, store_, nullptr);
    std::vector<Record> inputs;
    for (const Example& row : rows_) inputs.push_back(row.fields);
    (void)module->run(inputs, {.model = recorded});
  }

  RowReplay replay() { return {store_, answers_, rows_, "untouched", "task"}; }

  static std::vector<std::string> asked(const std::vector<Exchange>& exchanges, bool calibrates) {
    std::vector<std::string> all;
    for (const Exchange& one : exchanges)
      if (one.calibrates == calibrates) all.push_back(one.request.messages.back().content);
    return all;
  }

  std::vector<Example> rows_;
  TemporaryFolder folder_;
  Store store_{folder_.path() / "run.db"};
  KeptAnswers answers_{folder_.path() / "run.db"};
};

TEST_F(Replayed, FindsWhatEveryItemWasAskedAndAnswered) {
  ask("{signature: 'text -> mood', adapter: terse}", [](const Request& request) {
    const std::string& text = request.messages.back().content;
    return Result<Response>(say("answer to " + text.substr(text.find("text "), 6)));
  });
  const auto answers = replay().answers({2, 0});
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(*answers[0], "answer to text 2");
  EXPECT_EQ(*answers[1], "answer to text 0");
  const auto exchanges = replay().exchanges(3);
  ASSERT_EQ(exchanges.size(), 1U);
  EXPECT_THAT(exchanges[0].request.messages.back().content, HasSubstr("text 3"));
  ASSERT_EQ(exchanges[0].answers.size(), 1U);
  EXPECT_EQ(exchanges[0].answers[0].answer->text, "answer to text 3");
}

TEST_F(Replayed, FollowsEveryStepOfAProgram) {
  ask("{steps: [{signature: 'text -> notes', adapter: terse}, "
      "{signature: 'notes -> mood', adapter: terse}]}",
      [](const Request& request) {
        const std::string& text = request.messages.back().content;
        const auto at = text.find("text ");
        return Result<Response>(at == std::string::npos ? say("done")
                                                        : say("noted " + text.substr(at + 5, 1)));
      });
  const auto exchanges = replay().exchanges(1);
  ASSERT_EQ(exchanges.size(), 2U);
  EXPECT_THAT(exchanges[1].request.messages.back().content, HasSubstr("noted 1"));
}

TEST_F(Replayed, TellsWhatCalibratesFromWhatIsAskedOfTheItem) {
  ask("{signature: \"text -> mood: Literal['good', 'bad']\", adapter: terse, answering: score, "
      "calibrate: content_free}",
      [](const Request& request) { return Result<Response>(choose(request, request.options[0])); });
  const auto exchanges = replay().exchanges(2);
  EXPECT_THAT(asked(exchanges, false), ElementsAre(HasSubstr("text 2")));
  EXPECT_THAT(asked(exchanges, true), ElementsAre(HasSubstr("N/A")));
}

TEST_F(Replayed, FindsWhatWasSampledForAnItemByItsPlace) {
  int n = 0;
  ask("{signature: 'text -> mood', adapter: terse, temperature: 1, samples: 2}",
      [&](const Request&) { return Result<Response>(say("sample " + std::to_string(n++))); });
  const auto exchanges = replay().exchanges(2);
  ASSERT_EQ(exchanges.size(), 2U);
  EXPECT_EQ(exchanges[0].answers.at(0).answer->text, "sample 4");
  EXPECT_EQ(exchanges[1].answers.at(0).answer->text, "sample 5");
}

TEST_F(Replayed, SaysWhatTheRecordLacks) {
  EXPECT_EQ(message_of<UserError>([&] { replay(); }),
            "the record keeps no prompt of this row, which would say what it asked");
  ask("{signature: 'text -> mood', adapter: terse}", [](const Request&) {
    return Result<Response>(Error{Fault::kService, "down"});
  });
  const auto answers = replay().answers({0});
  ASSERT_FALSE(answers[0]);
  EXPECT_EQ(answers[0].error().message, "the record holds no answer");
  EXPECT_TRUE(replay().exchanges(0).at(0).answers.empty());
}

TEST_F(Replayed, ReadsRowsOfTheRunsDataUnlessTheyAreOthersNow) {
  folder_.write("rows.json", R"([{"text": "a", "mood": "b"}, {"text": "c", "mood": "d"}])");
  put(store_, part::kConfig,
      fmt::format(R"(name: x
models: {{task: {{base_url: "http://127.0.0.1:1/v1", model: m, headers: {{X-Key: "${{THETA_NO_SUCH}}"}}}}}}
data: {{splits: {{test: "{}/rows.json"}}}}
program: {{signature: "text -> mood"}}
baselines: []
)",
                  folder_.path().string()));
  EXPECT_EQ(test_rows(store_).at(1).fields.text("text"), "c");
  put(store_, part::kDataHash, "of other data");
  EXPECT_EQ(message_of<UserError>([&] { test_rows(store_); }),
            "the data are others than the run read");
}

}  // namespace
}  // namespace theta::view
