#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <tuple>

#include "experiments/commands/commands.hpp"
#include "experiments/files.hpp"
#include "experiments/runs/experiment.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kTask = R"(name: task
seed: 7
models:
  task: {path: model.gguf, threads: 2}
  proposer: task
data:
  file: reviews.csv
  split: {train: 4, validation: 2, test: 2}
  fields: {sentence: text}
program:
  signature: "sentence -> mood: Literal['good', 'bad']"
  adapter: terse
  answering: score
metric: exact_match
optimizers:
  - {name: mipro, num_trials: 2}
  - {name: random_search, threshold: 0.5}
)";

constexpr const char* kPeople = R"(name: people
models:
  teacher: {path: model.gguf}
  student: {base_url: "http://localhost:1/v1", model: small}
data:
  tastes: {names: [praise], noise: 0.1}
personas:
  judge: {adapter: terse}
  theta: {samples: 2}
)";

/// A config that is right but for one thing.
struct Broken {
  std::string sentence;
  std::string base;
  std::string from, to;  ///< the first `from` of the base becomes `to`; empty: all of it
  std::string message;   ///< behind the file's name
  std::vector<std::string> sets = {};
  std::string name = "broken.yaml";

  fs::path write(const TemporaryFolder& folder, const std::string& file) const {
    std::string text = base;
    text.replace(from.empty() ? 0 : text.find(from), from.empty() ? text.size() : from.size(), to);
    return folder.write(file, text);
  }
};

void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.message; }

