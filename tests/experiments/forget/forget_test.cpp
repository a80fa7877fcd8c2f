#include "experiments/forget/forget.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/models/language_model.hpp"
#include "core/records/answer_cache.hpp"
#include "core/records/recorded_model.hpp"
#include "core/records/sqlite.hpp"
#include "experiments/runs/run_record.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kHers = "The walrus of Ann sings at midnight.";
constexpr const char* kHis = "The otter of Bob hums in the morning.";

class Forgetting : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("pairs.jsonl", row("ann", kHers) + row("bob", kHis));
    fs::create_directory(run());
  }
  static std::string row(const std::string& user, const std::string& chosen) {
    return nlohmann::ordered_json{
               {"user_id", user}, {"pair_id", user + ".1"}, {"chosen", chosen}, {"rejected", "no"}}
               .dump() +
           "\n";
  }
  fs::path run() const { return folder_.path() / "run"; }
  Forgotten forget() const {
    const fs::path folder = folder_.path();
    return forget_person("ann", std::span(&folder, 1), {});
  }
  /// All bytes of all files.
  std::string everything() const {
    std::string bytes;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      if (entry.is_regular_file()) bytes += content(entry.path()) + "\n";
    return bytes;
  }
  /// A run's record of answers to requests of both, with what else it says of them; and a cache.
  void record() const {
    Store store(run() / "run.db");
    AnswerCache cache({run() / "answers.db", CacheMode::kRecord});
    ScriptedModel model(
        [](const Request& request) { return say("said of " + request.messages[0].content); });
    RecordedModel recorded(model, store, nullptr, &cache);
    const std::vector<Request> wave = {user_request(kHers), user_request(kHis)};
    (void)ask(recorded, wave, {});
    put(store, part::kSeed, 1);
    put(store, part::kConfigHash, "h");
    put(store, part::kPersonas,
        {{"personas", "teacher", "ann", "Longs for walruses by night", "theta", "", ""},
         {"personas", "teacher", "bob", "Longs for otters by day", "theta", "", ""}});
    put(store, part::kPrompts, {{"Θ", std::string("Demo: ") + kHers}});
    put(store, part::kRemarks, {"ann was slow", "bob was quick"});
    store.put_row("personas", "teacher",
                  {{"personas", "teacher", "ann.1", "ann", 0, 1, 1},
                   {"personas", "teacher", "bob.1", "bob", 0, 1, 1}},
                  {});
  }

  const TemporaryFolder folder_;
};

TEST_F(Forgetting, RemovesAPersonFromEveryFileAndNobodyElse) {
  record();
  folder_.write("prompt.json",
                R"({"predict": {"demos": [{"past": "The walrus of Ann sings at midnight."},
    {"past": "The otter of Bob hums in the morning."}]}, "metadata": {"theta": {"personas":
    {"pool": ["Longs for walruses by night"], "test": ["ann", "bob"]}}}})");
  folder_.write("hers.json", R"({"metadata": {"theta": {"personas": {"person": {"id": "ann",
    "persona": "Longs for a quiet harbour", "pairs": []}}}}})");
  ASSERT_THAT(everything(), HasSubstr("walrus"));
  const Forgotten out = forget();
  EXPECT_THAT(out.left, IsEmpty());
  const std::string left = everything();
  for (const char* trace : {"walrus", "Ann", "quiet harbour", "ann was", "\"ann\"", "ann.1"})
    EXPECT_EQ(left.find(trace), std::string::npos) << trace;
  for (const char* other : {"bob", kHis, "Longs for otters by day", "bob was quick"})
    EXPECT_THAT(left, HasSubstr(other));
  EXPECT_FALSE(fs::exists(folder_.path() / "hers.json"));
  const Store store(run() / "run.db", Store::Access::kRead);
  EXPECT_EQ(store.kept().calls, 1);
  ASSERT_EQ(store.outcomes().size(), 1u);
  EXPECT_EQ(store.outcomes()[0].group, "bob");
  EXPECT_EQ(get(store, part::kPrompts)[0].text, "(removed: it told of a person who is forgotten)");
}

TEST_F(Forgetting, FindsNothingTheSecondTime) {
  record();
  (void)forget();
  const Forgotten again = forget();
  EXPECT_THAT(again.removed, IsEmpty());
  EXPECT_THAT(again.left, IsEmpty());
}

TEST_F(Forgetting, GoesOnWhereItWasInterrupted) {
  record();
  const Traces traces({.user = "ann", .pairs = {{"", kHers, "no"}}, .personas = {}});
  (void)scrub_database(run() / "run.db", traces, {});  // and no more
  EXPECT_THAT(content(run() / "answers.db") + content(run() / "answers.db-wal"),
              HasSubstr("walrus"));
  EXPECT_THAT(forget().left, IsEmpty());
  EXPECT_EQ(everything().find("walrus"), std::string::npos);
}

TEST_F(Forgetting, RemovesEveryVectorAsNobodyCanTellWhoseItIs) {
  const fs::path file = folder_.path() / "vectors.db";
  {
    const Database vectors(file.string(), true);
    vectors.run(
        "CREATE TABLE vectors (key TEXT PRIMARY KEY, vector TEXT NOT NULL) WITHOUT ROWID;"
        "INSERT INTO vectors VALUES ('k', 'v')");
  }
  const Forgotten out = forget();
  EXPECT_EQ(out.removed.at(0).second.at("vectors"), 1u);
  EXPECT_EQ(Database(file.string(), false).value("SELECT count(*) FROM vectors"), "0");
}

TEST_F(Forgetting, SaysWhereSomethingIsLeft) {
  const fs::path notes = folder_.write("notes.txt", std::string("see: ") + kHers);
  const fs::path prompt = folder_.write(
      "prompt.json", R"({"predict": {"signature": {"instructions": "Write for ann."}}})");
  EXPECT_THAT(forget().left, ElementsAre(notes.string() + ": a text at byte 5",
                                         prompt.string() + ": the id at byte 54"));
}

TEST_F(Forgetting, NamesDataElsewhereThatHoldThePerson) {
  const TemporaryFolder other;
  const fs::path data =
      other.write("more.jsonl", row("ann", "The heron of Ann waits in the reeds."));
  folder_.write("prompt.json", R"({"demos": [{"past": "The heron of Ann waits in the reeds."}]})");
  const fs::path folder = folder_.path();
  const Forgotten out = forget_person("ann", std::span(&folder, 1), std::span(&data, 1));
  EXPECT_THAT(out.left, IsEmpty());
  EXPECT_EQ(everything().find("heron"), std::string::npos);
  EXPECT_THAT(out.notes, testing::Contains(HasSubstr(data.string() + " lies in none")));
}

TEST_F(Forgetting, FailsWhereTheTextsOfARunCannotBeKnown) {
  record();
  {
    Store store(run() / "run.db");
    put(store, part::kConfig, "data: {pairs: {file: /nowhere/pairs.jsonl}}");
  }
  EXPECT_THAT(forget().left, ElementsAre(HasSubstr("/nowhere/pairs.jsonl")));
}

TEST_F(Forgetting, DisturbsNoRun) {
  record();
  const Store open(run() / "run.db");
  EXPECT_THAT(message_of<UserError>([&] { (void)forget(); }), HasSubstr("is in use by process"));
}

TEST_F(Forgetting, NeedsFoldersThatAreThere) {
  const fs::path nowhere = folder_.path() / "nowhere";
  EXPECT_EQ(message_of<UserError>([&] { (void)forget_person("ann", std::span(&nowhere, 1), {}); }),
            nowhere.string() + ": there is no such folder");
}

}  // namespace
}  // namespace theta
