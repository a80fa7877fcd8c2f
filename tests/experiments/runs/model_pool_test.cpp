#include "experiments/runs/model_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "core/records/recorded_model.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

/// Two tables that name one model, and a pool whose models are scripted and counted.
class ModelPoolTest : public testing::Test {
 protected:
  ModelTable table(const std::string& name = "task") const {
    ModelTable out;
    out.models.emplace(name, LlamaOptions{.path = "m.gguf"});
    out.sources.emplace(name, "{m}");
    return out;
  }
  std::unique_ptr<ModelPool> make_pool(ScriptedModel::Script script, std::size_t unit = 1) {
    return std::make_unique<ModelPool>(folder_.path() / "cache.db", [this, script,
                                                                     unit](const ModelOptions&) {
      auto model = std::make_unique<ScriptedModel>(script, ScriptedModel::Options{.unit = unit});
      models_.push_back(model.get());
      return model;
    });
  }
  std::size_t calls() const { return models_.at(0)->calls(); }

  static Result<Response> echo(const Request& request) { return say(request.messages[0].content); }

  TemporaryFolder folder_;
  Progress silent_{false, 0, nullptr};
  std::vector<ScriptedModel*> models_;
};

std::vector<Request> wave(const std::vector<std::string>& texts) {
  std::vector<Request> out;
  for (const auto& text : texts) out.push_back(user_request(text));
  return out;
}

TEST_F(ModelPoolTest, LoadsAModelOnceForAllRunsAndDropsItWithTheLast) {
  const auto pool = make_pool(echo);
  pool->expect(table());
  pool->expect(table("teacher"));
  LanguageModel& first = pool->get(table(), "task", silent_);
  pool->release(table());
  EXPECT_EQ(&pool->get(table("teacher"), "teacher", silent_), &first);
  pool->release(table("teacher"));
  pool->expect(table());
  pool->get(table(), "task", silent_);
  EXPECT_EQ(models_.size(), 2U);
}

TEST_F(ModelPoolTest, AnswersFromTheCacheWhatAnotherRunAskedAlsoAfterARestart) {
  std::vector<std::size_t> asked;
  for (int start = 0; start < 2; ++start) {
    const auto pool = make_pool(echo);
    pool->expect(table());
    LanguageModel& model = pool->get(table(), "task", silent_);
    for (int run = 0; run < 2; ++run) {
      const auto answers = ask(model, wave({"a", "b", run == 0 ? "c" : "d"}), {});
      EXPECT_EQ(answers.at(1)->text, "b");
      EXPECT_EQ(answers.at(2)->text, run == 0 ? "c" : "d");
    }
    asked.push_back(models_.back()->calls());
  }
  EXPECT_EQ(asked, (std::vector<std::size_t>{4, 0}));
}

TEST_F(ModelPoolTest, FindsAUnitOnlyWholeWhereAnswersDependOnIt) {
  const auto pool = make_pool(echo, 2);
  pool->expect(table());
  LanguageModel& model = pool->get(table(), "task", silent_);
  ask(model, wave({"a", "b"}), {});
  ask(model, wave({"a", "c"}), {});  // `a` in other company is another answer
  EXPECT_EQ(calls(), 4U);
  const auto answers = ask(model, wave({"a", "b"}), {});
  EXPECT_EQ(answers.at(0)->text, "a");
  EXPECT_EQ(answers.at(1)->text, "b");
  EXPECT_EQ(calls(), 4U);
}

TEST_F(ModelPoolTest, AsksAUnitAgainWholeOfWhichAPartFailed) {
  bool fails = true;
  const auto pool = make_pool(
      [&](const Request& request) -> Result<Response> {
        if (fails && request.messages[0].content == "b") return Error{Fault::kService, "timeout"};
        return echo(request);
      },
      2);
  pool->expect(table());
  LanguageModel& model = pool->get(table(), "task", silent_);
  EXPECT_FALSE(ask(model, wave({"a", "b"}), {}).at(1));
  fails = false;
  EXPECT_EQ(ask(model, wave({"a", "b"}), {}).at(1)->text, "b");
  EXPECT_EQ(calls(), 4U);
}

TEST_F(ModelPoolTest, WaitsForAnAnswerThatAnotherRunIsAskingFor) {
  std::latch asked(1), go_on(1);
  const auto pool = make_pool([&](const Request& request) {
    if (request.messages[0].content == "slow") {
      asked.count_down();
      go_on.wait();
    }
    return echo(request);
  });
  pool->expect(table());
  LanguageModel& model = pool->get(table(), "task", silent_);
  std::jthread first([&] { ask(model, wave({"slow"}), {}); });
  asked.wait();
  std::atomic<bool> answered = false;
  std::jthread second([&] {
    const auto answers = ask(model, wave({"slow", "other"}), {});
    EXPECT_EQ(answers.at(0)->text, "slow");
    answered = true;
  });
  while (calls() < 2) std::this_thread::yield();  // `other` was asked, `slow` is waited for
  EXPECT_FALSE(answered);
  go_on.count_down();
  second.join();
  EXPECT_EQ(calls(), 2U);
}

TEST_F(ModelPoolTest, AsksItselfWhatFailedForTheOther) {
  std::latch asked(1), go_on(1);
  std::atomic<int> n = 0;
  const auto pool = make_pool([&](const Request& request) -> Result<Response> {
    if (n++ > 0) return echo(request);
    asked.count_down();
    go_on.wait();
    return Error{Fault::kService, "timeout"};
  });
  pool->expect(table());
  LanguageModel& model = pool->get(table(), "task", silent_);
  std::jthread first([&] { EXPECT_FALSE(ask(model, wave({"a"}), {}).at(0)); });
  asked.wait();
  std::jthread second([&] { EXPECT_EQ(ask(model, wave({"a"}), {}).at(0)->text, "a"); });
  go_on.count_down();
  second.join();
  EXPECT_EQ(n, 2);
}

TEST_F(ModelPoolTest, StopsWhileItWaitsForAnother) {
  std::latch asked(1), go_on(1);
  const auto pool = make_pool([&](const Request& request) {
    asked.count_down();
    go_on.wait();
    return echo(request);
  });
  pool->expect(table());
  LanguageModel& model = pool->get(table(), "task", silent_);
  std::jthread first([&] { ask(model, wave({"a"}), {}); });
  asked.wait();
  std::stop_source stop;
  std::jthread second(
      [&] { EXPECT_THROW(ask(model, wave({"a"}), stop.get_token()), Interrupted); });
  stop.request_stop();
  second.join();
  go_on.count_down();
}

// The property the pool rests on: many runs at once get what each would get alone, and nothing is
// asked twice.
TEST_F(ModelPoolTest, ManyRunsAtOnceGetTheirAnswersAndNothingIsAskedTwice) {
  const auto pool = make_pool(echo);
  pool->expect(table());
  LanguageModel& model = pool->get(table(), "task", silent_);
  {
    std::vector<std::jthread> runs;
    for (int run = 0; run < 8; ++run)
      runs.emplace_back([&, run] {
        for (int step = 0; step < 20; ++step) {
          std::vector<std::string> texts;
          for (int i = 0; i < 5; ++i) texts.push_back(std::to_string((step + run % 3 + i) % 25));
          const auto answers = ask(model, wave(texts), {});
          for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(answers.at(i)->text, texts[i]);
        }
      });
  }
  EXPECT_EQ(calls(), 25U);
}

}  // namespace
}  // namespace theta
