#include "core/progress.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace theta {
namespace {

const Stage kHalf = {"judging 12 users", 120, 240, 30, "best .71 [.62, .79]"};

/// What was written to a file in memory.
class Written {
 public:
  Written() : file_(open_memstream(&data_, &size_)) {}
  ~Written() {
    std::fclose(file_);
    std::free(data_);
  }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;

  std::FILE* file() const { return file_; }
  std::string text() const {
    std::fflush(file_);
    return {data_, size_};
  }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

TEST(ProgressBar, ShowsEverythingWhereThereIsRoom) {
  EXPECT_EQ(progress_bar(kHalf, 200),
            "judging 12 users [===============>              ] 120/240  4.0/s  0:30, 0:30 left  "
            "best .71 [.62, .79]");
}

TEST(ProgressBar, GivesUpTheBarThenTheEndOfTheLine) {
  EXPECT_EQ(progress_bar(kHalf, 80),
            "judging 12 users [====>   ] 120/240  4.0/s  0:30, 0:30 left  best .71 [.62, .79]");
  EXPECT_EQ(progress_bar(kHalf, 75),
            "judging 12 users 120/240  4.0/s  0:30, 0:30 left  best .71 [.62, .79]");
  EXPECT_EQ(progress_bar(kHalf, 20), "judging 12 users 120");
}

TEST(ProgressBar, CountsCharactersNotBytes) {
  EXPECT_EQ(progress_bar({.name = "ΘΘΘ", .done = 3}, 5), "ΘΘΘ 3");
  EXPECT_EQ(progress_bar({.name = "ΘΘΘ", .done = 3}, 2), "ΘΘ");
}

TEST(ProgressBar, IsNeverWiderThanItsWidth) {
  for (std::size_t width = 0; width < 130; ++width) {
    for (std::int64_t done = 0; done <= 300; done += 60) {
      EXPECT_LE(progress_bar({"a stage", done, 240, 30, "x"}, width).size(), width);
    }
  }
}

TEST(ProgressBar, IsFullAtTheEnd) {
  EXPECT_EQ(progress_bar({"a", 4, 4, 2, ""}, 80),
            "a [==============================] 4/4  2.0/s  0:02");
  EXPECT_EQ(progress_bar({"a", 0, 4, 0, ""}, 80), "a [>                             ] 0/4  0:00");
}

TEST(ProgressText, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(progress_text(kHalf),
            "judging 12 users: 120/240, 4.0/s, 0:30, 0:30 left, best .71 [.62, .79]");
  EXPECT_EQ(progress_text({.name = "reading"}), "reading: 0, 0:00");
  EXPECT_EQ(progress_text({"reading", 5, 0, 100, ""}), "reading: 5, 3.0/min, 1:40");
  EXPECT_EQ(progress_text({"reading", 3600, 7200, 3600, ""}),
            "reading: 3600/7200, 1.0/s, 1:00:00, 1:00:00 left");
  EXPECT_EQ(progress_text({"reading", 70, 70, 1, ""}), "reading: 70/70, 70/s, 0:01");
}

TEST(Progress, WritesOneLineAStageToALog) {
  const Written written;
  {
    Progress progress(false, 1e9, written.file());
    progress.say("before");
    progress.stage("one", 3);
    progress.advance();
    progress.advance(2);
    progress.say("within");
    progress.note("noted");
    progress.stage("two");
  }
  std::string text = written.text();
  // The rate and the times are the machine's.
  EXPECT_TRUE(text.starts_with("before\nwithin\none: 3/3, ")) << text;
  EXPECT_NE(text.find(", noted\ntwo: 0, 0:0"), std::string::npos) << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 4);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Progress, TakesTotalsFromThePlanAndRaisesWhatIsExceeded) {
  const Written written;
  {
    Progress progress(false, 1e9, written.file());
    progress.stage("planning");
    progress.advance(9);
    progress.plan({{"one", 2}, {"skipped", 5}, {"two", 3}, {"two", 4}});
    EXPECT_EQ(progress.whole().done, 0);
    EXPECT_EQ(progress.whole().total, 14);
    progress.stage("one");
    progress.advance(3);
    EXPECT_EQ(progress.whole().done, 3);
    EXPECT_EQ(progress.whole().total, 15);
    progress.stage("two");
    progress.advance(1);
    progress.stage("two");
    EXPECT_EQ(progress.whole().total, 8);
    progress.advance(4);
    EXPECT_EQ(progress.whole().total, 8);
    EXPECT_EQ(progress.whole().stage, "two");
  }
  const std::string text = written.text();
  EXPECT_NE(text.find("\none: 3/3, "), std::string::npos) << text;
  EXPECT_NE(text.find("\ntwo: 1/3, "), std::string::npos) << text;
  EXPECT_NE(text.find("\ntwo: 4/4, "), std::string::npos) << text;
}

TEST(Progress, OfOneOfSeveralRunsAdvancesTheWholeAndIsItsRemark) {
  const Written written;
  {
    Progress all(false, 1e9, written.file());
    all.stage("sweep", 5);
    {
      Progress run(all, "seed 1");
      run.stage("searching", 3);
      run.advance(2);
      run.say("failed");
      EXPECT_EQ(run.whole().done, 2);
    }
  }
  const std::string text = written.text();
  EXPECT_TRUE(text.starts_with("seed 1: failed\nsweep: 2/5, ")) << text;
  EXPECT_TRUE(text.ends_with(", seed 1: searching\n")) << text;
}

TEST(ProgressText, TellsWhatIsLeftOfTheStageAndOfTheRun) {
  EXPECT_EQ(progress_text({"searching", 5, 10, 10, "best .71", {}, 90}),
            "searching: 5/10, 30.0/min, 0:10, 0:10 left, run 1:30 left, best .71");
}

TEST(ProgressText, LeavesWhatIsReplayedOutOfThePace) {
  EXPECT_EQ(progress_text({"searching", 105, 110, 10, {}, {}, {}, 100}),
            "searching: 105/110, 30.0/min, 0:10, 0:10 left");
  EXPECT_EQ(progress_text({"searching", 100, 110, 10, {}, {}, {}, 100}),
            "searching: 100/110, 0:10");
}

TEST(Progress, TellsNothingOfWhatIsLeftByAReplayAlone) {
  const Written written;
  Progress progress(false, 1e9, written.file());
  progress.plan({{"one", 9}});
  progress.stage("one");
  progress.advance(4, /*known=*/true);
  EXPECT_FALSE(progress.whole().left_s);
  progress.advance(1);
  EXPECT_TRUE(progress.whole().left_s);
}

TEST(Pace, IsTheMeanOfWhatWasDoneSoFar) {
  Pace pace(100);
  EXPECT_FALSE(pace.per_second(110));
  for (int s = 101; s <= 130; ++s) pace.add(s, 4);
  EXPECT_NEAR(*pace.per_second(130), 4, 0.02);
}

TEST(Pace, BelievesAChangeByAndBy) {
  Pace pace(0);
  for (int s = 1; s <= 600; ++s) pace.add(s, 9);
  double before = *pace.per_second(600);
  for (int s = 601; s <= 2000; ++s) {
    pace.add(s, 1);
    if (s % 15 != 0) continue;
    const double now = *pace.per_second(s);
    EXPECT_LT(now, before);
    EXPECT_GT(now, before / 1.25);  // a line of the log and the next
    before = now;
  }
  EXPECT_NEAR(before, 1, 0.02);
}

TEST(Progress, ClearsItsLineBeforeAnythingElseIsWritten) {
  const Written written;
  {
    Progress progress(true, 15, written.file());
    progress.stage("one", 2);
    progress.say("a warning");
    progress.finish();
    progress.say("done");
  }
  const std::string bar = "one [>                             ] 0/2  0:0";
  const std::string text = written.text();
  EXPECT_TRUE(text.starts_with("\r\033[K" + bar)) << text;
  EXPECT_NE(text.find("\r\033[Ka warning\n\r\033[K" + bar), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\n\r\033[Kdone\n")) << text;
}

TEST(Progress, RedrawsAtMostTenTimesASecond) {
  const Written written;
  const auto began = std::chrono::steady_clock::now();
  {
    Progress progress(true, 15, written.file());
    progress.stage("one", 100000);
    for (int i = 0; i < 100000; ++i) progress.advance();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const std::string text = written.text();
  EXPECT_LE(static_cast<double>(std::ranges::count(text, '\r')), 2 + 10 * took.count());
}

TEST(Progress, CountsWorkOfManyThreads) {
  const Written written;
  {
    Progress progress(false, 0, written.file());
    progress.stage("one", 4000);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) progress.advance();
      });
    }
    threads.clear();
  }
  EXPECT_NE(written.text().find("\none: 4000/4000, "), std::string::npos);
}

