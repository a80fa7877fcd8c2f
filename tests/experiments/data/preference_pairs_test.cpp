#include "experiments/data/preference_pairs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;

/// Options that keep every user of a small file, all of them test users.
PairsOptions all_of(const std::filesystem::path& file, std::size_t n_users) {
  return {.file = file, .min_pairs = 2, .context_ratio = 0.5, .users = {0, 0, n_users}};
}

std::vector<std::string> ids(const std::vector<PreferencePair>& pairs) {
  std::vector<std::string> out;
  for (const PreferencePair& pair : pairs) out.push_back(pair.id);
  return out;
}

class Pairs : public testing::Test {
 protected:
  LoadedPairs read(std::string_view rows, std::size_t n_users = 1) {
    return read_pairs(all_of(folder_.write("pairs.jsonl", rows), n_users));
  }
  std::string error(std::string_view rows, std::size_t n_users = 1) {
    try {
      read(rows, n_users);
    } catch (const UserError& e) {
      return std::string(e.what()).substr(folder_.path().string().size() + 1);
    }
    return "";
  }
  LoadedPairs read_csv(std::string_view rows) {
    return read_pairs(all_of(folder_.write("pairs.csv", rows), 1));
  }
  std::string csv_error(std::string_view rows) {
    try {
      read_csv(rows);
    } catch (const UserError& e) {
      return std::string(e.what()).substr(folder_.path().string().size() + 1);
    }
    return "";
  }
  TemporaryFolder folder_;
};

TEST_F(Pairs, AConversationIsRenderedTurnByTurn) {
  EXPECT_EQ(render_conversation({}), "");
  const Messages turns = {{"user", "Hi\nthere"}, {"model", "Hello"}, {"", "bare"}};
  EXPECT_EQ(render_conversation(turns), "[user]: Hi\nthere\n\n[model]: Hello\n\nbare");
}

TEST_F(Pairs, PersonalRewardBenchRowsSayTheirSplitAndOrder) {
  const LoadedPairs loaded = read(
      R"({"user_id": "u", "context": [{"content": "Q", "role": "user"}], "chosen": [{"content": "A", "role": "model"}], "rejected": {"content": "B", "role": "model"}, "split": "test", "flip": false}
{"user_id": "u", "context": [{"content": "Q", "role": "user"}], "chosen": {"content": "C", "role": "model"}, "rejected": {"content": "D", "role": "model"}, "split": "val", "flip": true}
)");
  ASSERT_EQ(loaded.users.test.size(), 1U);
  const User& user = loaded.users.test[0];
  EXPECT_FALSE(user.simulated);
  ASSERT_EQ(user.test.size(), 1U);
  EXPECT_EQ(user.test[0].context, "[user]: Q");
  EXPECT_EQ(user.test[0].chosen, "[model]: A");
  EXPECT_EQ(user.test[0].rejected, "[model]: B");
  EXPECT_FALSE(user.test[0].flip);
  ASSERT_EQ(user.context.size(), 1U);
  EXPECT_TRUE(user.context[0].flip);
}

TEST_F(Pairs, ArenaRowsBeginWhereTheConversationsPartAndTiesAreCounted) {
  const LoadedPairs loaded = read(
      R"json({"judge": "j", "winner": "model_b", "conversation_a": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "same"}, {"role": "user", "content": "more"}, {"role": "assistant", "content": "a"}], "conversation_b": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "same"}, {"role": "user", "content": "more"}, {"role": "assistant", "content": "b"}]}
{"judge": "j", "winner": "tie (bothbad)", "conversation_a": [], "conversation_b": []}
{"judge": "j", "winner": "model_a", "turn": 1, "conversation_a": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "R"}], "conversation_b": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "y"}, {"role": "user", "content": "R"}]}
{"judge": "j", "winner": "model_a", "conversation_a": [{"role": "user", "content": "Q"}], "conversation_b": [{"role": "user", "content": "Q"}]}
)json");
  EXPECT_EQ(loaded.n_rows, 4U);
  EXPECT_EQ(loaded.n_ties, 1U);
  EXPECT_EQ(loaded.n_equal_texts, 1U);
  ASSERT_EQ(loaded.users.test.size(), 1U);
  const PreferencePair& first = loaded.users.test[0].context.at(0);
  EXPECT_EQ(first.id, "row 1");
  EXPECT_EQ(first.context, "[user]: Q\n\n[assistant]: same\n\n[user]: more");
  EXPECT_EQ(first.chosen, "[assistant]: b");
  EXPECT_EQ(first.rejected, "[assistant]: a");
  EXPECT_FALSE(first.flip);
  const PreferencePair& third = loaded.users.test[0].test.at(0);
  EXPECT_EQ(third.context, "[user]: Q");
  EXPECT_EQ(third.chosen, "[assistant]: x");
  EXPECT_TRUE(third.flip);
}

