#include "experiments/commands/verify.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/result.hpp"
#include "tests/support/gguf.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kTask = R"(name: task
models:
  task: {base_url: "http://127.0.0.1:1/v1", model: m}
data:
  splits: {train: train.csv, validation: train.csv2, test: test.csv}
program:
  signature: "review -> mood: Literal['good', 'bad']"
optimizers: []
)";

constexpr const char* kFine = "nothing was thrown";

class Verify : public testing::Test {
 protected:
  Verify() {
    folder_.write("train.csv", "review,mood\na,good\nb,bad\n");
    folder_.write("validation.csv", "review,mood\nc,good\nd,bad\n");
    folder_.write("test.csv", "review,mood\ne,good\nf,bad\n");
    folder_.write("m.gguf", gguf({{"general.architecture", "llama"}}));
    folder_.write("l.gguf", gguf({{"general.type", "adapter"}}));
    std::string text = kTask;
    text.replace(text.find("train.csv2"), 10, "validation.csv");
    config_ = folder_.write("task.yaml", text);
  }

  /// Why a run with these changes is refused, by reading it and by looking at its files.
  std::string why_not(const std::vector<std::string>& sets = {}) const {
    return message_of<UserError>([&] {
      Config config = Config::load(config_);
      for (const std::string& set : sets) config.set(set);
      VerifiedFiles verified;
      verify(config, read_experiment(config), verified);
    });
  }
  /// The same, told at the value that --set gives.
  std::string at_set(const std::string& set) const {
    const std::string message = why_not({set});
    const std::string where = "--set " + set.substr(0, set.find('=')) + ": ";
    EXPECT_THAT(message, StartsWith(where));
    return message.substr(std::min(where.size(), message.size()));
  }
  std::string in(const std::string& name) const { return (folder_.path() / name).string(); }

  TemporaryFolder folder_;
  std::string config_;
};

TEST_F(Verify, NamesTheStepAndTheInputThatNothingGivesIt) {
  const std::string verdict = "{signature: \"notes, tone -> mood: Literal['good', 'bad']\"}";
  EXPECT_EQ(why_not({"program={steps: [{signature: review -> notes}, " + verdict + "]}"}),
            "--set program: step `mood` reads `tone`, which neither the data nor a step before it "
            "gives; the data give `review`, `mood`, the steps `notes`");
  EXPECT_EQ(why_not({"program={steps: [{signature: 'review, tone -> notes'}, " + verdict + "]}"}),
            "--set program: step `notes` reads `tone`, which neither the data nor a step before it "
            "gives; the data give `review`, `mood`");
}

TEST_F(Verify, WantsAColumnOfTheInputsAndOfTheAnswerAlone) {
  const std::string notes = "{signature: 'review -> short, notes'}";
  EXPECT_EQ(why_not({"program={steps: [" + notes + ", {signature: 'notes -> mood'}]}"}), kFine);
  EXPECT_EQ(why_not({"program={steps: [" + notes + ", {signature: 'notes -> feeling'}]}"}),
            "--set program: " + in("train.csv") +
                ":2: no column `feeling` for the field `feeling`; there are `review`, `mood`");
}

TEST_F(Verify, AcceptsWhatIsThere) {
  EXPECT_EQ(why_not(), kFine);
  EXPECT_EQ(
      why_not({"models.task={path: " + in("m.gguf") + ", lora: [{path: " + in("l.gguf") + "}]}"}),
      kFine);
}

TEST_F(Verify, NamesADataFileThatIsMissingWhereTheConfigNamesIt) {
  fs::remove(in("test.csv"));
  EXPECT_EQ(why_not(), config_ + ":5:64: there is no file " + in("test.csv"));
  EXPECT_EQ(at_set("data.splits.test=absent.csv"), "there is no file absent.csv");
  EXPECT_EQ(at_set("data.splits.test=https://host/a.csv"),
            "there is no file https://host/a.csv; an address is not read: fetch it, and name the "
            "file");
  EXPECT_EQ(at_set("data.splits.test=~/a.csv"),
            "there is no file ~/a.csv; `~` is read by shells alone: write ${HOME}");
  EXPECT_EQ(at_set("data.splits.test=parts/*.csv"),
            "there is no file parts/*.csv; a pattern is not read: name one file");
}