const std::vector<Broken>& broken_configs() {
  static const std::vector<Broken> configs = {
      {"AnUnknownKeyNamesTheNearest", kTask,
       "metric:", "metrik:", ":14:1: unknown key 'metrik'; did you mean 'metric'?"},
      {"PromptfoosConfigIsNamed", kTask, "", "description: x\nprompts: [a]\nproviders: [b]\n",
       ":2:10: this is promptfoo's config: `providers` are `models` here, `prompts` a `program` "
       "(signature, instructions), `tests` a file under `data`, `assert` the `metric`; `theta "
       "import` "
       "makes it so"},
      {"HydrasConfigIsNamed", kTask, "", "defaults:\n  - model: small\nlr: 1\n",
       ":2:3: this is Hydra's config: its groups stand in one file here (YAML's `<<: *base` shares "
       "what is alike), overrides are --set key=value, and --multirun is a `sweep`"},
      {"ASweepOfWeightsAndBiasesIsNamed", kTask, "",
       "program: train.py\nmethod: bayes\nparameters: {lr: {values: [1]}}\n",
       ":2:9: this is a sweep of Weights & Biases: `parameters` with `values` are the lists of a "
       "`sweep` here, `program` is theta run itself, and `metric` is chosen under `metric`"},
      {"OptunasConfigIsNamed", kTask, "", "study_name: s\nn_trials: 5\n",
       ":1:13: this is Optuna's config: trials are an optimiser's `num_trials` here, what a search "
       "tries is its `space`, or a `sweep`"},
      {"ASavedProgramIsNamed", kTask, "", R"({"respond.predict": {"demos": [], "signature": {}}})",
       ":1:1: this is a saved program, not a config: theta predict and theta eval take it, and a "
       "config as `program: {load: FILE}`"},
      {"AConfigOfAnyOtherToolIsNamed", kTask, "", "model_list: []\nx: 1\n",
       ":1:1: no config of theta's: it has `model_list`, `x`, and none of `name`, `models`, "
       "`data`, "
       "`program`"},
      {"OptionsAreHiddenFromDspysAdapters", kTask, "adapter: terse",
       "adapter: chat\n  options: hidden",
       ":13:12: options can be hidden by the terse adapter alone: DSPy's, chat and json, list "
       "them"},
      {"OptionsOfAJudgeAreHiddenFromDspysAdapters", kPeople, "adapter: terse",
       "adapter: json, options: hidden",
       ":8:35: options can be hidden by the terse adapter alone: DSPy's, chat and json, list "
       "them"},
      {"AnAddressIsNone", kPeople, "http://localhost:1/v1", "localhost:1",
       ":4:23: base_url 'localhost:1' names no scheme: write http://localhost:1"},
      {"AnAddressOfSeveralIsNone", kPeople, "\"http://localhost:1/v1\"", "['http://a', 'ftp://b']",
       ":4:36: base_url 'ftp://b' is not of the form http://host:port/path or https://host/path"},
      {"AnAddressIsGivenTwice", kPeople, "\"http://localhost:1/v1\"", "['http://a', 'http://a']",
       ":4:36: 'http://a' is given twice"},
      {"NoAddressIsGiven", kPeople, "\"http://localhost:1/v1\"", "[]",
       ":4:23: 'base_url' lists no address"},
      {"AKeyStandsWhereAVariableIsNamed", kPeople, "model: small",
       "model: small, api_key_env: sk-0123456789",
       ":4:75: 'api_key_env' names an environment variable (capital letters, digits, '_'): put the "
       "key there, or into a file that api_key_file names"},
      {"AKeyOfLettersStandsWhereAVariableIsNamed", kPeople, "model: small",
       "model: small, api_key_env: gsk_0123456789",
       ":4:75: 'api_key_env' names an environment variable (capital letters, digits, '_'): put the "
       "key there, or into a file that api_key_file names"},
      {"AKeyStandsInAnAddress", kPeople, "localhost:1/v1", "localhost:1/v1?key=0123456789",
       ":4:23: base_url 'http://localhost:1/v1?..' holds a query: write http://localhost:1/v1 and "
       "put it under 'query: {key: ..}'"},
      {"ALimitAMinuteIsNone", kPeople, "model: small", "model: small, requests_per_minute: 0",
       ":4:83: 'requests_per_minute' is not in 0..1e12"},
      {"ALimitAMinuteIsMisspelt", kPeople, "model: small", "model: small, token_per_minute: 9",
       ":4:62: unknown key 'token_per_minute'; did you mean 'tokens_per_minute'?"},
      {"ACacheModeIsUnknown", kTask, "metric:", "cache: {path: c.db, mode: reply}\nmetric:",
       ":14:27: 'mode' is not one of record, replay, off: 'reply'; did you mean 'replay'?"},
      {"ACacheHasNoPath", kTask,
       "metric:", "cache: {mode: off}\nmetric:", ":14:8: 'path' is missing here"},
      {"ACacheIsAWord", kTask,
       "metric:", "cache: c.db\nmetric:", ":14:8: a cache is a mapping with a 'path' and a 'mode'"},
      {"AnUnknownKeyDeepInsideIsFound", kTask,
       "threads:", "thread:", ":4:28: unknown key 'thread'; did you mean 'threads'?"},
      {"AKeyIsGivenTwice", kTask, "metric: exact_match", "seed: 8",
       ":14:1: key 'seed' is given twice (first at 2:1)"},
      {"AnIntegerIsAWord", kTask, "seed: 7", "seed: seven",
       ":2:7: 'seed' is not an integer: 'seven'"},
      {"ASplitIsAShare", kTask, "train: 4", "train: .4",
       ":8:18: 'train' counts rows, and '.4' is a share: write how many"},
      {"ANumberIsAWord", kTask, "0.5", "half", ":17:38: 'threshold' is not a number: 'half'"},
      {"ABooleanIsAWord", kTask, "answering: score", "chain_of_thought: yes",
       ":13:21: 'chain_of_thought' is not true or false: 'yes'"},
      {"AKeyIsMissing", kTask, "  signature: \"sentence -> mood: Literal['good', 'bad']\"\n", "",
       ":11:3: 'signature' is missing here"},
      {"TheNameIsMissing", kTask, "name: task\n", "", ":1:1: 'name' is missing here"},
      {"AMappingIsAText", kTask, "data:\n", "data: reviews.csv\nrest:\n",
       ":6:7: 'data' is not a mapping: 'reviews.csv'"},
      {"ItIsNotYaml", kTask, "threads: 2}", "threads: 2",
       ":5:11: a `{` is not closed by its `}`, or a comma is missing"},
      {"ATabIndents", kTask,
       "  task:", "\ttask:", ":4:1: YAML is indented with spaces, not with tabs"},
      {"TheFileIsEmpty", kTask, "", "", ":1:1: the config is empty"},
      {"JsonIsReadTheSameWay",
       kTask,
       "",
       "{\n  \"name\": \"task\",\n  \"seed\": \"7\"\n}\n",
       ":3:11: 'seed' is not an integer: '7' is in quotes",
       {},
       "broken.json"},
      {"JsonIsCutOff",
       kTask,
       "",
       "{\"name\": \"task\",\n \"seed\": 7,\n",
       ":3:1: a `{` is not closed by its `}`, or a comma is missing",
       {},
       "broken.json"},
      {"TheOptimizerIsUnknown", kTask, "name: mipro", "name: miprov",
       ":16:12: 'name' is not one of labeled_few_shot, knn_few_shot, bootstrap_few_shot, "
       "random_search, mipro, "
       "copro, gepa, fit_options, pipeline: 'miprov'; did you mean 'mipro'?"},
      {"AnOptimizerHasNoName", kTask, "name: mipro, ", "", ":16:5: 'name' is missing here"},
      {"AnOptimizerStandsTwice", kTask, "{name: mipro, num_trials: 2}", "{name: random_search}",
       ":17:12: 'random_search' stands here again, and rows are told apart by it: give a 'label'"},
      {"ALabelStandsTwice", kTask, "{name: random_search,", "{name: copro, label: mipro,",
       ":17:26: 'mipro' stands here again, and rows are told apart by it: give a 'label'"},
      {"ALabelIsARowOfItsOwn", kTask, "{name: mipro,", "{name: mipro, label: untouched,",
       ":16:26: 'untouched' stands here again, and rows are told apart by it: give a 'label'"},
      {"AFaithfulMiproHasASurrogate", kTask, "num_trials: 2", "faithful: true, surrogate: gp",
       ":16:46: a faithful mipro searches with tpe: leave 'surrogate' out"},
      {"AFaithfulMiproHasATokenLimit", kTask, "num_trials: 2",
       "faithful: true, max_prompt_tokens: 9",
       ":16:54: a faithful mipro has no token limit, as DSPy has none"},
      {"AFaithfulMiproTriesFormats", kTask, "num_trials: 2", "faithful: true, space: {}",
       ":16:42: a faithful mipro tries no formats, as DSPy's does not: leave 'space' out"},
      {"AFormatIsUnknown", kTask, "num_trials: 2", "space: {adapter: [chat, xml]}",
       ":16:43: 'adapter' is a list of chat, json, terse; this is 'xml'"},
      {"AFormatIsNoList", kTask, "num_trials: 2", "space: {chain_of_thought: true}",
       ":16:45: 'chain_of_thought' is not a sequence: 'true'"},
      {"AFrozenFormatIsOfNoStep", kTask, "num_trials: 2", "frozen: [judge.format]",
       ":16:27: the program has no `judge.format` to freeze"},
      {"TheInstructionStandsElsewhereInTheChat", kTask, "adapter: terse",
       "adapter: chat\n  instruction_place: behind",
       ":13:22: an instruction can stand elsewhere with the terse adapter alone: DSPy's, chat and "
       "json, have it in the system's message"},
      {"TheGateLeavesTheSearchNothing", kTask, "num_trials: 2", "gate: {fresh: 1}",
       ":16:33: `fresh` must be in 0..0.9"},
      {"TheGateLetsWorseOnesThrough", kTask, "num_trials: 2", "gate: {threshold: .2}",
       ":16:37: `threshold` must be in 0.5..1"},
      {"TheGateHasAnotherKey", kTask, "num_trials: 2", "gate: {share: .2}",
       ":16:26: unknown key 'share'"},
      {"AStepOfAPipelineHasAGate", kTask, "{name: mipro, num_trials: 2}",
       "{name: pipeline, steps: [{name: copro, gate: {fresh: 0}}]}", ":16:44: unknown key 'gate'"},
      {"AFaithfulMiproShowsHistory", kTask, "num_trials: 2",
       "faithful: true, proposer: {history: true}",
       ":16:55: a faithful mipro shows no history, as DSPy's does not: leave 'history' out"},
      {"ThePersonasGuardIsNegative", kPeople, "samples: 2", "max_copied: -1",
       ":9:23: 'max_copied' must be at least 0, not -1"},
      {"AutoIsNotFaithful", kTask, "num_trials: 2", "auto: light",
       ":16:25: 'auto' is DSPy's: it wants 'faithful: true'"},
      {"AutoDecidesTheTrials", kTask, "num_trials: 2", "faithful: true, auto: light, num_trials: 2",
       ":16:60: 'auto' decides 'num_trials': leave one of them out"},
      {"AutoIsUnknown", kTask, "num_trials: 2", "faithful: true, auto: lite",
       ":16:41: 'auto' is not one of light, medium, heavy: 'lite'"},
      {"AFaithfulMiproStopsEarly", kTask, "num_trials: 2", "faithful: true, stop_below: .01",
       ":16:47: a faithful mipro runs to its end, as DSPy's does: leave 'stop_below' out"},
      {"StoppingWantsTheGain", kTask, "num_trials: 2", "surrogate: tpe, stop_below: .01",
       ":16:47: 'stop_below' wants 'surrogate: paired'"},
      {"WideningWantsTheGain", kTask, "num_trials: 2", "surrogate: tpe, widening: .1",
       ":16:45: 'widening' wants 'surrogate: paired'"},
      {"TheGainToStopBelowIsNegative", kTask, "num_trials: 2", "stop_below: -1",
       ":16:31: 'stop_below' must be at least 0"},
      {"CoproHasAKeyOfGepa", kTask, "{name: mipro, num_trials: 2}", "{name: copro, max_merges: 2}",
       ":16:19: unknown key 'max_merges'"},
      {"AGepaMinibatchIsEmpty", kTask, "{name: mipro, num_trials: 2}",
       "{name: gepa, minibatch_size: 0}", ":16:34: 'minibatch_size' must be at least 1, not 0"},
      {"APipelineHasNoSteps", kTask, "{name: mipro, num_trials: 2}", "{name: pipeline, steps: []}",
       ":16:29: a pipeline has at least one step"},
      {"AStepOfAPipelineIsUnknown", kTask, "{name: mipro, num_trials: 2}",
       "{name: pipeline, steps: [{name: coper}]}",
       ":16:37: 'name' is not one of labeled_few_shot, knn_few_shot, bootstrap_few_shot, "
       "random_search, mipro, "
       "copro, gepa, fit_options, pipeline: 'coper'"},
      {"ABudgetIsNegative", kTask, "num_trials: 2", "max_evaluations: -1",
       ":16:36: 'max_evaluations' must be at least 0, not -1"},
      {"TheAdapterIsUnknown", kTask, "adapter: terse", "adapter: tense",
       ":12:12: 'adapter' is not one of chat, json, terse: 'tense'; did you mean 'terse'?"},
      {"TheMetricIsUnknown", kTask, "exact_match", "f2",
       ":14:9: 'metric' is not one of exact_match, contains, f1, number: 'f2'; did you mean 'f1'?"},
      {"TheTasteIsUnknown", kPeople, "[praise]", "[praise, blame]",
       ":6:28: there is no taste `blame`; there are praise, criticism, strong, mild, camera fan, "
       "camera critic"},
      {"TheSignatureHasNoArrow", kTask, "sentence -> mood", "sentence, mood",
       ":11:14: column 39: expected ',' or '->' but found the end"},
      {"TheSignaturesTypeIsUnknown", kTask, "Literal[", "Litteral[",
       ":11:14: column 19: unknown type 'Litteral'; did you mean 'Literal'?"},
      {"AnAliasNamesNoModel", kTask, "proposer: task", "proposer: tusk",
       ":5:13: 'tusk' is not a model of this config"},
      {"AModelIsNowhere", kTask, "path: model.gguf, ", "",
       ":4:9: a model needs a 'path' (a GGUF file) or a 'base_url' (an OpenAI-compatible server)"},
      {"AServersModelHasNoName", kPeople, ", model: small", "", ":4:12: 'model' is missing here"},
      {"AServersRetriesAreNegative", kPeople, "model: small", "model: small, retries: -1",
       ":4:71: 'retries' must be at least 0, not -1"},
      {"ATimeoutIsNoTime", kPeople, "model: small", "model: small, read_timeout_s: 0",
       ":4:78: 'read_timeout_s' must be above 0 and at most 1000000 s"},
      {"ABatchIsTooSmallForItsSequences", kTask, "threads: 2", "batch: 8, sequences: 16",
       ":4:35: 'batch' must be at least 'sequences', 16, not 8"},
      {"ATemperatureIsNegative", kTask, "answering: score", "temperature: -3",
       ":13:16: 'temperature' must be at least 0"},
      {"ATopPIsNoShare", kTask, "answering: score", "top_p: 7",
       ":13:10: 'top_p' must be above 0 and at most 1"},
      {"ATopPIsNothing", kPeople, "samples: 2", "top_p: 0",
       ":9:18: 'top_p' must be above 0 and at most 1"},
      {"MaxTokensDoNotFit", kTask, "answering: score", "max_tokens: 3000000000",
       ":13:15: 'max_tokens' must be at most 2147483647, not 3000000000"},
      {"ThreadsDoNotFit", kTask, "threads: 2", "threads: 5000000000",
       ":4:37: 'threads' must be at most 2147483647, not 5000000000"},
      {"AContextDoesNotFit", kTask, "threads: 2", "context: 5000000000",
       ":4:37: 'context' must be at most 2147483647, not 5000000000"},
      {"AThresholdIsNoShare", kTask, "threshold: 0.5", "threshold: 5",
       ":17:38: `threshold` must be in 0..1"},
      {"AProposersTemperatureIsNegative", kTask, "num_trials: 2", "proposer: {temperature: -1}",
       ":16:43: 'temperature' must be at least 0"},
      {"AnAnswerMayHaveNoBytes", kPeople, "model: small", "model: small, max_response_bytes: 0",
       ":4:82: 'max_response_bytes' must be at least 1, not 0"},
      {"APriceIsNegative", kTask, "threads: 2", "price: {prompt: -1}",
       ":4:44: 'prompt' must be at least 0"},
      {"ABudgetHasAnUnknownKind", kTask, "seed: 7", "budget: {cals: 5}",
       ":2:10: unknown key 'cals'; did you mean 'calls'?"},
      {"ABudgetIsNothing", kTask, "seed: 7", "budget: {minutes: 0}",
       ":2:19: 'minutes' must be above 0"},
      {"MoneyHasNoPrice", kTask, "seed: 7", "budget: {money: 5}",
       ":2:17: no model of this config has a 'price'"},
      {"TheStudentIsSpeltWrong", kPeople,
       "student:", "studend:", ":4:3: unknown key 'studend'; did you mean 'student'?"},
      {"TheTeacherIsMissing", kPeople, "  teacher: {path: model.gguf}\n", "",
       ":3:3: 'teacher' is missing here"},
      {"ThreadsAreNegative", kTask, "threads: 2", "threads: -2",
       ":4:37: 'threads' must be at least 1, not -2"},
      {"TheModeIsUnknown", kTask, "threads: 2", "mode: throughputs",
       ":4:34: 'mode' is not one of deterministic, throughput: 'throughputs'; did you mean "
       "'throughput'?"},
      {"AnAdapterHasNoFile", kTask, "threads: 2", "lora: [{scale: 2}]",
       ":4:35: 'path' is missing here"},
      {"AVariableIsNotSet", kTask, "model.gguf", "\"${THETA_TEST_NONE}/model.gguf\"",
       ":4:16: environment variable THETA_TEST_NONE is not set (write "
       "${THETA_TEST_NONE:-default} to give a default)"},
      {"AColumnFillsNoField", kTask, "{sentence: text}", "{sentense: text}",
       ":9:22: the signature has no field `sentense`; it has `sentence`, `mood`"},
      {"SentimentFillsOtherFields", kTask,
       "file: reviews.csv\n  split: {train: 4, validation: 2, test: 2}\n  fields: {sentence: text}",
       "sentiment: {}",
       ":7:14: the sentiment data fill the fields `sentence` and `sentiment`; the signature has "
       "no `sentiment`"},
      {"SentimentIsUnbalanced", kTask,
       "file: reviews.csv\n  split: {train: 4, validation: 2, test: 2}\n  fields: {sentence: "
       "text}\n"
       "program:\n  signature: \"sentence -> mood",
       "sentiment: {test: 3}\nprogram:\n  signature: \"sentence -> sentiment",
       ":7:14: the sentiment task is balanced: its split sizes must be even"},
      {"ScoringHasNoOptions", kTask, ": Literal['good', 'bad']", "",
       ":11:14: answering 'score' needs a Literal or bool as the last output"},
      {"CalibrationHasNoScores", kTask, "answering: score", "calibrate: train",
       ":13:14: only scored outputs can be calibrated: set answering to 'score'"},
      {"TheNameIsEmpty", kTask, "name: task", "name: ''",
       ":1:7: a name is not empty and holds no space or slash: it names a folder"},
      {"TheNameHoldsASlash", kTask, "name: task", "name: a/b",
       ":1:7: a name is not empty and holds no space or slash: it names a folder"},
      {"TheSplitIsMissing", kTask, "  split: {train: 4, validation: 2, test: 2}\n", "",
       ":7:3: 'split' is missing here"},
      {"TheSizesAreMissing", kTask, "{train: 4, validation: 2, test: 2}", "{seed: 1}",
       ":8:10: give the numbers of `train`, `validation` and `test` rows: nothing is left to test"},
      {"NothingIsLeftToTest", kTask, "test: 2", "test: 0",
       ":8:42: 'test' must be at least 1, or nothing is left to test"},
      {"NobodyIsLeftToTest", kPeople, "noise: 0.1", "test: 0",
       ":6:35: 'test' must be at least 1, or nothing is left to test"},
      {"TheDataStandTwice", kTask, "file: reviews.csv", "file: reviews.csv\n  sentiment: {}",
       ":7:3: give exactly one of `sentiment`, `file`, `files` and `splits`"},
      {"TheNoiseIsNoShare", kPeople, "noise: 0.1", "noise: 0.9",
       ":6:36: `noise` must be in 0..0.5"},
      {"TheJudgeHasNoOptions", kPeople, "{adapter: terse}",
       "{signature: \"first, second -> preference\"}",
       ":8:10: a judge's signature has one output with two options; this one is 'first, second -> "
       "preference'"},
      {"ASearchForThetaIsOneOfTheOptimizers", kPeople, "theta: {samples: 2}",
       "theta: {samples: 2}\n  search: {num_trials: 3}\noptimizers: [{name: mipro}]",
       ":10:11: 'optimizers' say how Θ is searched for: take 'search' out"},
      {"NeitherProgramNorPersonas", kPeople, "personas:", "people:",
       ":1:1: a config needs a 'program' (a task to optimise), 'personas' (SynthesizeMe) or "
       "'rewards'"},
      {"SetGoesThroughAScalar",
       kTask,
       "seed: 7",
       "seed: 7",
       "--set seed.big: 'seed' is neither a mapping nor a sequence",
       {"seed.big=1"}},
      {"SetGivesAnUnknownKey",
       kTask,
       "seed: 7",
       "seed: 7",
       "--set models.task.thread: unknown key 'thread'; did you mean 'threads'?",
       {"models.task.thread=1"}},
  };
  return configs;
}