/// `n` plain rows of a user, two a conversation.
std::string rows_of(const std::string& user, int n) {
  std::string rows;
  for (int i = 0; i < n; ++i) {
    const std::string at = user + std::to_string(i);
    rows += R"({"user_id": ")" + user + R"(", "pair_id": ")" + at + R"(", "conversation_id": "c)" +
            std::to_string(i % 5) + R"(", "chosen": "good )" + at + R"(", "rejected": "bad"})" +
            "\n";
  }
  return rows;
}

TEST_F(Pairs, ColumnsAreReadUnderTheNamesThatTheConfigGives) {
  PairsOptions options =
      all_of(folder_.write("pairs.jsonl",
                           R"({"annotator": "ann", "task": {"text": "q"}, "good": "a", "bad": "b"}
{"annotator": "ann", "task": {"text": "q"}, "good": "c", "bad": "d", "id": "second"})"),
             1);
  options.columns = {{"user_id", "annotator"},
                     {"context", "task.text"},
                     {"chosen", "good"},
                     {"rejected", "bad"},
                     {"pair_id", "id"}};
  const User user = read_pairs(options).users.test.front();
  EXPECT_EQ(user.id, "ann");
  EXPECT_EQ(user.context.front().context, "q");
  EXPECT_EQ(user.context.front().chosen, "a");
  EXPECT_EQ(ids(user.test), std::vector<std::string>{"second"});
  options.columns[2].second = "better";
  EXPECT_EQ(
      message_of<UserError>([&] { read_pairs(options); }),
      options.file.string() +
          ":1: no column `better` for `chosen`; there are `annotator`, `task`, `good`, `bad`");
}

TEST_F(Pairs, AreOnePersonsWhereTheConfigSaysWhose) {
  PairsOptions options =
      all_of(folder_.write("pairs.csv", "prompt,chosen,rejected\nq,a,b\nq,c,d\n"), 1);
  options.user = "me";
  EXPECT_EQ(read_pairs(options).users.test.front().id, "me");
}

TEST_F(Pairs, ContextIsTheFirstPartOfAUsersPairsInGivenOrder) {
  const std::filesystem::path file = folder_.write("pairs.jsonl", rows_of("u", 10));
  PairsOptions options = all_of(file, 1);
  options.context_ratio = 0.7;
  const User user = read_pairs(options).users.test.at(0);
  EXPECT_THAT(ids(user.context), ElementsAre("u0", "u1", "u2", "u3", "u4", "u5", "u6"));
  EXPECT_THAT(ids(user.test), ElementsAre("u7", "u8", "u9"));
  options.max_pairs = 4;
  EXPECT_THAT(ids(read_pairs(options).users.test.at(0).context), ElementsAre("u0", "u1"));
}

TEST_F(Pairs, ContextIsCutToItsFirstPairsAndTheTestIsNot) {
  PairsOptions options = all_of(folder_.write("pairs.jsonl", rows_of("u", 10)), 1);
  options.context_pairs = 2;
  const User user = read_pairs(options).users.test.at(0);
  EXPECT_THAT(ids(user.context), ElementsAre("u0", "u1"));
  EXPECT_THAT(ids(user.test), ElementsAre("u5", "u6", "u7", "u8", "u9"));
}