TEST_F(Verify, NamesWhatADataFileIsInTruth) {
  fs::create_directory(in("folder.csv"));
  EXPECT_EQ(at_set("data.splits.test=" + in("folder.csv")), in("folder.csv") + " is a folder");
  const auto said = [&](const std::string& name, std::string_view bytes) {
    folder_.write(name, bytes);
    return at_set("data.splits.test=" + in(name));
  };
  EXPECT_THAT(said("a.csv", "PAR1\x15\x04"), HasSubstr("a.csv is a Parquet file"));
  EXPECT_THAT(said("b.jsonl", "version https://git-lfs.github.com/spec/v1\noid x\n"),
              HasSubstr("b.jsonl is a Git LFS pointer"));
  const auto zip = [](const std::string& name) {
    std::string head = "PK\x03\x04";
    head.resize(30);
    head[26] = static_cast<char>(name.size());
    return head + name + "content";
  };
  EXPECT_THAT(said("c.csv", zip("xl/workbook.xml")),
              HasSubstr("c.csv is a workbook: save its sheet as CSV"));
  EXPECT_THAT(said("c.zip", zip("train.csv")),
              HasSubstr("unpack it, and name a file in it, such as train.csv"));
  EXPECT_THAT(said("d.csv", "\x1f\x8b\x08"), HasSubstr("d.csv: the gzip file is cut off"));
  EXPECT_THAT(said("e.json", "<!DOCTYPE html>"), HasSubstr("e.json is a web page"));
  EXPECT_THAT(said("e.jsonl", "\n <html>"), HasSubstr("e.jsonl is a web page"));
  EXPECT_THAT(said("f.csv", std::string(257, '\0') + "ustar"), HasSubstr("f.csv is a tar archive"));
  EXPECT_THAT(said("g.tsx", "x"), HasSubstr("a data file ends in "));
  ASSERT_EQ(::mkfifo(in("pipe.csv").c_str(), 0600), 0);
  EXPECT_EQ(at_set("data.splits.test=" + in("pipe.csv")), in("pipe.csv") + " is no regular file");
}

TEST_F(Verify, NamesAColumnThatRowsLackWhereTheConfigNamesIt) {
  EXPECT_THAT(at_set("program.signature=letter -> mood: Literal['good', 'bad']"),
              HasSubstr("train.csv:2: no column `letter` for the field `letter`; there are "
                        "`review`, `mood`"));
  EXPECT_THAT(at_set("data.fields.review=text"), HasSubstr("no column `text` for the field"));
  EXPECT_THAT(at_set("data.id=key"), HasSubstr("no column `key`"));
  EXPECT_THAT(at_set("data.group=who"), HasSubstr("no column `who`"));
  EXPECT_THAT(
      why_not({"data.splits.test=" + folder_.write("o.csv", "review\ne\n").string()}),
      testing::AllOf(StartsWith(config_ + ":7:14: "), HasSubstr("o.csv:2: no column `mood`")));
}

TEST_F(Verify, NamesAValueThatIsNotOfItsFieldsType) {
  EXPECT_THAT(at_set("data.splits.test=" +
                     folder_.write("o.csv", "review,mood\ne,good\nf,fine\n").string()),
              HasSubstr("o.csv:3: column `mood`: "));
}

TEST_F(Verify, NamesASplitThatTheRowsDoNotFill) {
  const std::string data = "data={file: " + in("train.csv") + ", split: ";
  EXPECT_EQ(why_not({data + "{test: 2}}"}), kFine);
  EXPECT_THAT(why_not({data + "{test: 3}}"}),
              HasSubstr("a split of 3 rows was asked for, there are 2"));
}

TEST_F(Verify, NamesABudgetThatDoesNotPayForOneProgram) {
  EXPECT_EQ(why_not({"optimizers=[{name: copro, max_evaluations: 1}]"}),
            "--set optimizers: max_evaluations is 1, and the program alone is evaluated on 2 "
            "examples");
}