std::string expected(const Broken& broken, const fs::path& file) {
  return (broken.sets.empty() ? file.string() : "") + broken.message;
}

struct ThetaCheck : testing::TestWithParam<Broken> {};

TEST_P(ThetaCheck, SaysOneLineAtThePlace) {
  const Broken& broken = GetParam();
  ::unsetenv("THETA_TEST_NONE");
  const TemporaryFolder folder;
  const fs::path file = broken.write(folder, broken.name);
  testing::internal::CaptureStderr();
  const int wrong = check_configs({file}, broken.sets);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), expected(broken, file) + "\n");
  EXPECT_EQ(wrong, 1);
}

INSTANTIATE_TEST_SUITE_P(Where, ThetaCheck, testing::ValuesIn(broken_configs()),
                         [](const auto& one) { return one.param.sentence; });

TEST(ThetaCheckCommand, AcceptsWhatTheBrokenConfigsWereMadeFrom) {
  for (const char* text : {kTask, kPeople})
    EXPECT_NO_THROW(read_experiment(Config::parse(text, "whole.yaml"))) << text;
}

TEST(ThetaCheckCommand, ExitsWith2AndALineForEachThatIsWrong) {
  ::unsetenv("THETA_TEST_NONE");
  const TemporaryFolder folder;
  std::vector<std::string> command = {theta_binary(), "check"};
  std::string lines;
  for (const Broken& broken : broken_configs()) {
    if (!broken.sets.empty()) continue;
    const fs::path file = broken.write(folder, broken.sentence + broken.name);
    command.push_back(file);
    lines += expected(broken, file) + "\n";
  }
  const Finished finished = run_to_end(command);
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.err, lines);
  EXPECT_EQ(finished.out, "");
}