TEST_F(Pairs, EverybodyIsTestedWhomTheOtherSplitsLeave) {
  PairsOptions options =
      all_of(folder_.write("pairs.jsonl", rows_of("a", 4) + rows_of("b", 4) + rows_of("c", 4)), 0);
  EXPECT_EQ(read_pairs(options).users.test.size(), 3U);
  options.users.train = 1;
  EXPECT_EQ(read_pairs(options).users.train.size(), 1U);
  EXPECT_EQ(read_pairs(options).users.test.size(), 2U);
}

TEST_F(Pairs, NoConversationStandsOnBothSidesWhereThatIsAskedFor) {
  PairsOptions options = all_of(folder_.write("pairs.jsonl", rows_of("u", 10)), 1);
  options.by_conversation = true;
  const User user = read_pairs(options).users.test.at(0);
  EXPECT_THAT(ids(user.context), ElementsAre("u0", "u1", "u5", "u6"));
  EXPECT_THAT(ids(user.test), ElementsAre("u2", "u3", "u4", "u7", "u8", "u9"));
}

TEST_F(Pairs, UsersWithTooFewPairsAreLeftOutAndCounted) {
  PairsOptions options = all_of(folder_.write("pairs.jsonl", rows_of("a", 4) + rows_of("b", 3)), 1);
  options.min_pairs = 4;
  const LoadedPairs loaded = read_pairs(options);
  EXPECT_EQ(loaded.users.test.at(0).id, "a");
  EXPECT_EQ(loaded.n_small_users, 1U);
  options.users.test = 2;
  EXPECT_THAT([&] { read_pairs(options); },
              testing::ThrowsMessage<UserError>(
                  options.file.string() +
                  ": a split of 2 users was asked for, there are 1 (1 more have too few pairs)"));
}

TEST_F(Pairs, PairsThatEarlierUsersAlsoJudgedAreCounted) {
  const std::string row = R"("chosen": "x", "rejected": "y"})";
  const std::string other = R"("chosen": "y", "rejected": "x"})";
  PairsOptions options = all_of(
      folder_.write("pairs.jsonl", R"({"user_id": "a", )" + row + "\n" + R"({"user_id": "a", )" +
                                       other + "\n" + R"({"user_id": "b", )" + row + "\n" +
                                       R"({"user_id": "b", )" + other + "\n"),
      1);
  EXPECT_EQ(read_pairs(options).n_shared_pairs, 0U);
  options.users.train = 1;
  EXPECT_EQ(read_pairs(options).n_shared_pairs, 1U);
}

TEST_F(Pairs, ErrorsNameTheLine) {
  EXPECT_EQ(error(R"({"user_id": "u", "chosen": "a"})"),
            "pairs.jsonl:1: neither `chosen` and `rejected` nor `conversation_a` and "
            "`conversation_b`; there are `user_id`, `chosen`");
  EXPECT_EQ(
      error(R"({"chosen": "a", "rejected": "b"})"),
      "pairs.jsonl:1: no `user_id`: say whose the choices are with `columns: {user_id: COLUMN}`, "
      "or with `user: NAME` of all");
  EXPECT_EQ(error(R"({"user_id": "u", "chosen": null, "rejected": "b"})"),
            "pairs.jsonl:1: `chosen` or `rejected` holds nothing");
  EXPECT_EQ(error(R"({"user_id": "u", "chosen": {"role": "x"}, "rejected": "b"})"),
            "pairs.jsonl:1: `chosen` is no text, message {role, content} or list of messages");
  EXPECT_EQ(error(R"({"user_id": [], "chosen": "a", "rejected": "b"})"),
            "pairs.jsonl:1: `user_id` is array, not text");
  EXPECT_EQ(error(R"({"user_id": "u", "chosen": "a", "rejected": "b", "split": "dev"})"),
            "pairs.jsonl:1: `split` is `dev`, none of train, val and test");
  EXPECT_EQ(error(R"({"user_id": "u", "chosen": "a", "rejected": "b", "flip": 2})"),
            "pairs.jsonl:1: `flip` is neither true nor false");
  EXPECT_EQ(error(R"({"judge": "j", "winner": "b", "conversation_a": [], "conversation_b": []})"),
            "pairs.jsonl:1: `winner` is `b`, none of model_a, model_b and tie");
  EXPECT_EQ(error(R"({"user_id": "u", "chosen": "a", "rejected": "b", "split": "val"}
{"user_id": "u", "chosen": "a", "rejected": "b"})"),
            "pairs.jsonl:2: either every row has a `split` or none");
  EXPECT_EQ(error(R"({"user_id": "u", "pair_id": 7, "chosen": "a", "rejected": "b"}
{"user_id": "u", "pair_id": 7, "chosen": "a", "rejected": "b"})"),
            "pairs.jsonl:2: the pair `7` stands here again");
}