TEST_F(Verify, NamesTheSplitThatAnOptimiserNeeds) {
  const auto without = [&](const std::string& splits, const std::string& optimizer) {
    return why_not(
        {"data.splits={test: " + in("test.csv") + splits + "}", "optimizers=[" + optimizer + "]"});
  };
  const std::string train = ", train: " + in("train.csv");
  const std::string validation = ", validation: " + in("validation.csv");
  for (const char* name : {"labeled_few_shot", "bootstrap_few_shot", "random_search", "mipro",
                           "copro", "gepa", "pipeline, steps: [{name: copro}]"})
    EXPECT_THAT(without(train, fmt::format("{{label: it, name: {}}}", name)),
                StartsWith("--set data.splits: 'it' needs validation examples, by which programs "
                           "are chosen: give 'validation: FILE' here"))
        << name;
  for (const char* name : {"labeled_few_shot", "bootstrap_few_shot", "random_search", "gepa",
                           "pipeline, steps: [{name: copro}, {name: gepa}]"})
    EXPECT_EQ(without(validation, fmt::format("{{label: it, name: {}}}", name)),
              "--set data.splits: 'it' needs train examples, which it learns from: give 'train: "
              "FILE' here")
        << name;
  for (const char* name : {"copro", "mipro", "pipeline, steps: [{name: copro}]"})
    EXPECT_EQ(without(validation, fmt::format("{{name: {}}}", name)), kFine) << name;
  EXPECT_EQ(without("", ""), kFine);
  EXPECT_EQ(why_not({"data={file: " + in("train.csv") + ", split: {train: 1, test: 1}}",
                     "optimizers=[{name: copro}]"}),
            "--set data: 'copro' needs validation examples, by which programs are chosen: give "
            "'validation: NUMBER' here");
  EXPECT_THAT(why_not({"data.splits={test: " + in("test.csv") + "}", "program.answering=score",
                       "program.calibrate=train"}),
              HasSubstr("'calibrate: train' needs train examples"));
}

TEST_F(Verify, LooksAtTheHeadersOfWeightsAndAdapters) {
  folder_.write("page.gguf", "<!DOCTYPE html>");
  EXPECT_EQ(at_set("models.task={path: /none/m.gguf}").substr(0, 13), "there is no f");
  for (const auto& [model, why] :
       {std::pair{"path: " + in("page.gguf"), "page.gguf is a web page"},
        {"path: " + in("l.gguf"), "l.gguf is an adapter"},
        {"path: " + in("test.csv"), "test.csv is not a GGUF file"},
        {"path: " + in("m.gguf") + ", lora: [{path: " + in("m.gguf") + "}]",
         "m.gguf is a model, not an adapter"},
        {"path: " + in("m.gguf") + ", lora: [{path: /none/l.gguf}]", "no file /none/l.gguf"}})
    EXPECT_THAT(why_not({"models.task={" + model + "}"}), HasSubstr(why));
}

TEST_F(Verify, ReadsKeysAndAuthoritiesAndRepeatsNone) {
  ::unsetenv("THETA_TEST_NONE");
  EXPECT_EQ(at_set("models.task.api_key_env=THETA_TEST_NONE"),
            "environment variable THETA_TEST_NONE (api_key_env) is not set");
  EXPECT_EQ(at_set("models.task.api_key_file=/none/key"),
            "file /none/key (api_key_file) cannot be read");
  const std::string two = folder_.write("two.txt", "sk 0123456789\n");
  EXPECT_EQ(at_set("models.task.api_key_file=" + two),
            "file " + two + " holds no key: one line of printable characters without spaces");
  EXPECT_THAT(
      why_not({"models.task.base_url=https://h/v1", "models.task.ca_file=" + in("test.csv")}),
      HasSubstr("--set models.task.ca_file: ca_file '" + in("test.csv") +
                "' holds no authorities in PEM form"));
  folder_.write("key.txt", "sk-0123456789\n");
  EXPECT_EQ(why_not({"models.task.api_key_file=" + in("key.txt")}), kFine);
}

TEST_F(Verify, MissesACacheThatIsToBeReplayed) {
  EXPECT_THAT(why_not({"cache={path: " + in("none.db") + ", mode: replay}"}),
              HasSubstr("there is no cache " + in("none.db") + " to replay"));
  EXPECT_EQ(why_not({"cache={path: " + in("none.db") + "}"}), kFine);
  EXPECT_FALSE(fs::exists(in("none.db")));
}

// --- files of more than a megabyte --------------------------------------------------------------

/// Rows, the fault in the row at `fault`, and a megabyte of good ones behind.
std::string rows(const std::string& ending, std::size_t fault) {
  std::string out = ending == "csv" ? "review,mood\n" : ending == "json" ? "{\"rows\": [\n" : "";
  for (std::size_t i = 0; i < 20000; ++i) {
    const std::string review =
        fmt::format("review {} of some length, with \\\"quotes\\\" in it", i);
    const std::string mood = i == fault ? "fine" : i % 2 == 0 ? "good" : "bad";
    if (ending == "csv")
      out += fmt::format("\"a 5\"\" screen,\nnumber {}, and more words for length\",{}\n", i, mood);
    else
      out += fmt::format("{{\"review\": \"{}\", \"mood\": \"{}\"}}{}\n", review, mood,
                         ending == "json" && i + 1 < 20000 ? "," : "");
  }
  return out + (ending == "json" ? "], \"about\": \"rows\"}\n" : "");
}