TEST(ProgressText, SaysWhatItWaitsForInPlaceOfThePace) {
  Stage stage = kHalf;
  stage.trouble = "http://a/v1: no answer for 75 s: connection refused";
  EXPECT_EQ(progress_text(stage),
            "judging 12 users: 120/240, 0:30, http://a/v1: no answer for 75 s: connection refused");
}

TEST(Progress, ShowsServersThatDoNotAnswerUntilTheyDo) {
  const Written written;
  Progress progress(true, 15, written.file());
  progress.stage("one", 10);
  progress.trouble("http://a/v1", "connection refused", 75);
  progress.trouble("http://b/v1", "status 503", 12);
  EXPECT_EQ(progress.whole().trouble,
            "http://a/v1: no answer for 75 s: connection refused; http://b/v1: no answer for 12 s: "
            "status 503");
  EXPECT_NE(written.text().find("one [>"), std::string::npos);
  EXPECT_NE(written.text().find("http://a/v1: no answer for 75 s: "), std::string::npos);
  progress.trouble("http://a/v1", "", 80);
  progress.trouble("http://b/v1", "", 20);
  EXPECT_EQ(progress.whole().trouble, "");
}

TEST(Progress, OfOneOfSeveralRunsKnowsWhatTheWholeWaitsFor) {
  const Written written;
  Progress all(false, 15, written.file());
  Progress one(all, "seed 1");
  all.trouble("http://a/v1", "status 503", 12);
  EXPECT_EQ(one.whole().trouble, "http://a/v1: no answer for 12 s: status 503");
}

}  // namespace
}  // namespace theta