/// A CSV cell.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2)
    text.insert(at, 1, '"');
  return '"' + text + '"';
}

TEST_F(Pairs, ConversationsInCellsAreReadInJsonPythonAndNumpy) {
  for (const auto& [context, chosen, rejected] : std::vector<std::array<std::string, 3>>{
           {R"([{"content": "Hi \"you\"", "role": "user"}])",
            R"({"content": "It's\nme", "role": "model"})",
            R"([{"content": "No", "role": "model"}])"},
           {R"([{'content': 'Hi "you"', 'role': 'user', 'score': None}])",
            R"({'content': "It's\nme", 'role': 'model'})",
            R"([{'content': 'No', 'role': 'model', 'ok': True}])"},
           {"array([{'content': 'Hi ' '\"you\"', 'role': 'user'}], dtype=object)",
            R"([{'content': "It's\nme", 'role': 'model'}])",
            R"({'role': 'model', 'content': 'No'})"}}) {
    const std::string row = cell(context) + "," + cell(chosen) + "," + cell(rejected);
    const LoadedPairs loaded =
        read_csv("user_id,context,chosen,rejected\nu," + row + "\nu,x,y,z\n");
    const PreferencePair& pair = loaded.users.test.at(0).context.at(0);
    EXPECT_EQ(pair.context, "[user]: Hi \"you\"");
    EXPECT_EQ(pair.chosen, "[model]: It's\nme");
    EXPECT_EQ(pair.rejected, "[model]: No");
    EXPECT_THAT(
        loaded.users.remarks,
        ElementsAre("pairs.csv:2: column `chosen` holds messages as a text, which are read "
                    "as messages",
                    "pairs.csv:2: column `rejected` holds messages as a text, which are read "
                    "as messages",
                    "pairs.csv:2: column `context` holds messages as a text, which are read "
                    "as messages"));
  }
}

TEST_F(Pairs, VotesOfATableAreReadAsDataFramesWriteThem) {
  const auto turns = [](const std::string& answer) {
    return cell("[{'content': 'Q', 'role': 'user'}\n {'content': '" + answer +
                "', 'role': 'assistant'}\n {'content': 'R', 'role': 'user'}\n {'content': 'S', "
                "'role': 'assistant'}]");
  };
  const LoadedPairs loaded =
      read_csv("judge,winner,turn,conversation_a,conversation_b\nu,model_a,1," + turns("A") + "," +
               turns("B") + "\nu,model_b,1.0," + turns("C") + "," + turns("D") + "\n");
  const User& user = loaded.users.test.at(0);
  EXPECT_EQ(user.context.at(0).context, "[user]: Q");
  EXPECT_EQ(user.context.at(0).chosen, "[assistant]: A");
  EXPECT_EQ(user.test.at(0).chosen, "[assistant]: D");
}

TEST_F(Pairs, MessagesThatCannotBeReadAreRefusedWithTheirLineAndColumn) {
  for (const std::string text :
       {"[{'content': 'It's', 'role': 'user'}]", "[{'content': 'cut', 'role': 'us",
        R"([{"role": "user", "content": "x" ...)", "[{'from': 'human', 'value': 'It's'}]"})
    EXPECT_EQ(
        csv_error("user_id,context,chosen,rejected\nu,c,x,y\nu," + cell(text) + ",x,y\n"),
        "pairs.csv:3: column `context` begins like messages, and cannot be read as JSON or as "
        "Python writes them")
        << text;
  EXPECT_EQ(
      csv_error("user_id,chosen,rejected\nu," + cell("[{'from': 'human', 'value': 'x'}]") + ",y\n"),
      "pairs.csv:2: `chosen` is no text, message {role, content} or list of messages");
  EXPECT_EQ(csv_error("user_id,chosen,rejected\nu,caf\xe9,y\n"),
            "pairs.csv:2: column `chosen` is not UTF-8");
}