TEST_F(Verify, ReadsTheFirstRowsOfLargeData) {
  for (const std::string ending : {"csv", "jsonl", "json"}) {
    const std::string path = ending == "json" ? "data.rows=rows" : "seed=0";
    const auto of = [&](std::size_t fault) {
      const std::string file = folder_.write("large." + ending, rows(ending, fault));
      EXPECT_GT(fs::file_size(file), 1U << 20);
      return why_not({"data.splits={test: " + file + "}", path});
    };
    EXPECT_EQ(of(100000), kFine) << ending;
    EXPECT_THAT(of(2), HasSubstr("column `mood`")) << ending;
    EXPECT_EQ(of(19990), kFine) << ending << ", which is for the run to find";
  }
}

TEST_F(Verify, ReadsAllOfLargeDataWhoseFirstPartCannotBeReadAlone) {
  // A quote inside a cell is none of a cell's; a document's rows may stand behind much else.
  std::string csv = "review,mood\na 5\" screen,good\n";
  while (csv.size() < (1U << 20)) csv += "\"two\nlines\",bad\n";
  EXPECT_EQ(why_not({"data.splits={test: " + folder_.write("l.csv", csv).string() + "}"}), kFine);
  const std::string json = R"({"about": ")" + std::string(2U << 20, 'x') +
                           R"(", "rows": [{"review": "a", "mood": "good"}]})";
  EXPECT_EQ(why_not({"data.splits={test: " + folder_.write("l.json", json).string() + "}",
                     "data.rows=rows"}),
            kFine);
}

// --- people -------------------------------------------------------------------------------------

TEST(VerifyPeople, LooksAtThePairs) {
  const TemporaryFolder folder;
  const std::string pair =
      R"({{"user_id": "{0}", "pair_id": "{0}.{1}", "context": "q", "chosen": "a{1}", "rejected": "b"}})"
      "\n";
  std::string good;
  for (int user = 0; user < 3; ++user)
    for (int i = 0; i < 4; ++i) good += fmt::format(fmt::runtime(pair), user, i);
  folder.write("pairs.jsonl", good);
  const auto why_not = [&](const std::string& pairs) {
    return message_of<UserError>([&] {
      const Config config =
          Config::load(folder.write("people.yaml",
                                    "name: p\nmodels: {teacher: {base_url: 'http://a/v1', model: "
                                    "m}}\npersonas: {judge: {}, theta: {}}\ndata: {pairs: {" +
                                        pairs + "}}\n"));
      VerifiedFiles verified;
      verify(config, read_experiment(config), verified);
    });
  };
  const std::string sizes = ", train: 1, validation: 1, test: 1";
  EXPECT_EQ(why_not("file: pairs.jsonl" + sizes), kFine);
  EXPECT_THAT(why_not("file: none.jsonl" + sizes),
              EndsWith(":4:22: there is no file " + (folder.path() / "none.jsonl").string()));
  EXPECT_THAT(why_not("file: pairs.jsonl, train: 1, validation: 1, test: 9"),
              HasSubstr("a split of 11 users was asked for, there are 3"));
  folder.write("pairs.jsonl", good + "{\"user_id\": \"x\"}\n");
  EXPECT_THAT(why_not("file: pairs.jsonl" + sizes), HasSubstr("pairs.jsonl:13: neither `chosen`"));
  std::string large = "{\"user_id\": \"x\"}\n";
  while (large.size() < (1U << 20)) large += good;
  folder.write("pairs.jsonl", large);
  EXPECT_THAT(why_not("file: pairs.jsonl" + sizes), HasSubstr("pairs.jsonl:1: neither `chosen`"));
}

