#include "experiments/promptfoo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/commands/commands.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Promptfoo : public testing::Test {
 protected:
  ImportedTask imported(const std::string& config) {
    return import_promptfoo(folder_.write("promptfooconfig.yaml", config), "task", "task.jsonl");
  }
  TemporaryFolder folder_;
};

TEST_F(Promptfoo, PromptsVariablesAndTestsBecomeProgramFieldsAndRows) {
  const ImportedTask task = imported(R"(
description: capitals
prompts:
  - "Name the capital of {{ country }}."
  - "{{country}}: its capital?"
providers: [{id: "openai:chat:gpt-4.1-mini", config: {temperature: 0}}]
defaultTest:
  assert: [{type: javascript, value: output.length < 50}]
tests:
  - vars: {country: France}
    assert: [{type: contains, value: Paris}]
  - {vars: {country: [Peru, Japan]}, assert: [{type: icontains, value: "{{country}}!"}]}
)");
  EXPECT_EQ(task.rows, R"({"country": "France", "answer": "Paris"}
{"country": "Peru", "answer": "Peru!"}
{"country": "Japan", "answer": "Japan!"}
)");
  EXPECT_EQ(task.n_rows, 3u);
  EXPECT_EQ(task.config, R"(# Made of promptfooconfig.yaml.
name: "task"
models:
  task: {base_url: "https://api.openai.com/v1", model: "gpt-4.1-mini", api_key_env: OPENAI_API_KEY}
data:
  file: "task.jsonl"
  split: {train: 1, validation: 1, test: 1}
program:
  signature: "country -> answer"
  instructions: "Name the capital of `country`."
metric: contains
optimizers:
  - name: mipro
    instructions: ["`country`: its capital?"]
)");
  EXPECT_THAT(task.left_out,
              ElementsAre("the assertion `javascript`, 3 times: no metric here says that"));
  EXPECT_EQ(check_configs({folder_.write("task.yaml", task.config)}, {}, /*config_only=*/true), 0);
}

TEST_F(Promptfoo, TestsOfATableHaveTheirAnswersInAColumn) {
  folder_.write("cells.csv",
                "the-text,__expected,__description\n"
                "fine,equals: good,a\nsad,bad,b\nnice,good,c\nawful,bad,d\nlovely,good,e\n"
                "horrid,bad,f\nodd,fn: output.length,g\n");
  const ImportedTask task = imported(R"(
prompts: ["Is {{the-text}} good or bad?"]
providers: ["anthropic:messages:claude"]
tests: file://cells.csv
)");
  EXPECT_EQ(task.n_rows, 6u);
  EXPECT_THAT(task.config, HasSubstr(R"(signature: "the_text -> answer: Literal['bad', 'good']")"));
  EXPECT_THAT(task.config, HasSubstr("metric: exact_match"));
  EXPECT_THAT(
      task.left_out,
      ElementsAre("1 of 7 tests: they are scored by something else than most, exact_match",
                  "the provider `anthropic:messages:claude`: give models.task the base_url of an "
                  "OpenAI-compatible server, or a GGUF file as its path",
                  "the assertion `fn`, 1 times: no metric here says that"));
}

TEST_F(Promptfoo, ARubricIsTheJudges) {
  const ImportedTask task = imported(R"(
prompts: ["Answer {{answer}}"]
providers: ["ollama:chat:llama3.2"]
defaultTest: {assert: [{type: llm-rubric, value: is polite}]}
tests: [{vars: {answer: a}}, {vars: {answer: b}}, {vars: {answer: c}}]
)");
  EXPECT_THAT(task.config, HasSubstr("  judge: task\n"));
  EXPECT_THAT(task.config, HasSubstr(R"(metric: {judge: {rubric: "is polite"}})"));
  EXPECT_THAT(task.config, HasSubstr(R"(signature: "answer -> output")"));
  EXPECT_THAT(task.config, HasSubstr("http://127.0.0.1:11434/v1"));
  EXPECT_THAT(task.left_out, IsEmpty());
  folder_.write("task.jsonl", task.rows);
  EXPECT_EQ(check_configs({folder_.write("task.yaml", task.config)}, {}), 0);
}

TEST_F(Promptfoo, TextsAreReadFromTheirFiles) {
  folder_.write("prompt.json", R"([{"role": "system", "content": "Be brief."},
                                   {"role": "user", "content": "{{question}}"}])");
  folder_.write("tests.yaml", R"(
- {vars: {question: one}, assert: [{type: similar, value: eins}]}
- {vars: {question: file://two.txt}, assert: [{type: similar, value: zwei}]}
- {vars: {question: three}, assert: [{type: similar, value: drei}]}
)");
  folder_.write("two.txt", "two of a file");
  const ImportedTask task = imported(R"(
prompts: file://prompt.json
targets: [{id: "https://gate", config: {apiBaseUrl: "http://10.0.0.1/v1", apiKeyEnvar: GATE}}]
tests: file://tests.yaml
)");
  EXPECT_THAT(task.rows, HasSubstr("two of a file"));
  EXPECT_THAT(task.config, HasSubstr(R"(instructions: "Be brief.\n`question`")"));
  EXPECT_THAT(task.config, HasSubstr("metric: f1"));
  EXPECT_THAT(task.config, HasSubstr(R"(base_url: "http://10.0.0.1/v1")"));
  EXPECT_THAT(task.config, HasSubstr("api_key_env: GATE"));
}

TEST_F(Promptfoo, SaysWhyNothingCanBeMade) {
  const std::string file = (folder_.path() / "promptfooconfig.yaml").string();
  const auto message = [&](const std::string& config) {
    return message_of<UserError>([&] { imported(config); });
  };
  EXPECT_EQ(message("{prompts: [file://p.py], tests: [{vars: {a: b}}]}"),
            file + ": no prompt of it is a text, to make an instruction of");
  EXPECT_EQ(message("{prompts: [Hello.], tests: [{vars: {a: b}}]}"),
            file + ": its first prompt names no variable, as {{text}}, to make an input of");
  EXPECT_EQ(message("{prompts: ['{{a}}'], tests: []}"),
            file + ": it has no tests, to make rows of");
  EXPECT_EQ(message("{prompts: ['{{a}}'], tests: [{vars: {a: b}, assert: [{type: is-json}]}]}"),
            file +
                ": no assertion of its tests has a metric here, as equals, contains, similar, "
                "regex and llm-rubric have");
  EXPECT_EQ(
      message("{prompts: ['{{a}}'], tests: [{vars: {b: b}, assert: [{type: equals, value: x}]}]}"),
      file + ": tests.0: it has no variable `a`, which the first prompt names");
  EXPECT_EQ(
      message("{prompts: ['{{a}}'], tests: [{vars: {a: b}, assert: [{type: equals, value: x}]}]}"),
      file +
          ": 1 tests can be scored here, and 3 parts of the rows (train, validation, "
          "test) want one each at least");
}

}  // namespace
}  // namespace theta