TEST_F(Pairs, OtherDataInTextsStayTextsAndAreRemarkedOnce) {
  const LoadedPairs loaded = read_csv("user_id,chosen,rejected\nu,\"[1, 2]\",[]\nu," +
                                      cell(R"({"name": "f"})") + ",[laughs]\n");
  const User& user = loaded.users.test.at(0);
  EXPECT_EQ(user.context.at(0).chosen, "[1, 2]");
  EXPECT_EQ(user.context.at(0).rejected, "[]");
  EXPECT_EQ(user.test.at(0).chosen, R"({"name": "f"})");
  EXPECT_THAT(
      loaded.users.remarks,
      ElementsAre("pairs.csv:2: column `chosen` holds a list as a text, which is shown as it "
                  "stands"));
}

TEST_F(Pairs, FlagsAreReadAsPeopleAndDataFramesWriteThem) {
  const std::vector<std::pair<std::string, bool>> flags = {
      {"True", true}, {"true", true}, {"TRUE", true},   {"1", true},
      {"1.0", true},  {"yes", true},  {"False", false}, {"false", false},
      {"0", false},   {"0.0", false}, {"no", false}};
  std::string rows = "user_id,chosen,rejected,flip,split\n";
  for (std::size_t i = 0; i < flags.size(); ++i)
    rows += "u,a" + std::to_string(i) + ",b," + flags[i].first + (i == 0 ? ",train\n" : ",test\n");
  const User user = read_csv(rows).users.test.at(0);
  EXPECT_TRUE(user.context.at(0).flip);
  for (std::size_t i = 1; i < flags.size(); ++i)
    EXPECT_EQ(user.test.at(i - 1).flip, flags[i].second) << flags[i].first;
  EXPECT_EQ(csv_error("user_id,chosen,rejected,flip\nu,a,b,maybe\n"),
            "pairs.csv:2: `flip` is neither true nor false");
  EXPECT_EQ(csv_error("user_id,chosen,rejected,winner_slot\nu,a,b,B\n"),
            "pairs.csv:2: `winner_slot` is `B`, neither a nor b");
}

TEST_F(Pairs, AQuestionUnderAnotherNameIsReadAsTheContextAndSaid) {
  const LoadedPairs loaded = read(R"({"user_id": "u", "prompt": "Q", "chosen": "a", "rejected": "b"}
{"user_id": "u", "prompt": [{"role": "user", "content": "R"}], "chosen": "a", "rejected": "b"}
)");
  const User& user = loaded.users.test.at(0);
  EXPECT_EQ(user.context.at(0).context, "Q");
  EXPECT_EQ(user.test.at(0).context, "[user]: R");
  EXPECT_THAT(loaded.users.remarks,
              ElementsAre("pairs.jsonl:1: no `context`: column `prompt` is read as the context"));
}

TEST_F(Pairs, AQuestionThatTheAnswersHoldIsNotReadTwice) {
  const LoadedPairs loaded = read(
      R"({"user_id": "u", "prompt": "Q", "chosen": [{"role": "user", "content": "Q"}, {"role": "model", "content": "a"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "model", "content": "b"}]}
{"user_id": "u", "prompt": "Q", "chosen": "a", "rejected": "b", "context": "Q"}
)");
  const User& user = loaded.users.test.at(0);
  EXPECT_EQ(user.context.at(0).context, "");
  EXPECT_EQ(user.context.at(0).chosen, "[user]: Q\n\n[model]: a");
  EXPECT_EQ(user.test.at(0).context, "Q");
  EXPECT_THAT(loaded.users.remarks,
              ElementsAre("pairs.jsonl:2: column `prompt` is not read: `context` holds what was "
                          "asked"));
}

TEST_F(Pairs, ColumnsThatMayHoldTheQuestionAreNamedWhereNoneIsRead) {
  const LoadedPairs loaded =
      read(R"({"user_id": "u", "instruction": "Q", "input": "x", "chosen": "a", "rejected": "b"}
{"user_id": "u", "instruction": "Q", "input": "x", "chosen": "a", "rejected": "c"}
)");
  EXPECT_THAT(loaded.users.remarks, ElementsAre("pairs.jsonl:1: no `context`: the answers stand "
                                                "alone; not read: `instruction`, `input`"));
}