TEST(ThetaCheckCommand, SaysWhatIsRight) {
  const TemporaryFolder folder;
  const std::string file = folder.write("whole.yaml", kTask);
  const Finished finished = run_to_end({theta_binary(), "check", file, "--config-only"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(finished.out, file + ": ok (task)\n");
}

TEST(ThetaCheckCommand, RunRefusesAWrongConfigBeforeItMakesAFolder) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("broken.yaml", "name: a\nprogam: {}\n");
  const fs::path out = folder.path() / "out";
  const Finished finished = run_to_end({theta_binary(), "run", file, "--out", out});
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.err, file.string() +
                              ":1:1: a config needs a 'program' (a task to optimise), "
                              "'personas' (SynthesizeMe) or 'rewards'\n");
  EXPECT_FALSE(fs::exists(out));
}

TEST(ThetaCheckCommand, AConfigThatIsNotThereIsOneLine) {
  const Finished finished = run_to_end({theta_binary(), "check", "/none/x.yaml"});
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.err, "/none/x.yaml: cannot be read: No such file or directory\n");
}

TEST(ThetaCheckCommand, AConfigWithoutAnEndIsOneLine) {
  const Finished finished = run_to_end({theta_binary(), "check", "/dev/zero"});
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.err, "/dev/zero: it has more than 64 MiB, and is not what it should be\n");
}

