#include "core/records/answer_cache.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "core/records/sqlite.hpp"
#include "core/records/store.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using Answers = AnswerCache::Answers;

std::vector<std::string_view> requests_of(const Answers& answers) {
  return std::vector<std::string_view>(answers.size(), "{}");
}

class AnAnswerCache : public testing::Test {
 protected:
  CacheOptions options(CacheMode mode = CacheMode::kRecord) const {
    return {folder_.path() / "cache.db", mode};
  }
  static void keep(AnswerCache& cache, const std::string& key, const Answers& answers) {
    AnswerCache::Leads leads(cache);
    leads.claim(key);
    leads.publish("model", {{key, answers, requests_of(answers)}});
  }
  TemporaryFolder folder_;
};

TEST_F(AnAnswerCache, GivesOtherRunsWhatWasPublished) {
  Response scored = say("First");
  scored.option_logprobs = {-0.5, -1.5};
  scored.note = "logprobs of the first token";
  scored.prompt_tokens = 7;
  scored.generated_tokens = 1;
  {
    AnswerCache cache(options());
    keep(cache, "k", {scored, Error{Fault::kPrompt, "names none"}});
  }
  for (const auto mode : {CacheMode::kRecord, CacheMode::kReplay}) {
    AnswerCache cache(options(mode));
    AnswerCache::Leads leads(cache);
    const auto claim = leads.claim("k");
    ASSERT_TRUE(claim.known);
    ASSERT_EQ(claim.known->size(), 2U);
    const auto& first = claim.known->front();
    EXPECT_EQ(first->text, "First");
    EXPECT_EQ(first->option_logprobs, scored.option_logprobs);
    EXPECT_EQ(first->note, scored.note);
    EXPECT_EQ(first->prompt_tokens, 7);
    EXPECT_EQ(first->generated_tokens, 1);
    EXPECT_EQ(claim.known->back().error().message, "names none");
    EXPECT_EQ(claim.known->back().error().fault, Fault::kPrompt);
    EXPECT_FALSE(leads.claim("other").known);
  }
}

TEST_F(AnAnswerCache, IsReplayedWhereNoFileCanBeMadeBesideIt) {
  const std::filesystem::path file = folder_.path() / "100%? #1.db";
  {
    AnswerCache cache({file, CacheMode::kRecord});
    keep(cache, "k", {say("a")});
  }
  // Links to nowhere in their places keep even root from making a log and its index.
  for (const char* end : {"-wal", "-shm"})
    std::filesystem::create_symlink("/none/none", file.string() + end);
  AnswerCache cache({file, CacheMode::kReplay});
  EXPECT_TRUE(AnswerCache::Leads(cache).claim("k").known);
}

TEST_F(AnAnswerCache, KeepsNothingWithAServicesFault) {
  AnswerCache cache(options());
  keep(cache, "k", {say("a"), Error{Fault::kService, "timed out"}});
  AnswerCache::Leads leads(cache);
  EXPECT_FALSE(leads.claim("k").known);
}

TEST_F(AnAnswerCache, ThatIsOffKeepsNothing) {
  AnswerCache cache;
  keep(cache, "k", {say("a")});
  AnswerCache::Leads leads(cache);
  const auto claim = leads.claim("k");
  EXPECT_FALSE(claim.known);
  EXPECT_FALSE(claim.other);
}

TEST_F(AnAnswerCache, GivesWhoeverWaitsTheAnswerOfWhoeverLeads) {
  for (const auto& answer :
       {Result<Response>(say("a")), Result<Response>(Error{Fault::kService, "timed out"})}) {
    AnswerCache cache;
    AnswerCache::Leads leads(cache), follows(cache);
    leads.claim("k");
    const auto claim = follows.claim("k");
    ASSERT_TRUE(claim.other);
    std::jthread leader([&] { leads.publish("model", {{"k", {&answer, 1}, {"{}"}}}); });
    const auto got = cache.wait(claim.other, {});
    ASSERT_TRUE(got);
    EXPECT_EQ(static_cast<bool>(got->front()), static_cast<bool>(answer));
  }
}

TEST_F(AnAnswerCache, FreesAKeyWhoseLeaderGaveUp) {
  AnswerCache cache;
  AnswerCache::Leads follows(cache);
  AnswerCache::Claim claim;
  {
    AnswerCache::Leads leads(cache);
    leads.claim("k");
    claim = follows.claim("k");
  }
  EXPECT_FALSE(cache.wait(claim.other, {}));
  EXPECT_FALSE(follows.claim("k").other);
}

TEST_F(AnAnswerCache, LeavesALaterCallAloneWhenAnEarlierLeaderGoes) {
  AnswerCache cache;
  AnswerCache::Leads later(cache);
  {
    AnswerCache::Leads leads(cache);
    leads.claim("k");
    const Answers answers = {say("a")};
    leads.publish("model", {{"k", answers, requests_of(answers)}});
    EXPECT_FALSE(later.claim("k").other);
  }
  AnswerCache::Leads follows(cache);
  EXPECT_TRUE(follows.claim("k").other);
}

TEST_F(AnAnswerCache, WaitsNoLongerThanItMay) {
  AnswerCache cache;
  AnswerCache::Leads leads(cache), follows(cache);
  leads.claim("k");
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_THROW(cache.wait(follows.claim("k").other, stop.get_token()), Interrupted);
}

TEST_F(AnAnswerCache, RefusesAFileThatIsNone) {
  folder_.write("cache.db",
                "this is no database, but as long as the header of one would have to be");
  try {
    AnswerCache cache(options());
    FAIL();
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(),
                testing::StartsWith(options().path.string() + " is damaged, or never was"));
  }
}

TEST_F(AnAnswerCache, RefusesACacheOfAnEarlierVersion) {
  Database(options().path.string(), true)
      .run("CREATE TABLE answers (key TEXT, place INTEGER, response TEXT)");
  for (const auto mode : {CacheMode::kRecord, CacheMode::kReplay}) {
    try {
      AnswerCache cache(options(mode));
      FAIL();
    } catch (const RunError& error) {
      EXPECT_EQ(error.what(),
                options().path.string() +
                    " is a cache of an earlier version: delete it, or choose another cache.path");
    }
  }
}

TEST_F(AnAnswerCache, RefusesToReplayAnotherDatabase) {
  { const Store store(options().path); }
  try {
    AnswerCache cache(options(CacheMode::kReplay));
    FAIL();
  } catch (const RunError& error) {
    EXPECT_EQ(error.what(),
              options().path.string() + " is no cache of answers: choose another cache.path");
  }
}

}  // namespace
}  // namespace theta