TEST_F(Pairs, AFixedOrderIsDrawnWhereTheRowHasNone) {
  PairsOptions options = all_of(folder_.write("pairs.jsonl", rows_of("u", 200)), 1);
  const auto count_flips = [&] {
    const LoadedPairs loaded = read_pairs(options);
    std::size_t n = 0;
    for (const PreferencePair& pair : loaded.users.test.at(0).test) n += pair.flip;
    return n;
  };
  EXPECT_EQ(count_flips(), count_flips());
  EXPECT_GT(count_flips(), 35U);
  EXPECT_LT(count_flips(), 65U);
}

/// The files of real people's pairs, where they are.
class RealPairs : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name) {
    return shared_folder() / "data" / name /
           (name == "prism_demos" ? "pairs_all_users.jsonl" : "pairs.jsonl");
  }
  void SetUp() override {
    if (!std::filesystem::exists(file("llmfao"))) {
      GTEST_SKIP() << file("llmfao") << " is missing: set THETA_SHARED";
    }
  }
};

TEST_F(RealPairs, LlmfaoHas72WorkersWhosePromptsStayOnOneSide) {
  const LoadedPairs loaded = read_pairs({.file = file("llmfao"),
                                         .min_pairs = 10,
                                         .by_conversation = true,
                                         .users = {20, 10, 20},
                                         .seed = 1});
  EXPECT_EQ(loaded.n_rows, 3433U);
  std::set<std::string> users;
  for (const auto* part : {&loaded.users.train, &loaded.users.validation, &loaded.users.test}) {
    for (const User& user : *part) {
      EXPECT_TRUE(users.insert(user.id).second) << user.id;
      std::set<std::string> prompts;
      for (const PreferencePair& pair : user.context) prompts.insert(pair.context);
      for (const PreferencePair& pair : user.test) EXPECT_EQ(prompts.count(pair.context), 0U);
    }
  }
  EXPECT_EQ(users.size(), 50U);
}

TEST_F(RealPairs, MtBenchSecondTurnsHoldTheConversationUpToThem) {
  const LoadedPairs loaded =
      read_pairs({.file = file("mtbench"), .min_pairs = 10, .users = {0, 0, 20}});
  EXPECT_EQ(loaded.n_rows, 1867U);
  bool found = false;
  for (const User& user : loaded.users.test) {
    for (const PreferencePair& pair : user.test) {
      found = found || pair.chosen.find("\n\n[user]: ") != std::string::npos;
    }
  }
  EXPECT_TRUE(found);
}

TEST_F(RealPairs, PrismDemosHave18People) {
  const LoadedPairs loaded =
      read_pairs({.file = file("prism_demos"), .min_pairs = 2, .users = {0, 0, 18}});
  EXPECT_EQ(loaded.n_rows, 84U);
  EXPECT_EQ(loaded.users.test.size(), 18U);
}

TEST_F(RealPairs, TheSchemasOfTheOriginalsAreRead) {
  for (const std::string name : {"chatbot_arena_row0", "personalrewardbench_prism_row"}) {
    const auto row = shared_folder() / "data/schemas" / (name + ".json");
    const TemporaryFolder folder;
    std::ifstream in(row);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto file = folder.write("rows.json", "[" + text + "]");
    // One row makes no user with both sides: reading it is what is tested.
    const LoadedPairs loaded = read_pairs({.file = file, .min_pairs = 1});
    EXPECT_EQ(loaded.n_rows, 1U) << name;
    EXPECT_EQ(loaded.n_small_users, 1U) << name;
  }
}

/// Four choices of each of these people.
std::string choices_of(const std::vector<std::string>& users, const std::string& more = "") {
  std::string rows;
  for (const std::string& user : users)
    for (const char* k : {"1", "2", "3", "4"})
      rows += R"({"user_id": ")" + user + R"(", "pair_id": ")" + user + k + R"(", "chosen": "a)" +
              k + R"(", "rejected": "b)" + k + R"(")" + more + "}\n";
  return rows;
}