TEST(ThetaCheckCommand, EveryConfigOfTheProjectIsRightWithoutItsDataAndModels) {
  const TemporaryFolder cache;
  const char* before = std::getenv("THETA_CACHE");
  const std::string restored = before ? before : "";
  ::setenv("THETA_CACHE", cache.path().c_str(), 1);
  std::vector<std::string> command = {theta_binary(), "check"};
  for (const auto& file : fs::recursive_directory_iterator(source_dir() + "/configs"))
    if (file.path().extension() == ".yaml" &&  // alone, none can be read that includes another
        read_whole(file.path()).find("\ninclude: ") == std::string::npos)
      command.push_back(file.path());
  command.push_back("--config-only");
  const Finished finished = run_to_end(command);
  before ? ::setenv("THETA_CACHE", restored.c_str(), 1) : ::unsetenv("THETA_CACHE");
  EXPECT_EQ(finished.err, "");
  EXPECT_EQ(finished.code, 0);
  std::istringstream lines(finished.out);
  std::size_t right = 0;
  for (std::string line; std::getline(lines, line);) right += line.find(": ok (") != line.npos;
  EXPECT_EQ(right, command.size() - 3);
  EXPECT_TRUE(fs::is_empty(cache.path()));
}

TEST(ReadExperiment, AModelKnowsHowItIsRunAndWhereItsAdaptersStand) {
  Config config = Config::parse(kTask, "task.yaml");
  config.set("models.task.mode=throughput");
  config.set("models.task.lora=[{path: a.gguf}, {path: b.gguf, scale: 0.5}]");
  const ModelTable models = read_experiment(config).models;
  const auto& task = std::get<LlamaOptions>(models.models.at("task"));
  EXPECT_EQ(task.mode, LlamaMode::kThroughput);
  EXPECT_EQ(task.sequences, 128U);
  ASSERT_EQ(task.lora.size(), 2U);
  EXPECT_EQ(task.lora[0].scale, 1);
  EXPECT_EQ(task.lora[1].path, "b.gguf");
  EXPECT_EQ(task.lora[1].scale, 0.5);
  EXPECT_EQ(task.lora[1].where, "--set models.task.lora");
  ASSERT_EQ(described(models).size(), 1U);
  EXPECT_EQ(described(models)[0].name, "task");
  EXPECT_EQ(described(models)[0].how,
            "model.gguf with 1 times a.gguf with 0.5 times b.gguf, throughput mode");
}