TEST(VerifyPeople, NamesThePeopleThatAnOptimiserOfThetaNeeds) {
  const TemporaryFolder folder;
  const auto why_not = [&](const std::string& sizes, const std::string& optimizer) {
    return message_of<UserError>([&] {
      const Config config = Config::load(
          folder.write("people.yaml",
                       "name: p\nmodels: {teacher: {base_url: 'http://a/v1', model: m}}\n"
                       "personas: {judge: {}, theta: {}}\ndata: {pairs: {file: p.jsonl, test: 9" +
                           sizes + "}}\noptimizers: [{name: " + optimizer + "}]\n"));
      verify_splits(config, read_experiment(config));
    });
  };
  EXPECT_THAT(why_not(", train: 1", "mipro"),
              EndsWith(":4:15: 'mipro' needs validation people, by whose choices Θ is chosen: give "
                       "'validation: NUMBER' here"));
  EXPECT_THAT(why_not(", validation: 1", "labeled_few_shot"),
              EndsWith(":4:15: 'labeled_few_shot' needs train people, whom it learns from: give "
                       "'train: NUMBER' here"));
  EXPECT_EQ(why_not(", validation: 1", "mipro"), kFine);
  EXPECT_EQ(why_not(", train: 1, validation: 1", "labeled_few_shot"), kFine);
}

// --- the commands -------------------------------------------------------------------------------

TEST_F(Verify, IsWhatCheckAndRunSayInTheSameWords) {
  fs::remove(in("test.csv"));
  const std::string line = config_ + ":5:64: there is no file " + in("test.csv") + "\n";
  const Finished check = run_to_end({theta_binary(), "check", config_});
  EXPECT_EQ(check.code, 2);
  EXPECT_EQ(check.err, line);
  const Finished run = run_to_end({theta_binary(), "run", config_, "--out", in("out")});
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.err, line);
  EXPECT_FALSE(fs::exists(in("out")));
}

TEST_F(Verify, LooksAtEveryRunOfASweep) {
  const std::string text = std::string(
      "sweep: {list: {here: {seed: 1}, there: {data.splits.test: "
      "none.csv}}}\n");
  std::ifstream task(config_);
  const std::string sweep =
      folder_.write("sweep.yaml", text + std::string(std::istreambuf_iterator<char>(task), {}));
  const Finished check = run_to_end({theta_binary(), "check", sweep});
  EXPECT_EQ(check.code, 2);
  EXPECT_EQ(check.err, sweep + ":1:59: there is no file " + in("none.csv") + "\n");
  EXPECT_EQ(run_to_end({theta_binary(), "check", sweep, "--config-only"}).code, 0);
}

TEST_F(Verify, OfTheConfigAloneOpensNothingAndReadsNoVariable) {
  const std::string foreign = folder_.write("foreign.yaml", R"(name: foreign
seed: ${THETA_TEST_SECRET}
models:
  task:
    base_url: "${THETA_TEST_SECRET}"
    model: "${THETA_TEST_SECRET}"
    api_key_env: THETA_TEST_SECRET
    ca_file: "/none/${THETA_TEST_SECRET:-x}.pem"
    in_flight: ${THETA_TEST_SECRET}
    requests_per_minute: ${THETA_TEST_NONE}
  proposer: {path: "${THETA_TEST_NONE}/m.gguf", threads: "${THETA_TEST_NONE:-3}"}
data:
  splits: {train: none.csv, validation: "${THETA_TEST_SECRET}", test: key.txt}
program:
  signature: "review -> mood"
  adapter: ${THETA_TEST_SECRET}
  grammar: ${THETA_TEST_SECRET}
metric: ${THETA_TEST_SECRET}
optimizers: [{name: copro, breadth: "${THETA_TEST_SECRET}"}]
)");
  ::setenv("THETA_TEST_SECRET", "sk-0123456789", 1);
  ::unsetenv("THETA_TEST_NONE");
  const Finished only = run_to_end({theta_binary(), "check", foreign, "--config-only"});
  EXPECT_EQ(only.code, 0);
  EXPECT_EQ(only.out + only.err, foreign + ": ok (foreign)\n");
  // What is read is not repeated: a message shows the variable's name.
  const Finished whole = run_to_end({theta_binary(), "check", foreign});
  EXPECT_EQ(whole.code, 2);
  EXPECT_EQ(whole.err, foreign + ":2:7: 'seed' is not an integer: '${THETA_TEST_SECRET}'\n");
  const Finished choice =
      run_to_end({theta_binary(), "check", config_, "--set", "metric=${THETA_TEST_SECRET}"});
  EXPECT_THAT(choice.err,
              testing::AllOf(HasSubstr("'${THETA_TEST_SECRET}'"), Not(HasSubstr("0123456789"))));
  ::unsetenv("THETA_TEST_SECRET");
  // Faults are faults all the same.
  EXPECT_EQ(run_to_end({theta_binary(), "check", foreign, "--config-only", "--set", "sed=1"}).code,
            2);
}

}  // namespace
}  // namespace theta