TEST_F(Pairs, OfOnePersonAreAllContext) {
  const auto file = folder_.write("two.jsonl", choices_of({"ann", "bob"}));
  std::vector<std::string> remarks;
  const User ann = read_person(file, "ann", remarks);
  EXPECT_EQ(ann.id, "ann");
  EXPECT_THAT(ids(ann.context), ElementsAre("ann1", "ann2", "ann3", "ann4"));
  EXPECT_TRUE(ann.test.empty());
  EXPECT_EQ(read_person(folder_.write("one.jsonl", choices_of({"bob"})), "", remarks).id, "bob");
}

TEST_F(Pairs, OfOnePersonLeaveOutThoseThatAreKeptForTests) {
  std::vector<std::string> remarks;
  std::string rows = choices_of({"ann"}, R"(, "split": "train")");
  rows += R"({"user_id": "ann", "pair_id": "t", "chosen": "x", "rejected": "y", "split": "test"})";
  const auto file = folder_.write("split.jsonl", rows);
  EXPECT_THAT(ids(read_person(file, "", remarks).context),
              ElementsAre("ann1", "ann2", "ann3", "ann4"));
  EXPECT_EQ(remarks.back(),
            file.string() + ": 1 pairs of `ann` are kept for tests, as their rows say");
}

TEST_F(Pairs, OfOnePersonHaveToBeSomebodysAndEnough) {
  const auto refused = [&](const std::string& rows, const std::string& user) {
    const auto file = folder_.write("x.jsonl", rows);
    std::vector<std::string> remarks;
    return message_of<UserError>([&] { (void)read_person(file, user, remarks); })
        .substr(file.string().size());
  };
  EXPECT_EQ(refused(choices_of({"ann", "bob"}), ""),
            ": it holds the choices of 2 people: say whose with --user, `ann`, `bob`");
  EXPECT_EQ(refused(choices_of({"ann"}), "eve"), ": it holds no choice of `eve`; there are `ann`");
  EXPECT_EQ(refused(R"({"user_id": "ann", "chosen": "a", "rejected": "b"})", ""),
            ": `ann` chose between 1 pairs, and a persona needs 4 or more");
  EXPECT_EQ(refused(choices_of({"ann"}) + R"({"user_id": "ann", "chosen": "a"})", ""),
            ":5: neither `chosen` and `rejected` nor `conversation_a` and `conversation_b`; there "
            "are `user_id`, `chosen`");
}

TEST_F(Pairs, ThatNobodyChoseBetweenHaveAFirstAndASecondText) {
  std::vector<std::string> remarks;
  const auto pairs = read_open_pairs(
      folder_.write(
          "open.jsonl",
          R"({"context": "Why?", "first": "a", "second": {"role": "model", "content": "b"}}
{"pair_id": "p", "first": "c", "second": "d", "note": 1}
)"),
      remarks);
  EXPECT_THAT(ids(pairs), ElementsAre("row 1", "p"));
  EXPECT_EQ(pairs[0].context, "Why?");
  EXPECT_EQ(pairs[0].chosen, "a");
  EXPECT_EQ(pairs[0].rejected, "[model]: b");
}

TEST_F(Pairs, ThatNobodyChoseBetweenAreRefusedByTheirLine) {
  const auto refused = [&](const std::string& rows) {
    const auto file = folder_.write("open.jsonl", rows);
    std::vector<std::string> remarks;
    return message_of<UserError>([&] { (void)read_open_pairs(file, remarks); })
        .substr(file.string().size());
  };
  EXPECT_EQ(refused("{\"first\": \"a\", \"second\": \"b\"}\n{\"first\": \"a\"}\n"),
            ":2: no `second`; there are `first`");
  EXPECT_EQ(refused(R"({"first": "a", "second": "a"})"),
            ":1: `first` and `second` are the same text");
  EXPECT_EQ(refused("{\"pair_id\": \"p\", \"first\": \"a\", \"second\": \"b\"}\n"
                    "{\"pair_id\": \"p\", \"first\": \"c\", \"second\": \"d\"}\n"),
            ":2: the pair `p` stands here again");
}

}  // namespace
}  // namespace theta