TEST(ReadExperiment, EverySearchDrawsFromTheSeedOfTheConfig) {
  const auto options = read_experiment(Config::parse(kTask, "task.yaml"));
  const auto& optimizers = std::get<ProgramExperiment>(options.experiment).optimizers;
  EXPECT_EQ(std::get<MiproOptions>(optimizers.at(0).options).seed, 7U);
  EXPECT_EQ(std::get<RandomSearchOptions>(optimizers.at(1).options).seed, 7U);
}

TEST(ReadExperiment, AFaithfulMiproWithoutSizesIsDSPysLight) {
  const auto auto_mode = [](const std::string& keys) {
    Config config = Config::parse(kTask, "task.yaml");
    config.set("optimizers=[{name: mipro, faithful: true" + keys + "}]");
    const auto options = read_experiment(config);
    const auto& optimizers = std::get<ProgramExperiment>(options.experiment).optimizers;
    return std::get<MiproOptions>(optimizers.at(0).options).auto_mode;
  };
  EXPECT_EQ(auto_mode(""), "light");
  EXPECT_EQ(auto_mode(", auto: heavy"), "heavy");
  EXPECT_EQ(auto_mode(", num_trials: 4"), "");
}

TEST(ReadExperiment, TheHashCountsWhatCanChangeAResultAndNothingElse) {
  const auto hash = [](const std::string& set) {
    Config config = Config::parse(kTask, "task.yaml");
    if (!set.empty()) config.set(set);
    return read_experiment(config).hash;
  };
  for (const char* same :
       {"models.task.path=/elsewhere/model.gguf", "data.file=/elsewhere/reviews.csv",
        "budget={calls: 10, minutes: 0.5}", "models.task.price={prompt: 1}"})
    EXPECT_EQ(hash(same), hash("")) << same;
  for (const char* other :
       {"seed=8", "models.task.threads=4", "models.task.path=other.gguf", "metric=f1",
        "optimizers.0.num_trials=3", "data.split.seed=1", "data.file=other.csv"})
    EXPECT_NE(hash(other), hash("")) << other;
}

TEST(ReadExperiment, TheHashCountsWhatTheFilesOfAModelHold) {
  const TemporaryFolder folder;
  for (const char* name : {"a", "b"}) fs::create_directory(folder.path() / name);
  const auto hash = [&](const std::string& file) {
    Config config = Config::parse(kTask, folder.path() / "task.yaml");
    config.set("models.task.path=" + (folder.path() / file).string());
    config.set("models.task.lora=[{path: " + (folder.path() / "l.gguf").string() + "}]");
    return read_experiment(config).hash;
  };
  folder.write("a/m.gguf", "weights");
  folder.write("b/m.gguf", "weights");
  folder.write("l.gguf", "changes");
  const std::string first = hash("a/m.gguf");
  EXPECT_EQ(hash("b/m.gguf"), first);
  folder.write("b/m.gguf", "other weights");
  EXPECT_NE(hash("b/m.gguf"), first);
  fs::remove(folder.path() / "b/m.gguf");
  EXPECT_NE(hash("b/m.gguf"), first);
  folder.write("l.gguf", "other changes");
  EXPECT_NE(hash("a/m.gguf"), first);
}

TEST(ReadExperiment, TheHashCountsTheAddressesOfAModelAndNotTheirOrderOrKey) {
  const auto hash = [](const std::string& set) {
    Config config = Config::parse(kPeople, "people.yaml");
    config.set(set);
    return read_experiment(config).hash;
  };
  const std::string both = hash("models.student.base_url=['http://a/v1', 'http://b/v1']");
  EXPECT_EQ(hash("models.student.base_url=['http://b/v1', 'http://a/v1']"), both);
  EXPECT_NE(hash("models.student.base_url=http://a/v1"), both);
  EXPECT_EQ(hash("models.student.api_key_env=KEY"), hash("models.student.api_key_file=key.txt"));
}

TEST(ReadExperiment, FilesOfAModelStandBesideTheConfig) {
  Config config = Config::parse(kPeople, "/configs/people.yaml");
  const ModelTable models = read_experiment(config).models;
  EXPECT_EQ(std::get<LlamaOptions>(models.models.at("teacher")).path, "/configs/model.gguf");
  config = Config::parse(std::string(kPeople).replace(std::string(kPeople).find(", model: small"),
                                                      0, ", api_key_file: k, ca_file: /ca.pem"),
                         "/configs/people.yaml");
  const ModelTable served = read_experiment(config).models;
  const auto& student = std::get<HttpOptions>(served.models.at("student"));
  EXPECT_EQ(student.api_key_file, "/configs/k");
  EXPECT_EQ(student.ca_file, "/ca.pem");
}

TEST(ReadExperiment, AResolvedConfigIsTheSameFromAnyFolder) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "run");
  folder.write("model.gguf", "weights");
  folder.write("reviews.csv", "a,b\n");
  ::setenv("THETA_TEST_FOLDER", ".", 1);
  std::string text = kTask;
  text.replace(text.find("model.gguf"), 10, "'${THETA_TEST_FOLDER}/model.gguf'");
  text += "cache: {path: answers.db}\n";
  const Config config = Config::load(folder.write("task.yaml", text));
  const ExperimentOptions options = read_experiment(config);
  const fs::path moved = folder.write("run/config.yaml", resolved(config).dump());
  ::unsetenv("THETA_TEST_FOLDER");
  const ExperimentOptions again = read_experiment(Config::load(moved));
  EXPECT_EQ(again.hash, options.hash);
  EXPECT_EQ(std::get<LlamaOptions>(again.models.models.at("task")).path,
            folder.path() / "model.gguf");
  EXPECT_EQ(again.cache.path, folder.path() / "answers.db");
  const auto& data = std::get<ProgramExperiment>(again.experiment).data;
  EXPECT_EQ(std::get<WholeFile>(data.source).file, folder.path() / "reviews.csv");
}

TEST(ReadExperiment, TheHashCountsWhatEveryDataFileHolds) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "elsewhere");
  const auto hash = [&](const std::string& base, const std::string& set) {
    Config config = Config::parse(base, folder.path() / "task.yaml");
    config.set("data=" + set);
    return read_experiment(config).hash;
  };
  for (const auto& [base, before, after] :
       {std::tuple(kTask, "{split: {test: 2}, file: ", "}"),
        {kTask, "{splits: {train: a.csv, test: ", "}}"},
        {kPeople, "{pairs: {train: 1, validation: 1, test: 1, file: ", "}}"}}) {
    const auto of = [&, b = base, from = before, to = after](const char* name) {
      return hash(b, from + (folder.path() / name).string() + to);
    };
    const std::string missing = of("d.csv");
    folder.write("d.csv", "a,b\n1,2\n");
    folder.write("elsewhere/d.csv", "a,b\n1,2\n");
    const std::string first = of("d.csv");
    EXPECT_NE(first, missing) << before;
    EXPECT_EQ(of("elsewhere/d.csv"), first) << before;
    folder.write("elsewhere/d.csv", "a,b\n1,3\n");
    EXPECT_NE(of("elsewhere/d.csv"), first) << before;
    fs::remove(folder.path() / "d.csv");
  }
}

}  // namespace
}  // namespace theta
