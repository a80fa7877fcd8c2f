#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"
#include "core/models/outage.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/runs/saved_prompt.hpp"
#include "modules/evaluate.hpp"

namespace theta {
namespace {

/// Makes the row that a prompt Θ is named for, on its people or those of a file.
int eval_people(const SavedPrompt& saved, const PromptArguments& arguments, std::stop_token stop) {
  if (!(arguments.columns.empty() && arguments.rows.empty() && arguments.metric.empty()))
    throw UserError("--field, --rows and --metric are of a task, and this prompt is of people");
  const PersonaPrompt& prompt = *saved.personas;
  const std::vector<User> people = people_of(prompt, arguments.data);
  Runnable saved_theta(saved, arguments);
  const auto theta = saved_theta.theta(saved);
  const PersonaRow row = saved_theta.ask(
      [&](const Call& call) { return score_people(prompt, *theta, people, call); }, stop);
  for (const std::string& line : row.remarks()) tell(line);
  using Status = Outcome::Status;
  const auto count = [&](Status status) {
    return std::ranges::count(row.outcomes, status, &Outcome::status);
  };
  double sum = 0;
  for (const Outcome& outcome : row.outcomes)
    if (outcome.status != Status::kFailed) sum += outcome.score;
  const auto answered = std::ssize(row.outcomes) - count(Status::kFailed);
  if (answered == 0)
    throw Outage(fmt::format("none of {} judgements was answered, the first with: {}",
                             row.outcomes.size(), row.outcomes.at(0).why));
  fmt::print(
      "accuracy {:.4f} on {} judgements of {} people, made as the row `{}` ({} unparsable, {} "
      "refused, {} failed)\n",
      sum / static_cast<double>(answered), row.outcomes.size(), people.size(), prompt.row,
      count(Status::kUnparsable), count(Status::kRefused), count(Status::kFailed));
  const auto lost = std::ranges::find(row.outcomes, Status::kFailed, &Outcome::status);
  if (lost == row.outcomes.end()) return 0;
  tell(fmt::format(
      "theta: incomplete: {} of {} judgements got no answer and are no part of the accuracy, the "
      "first because: {}",
      count(Status::kFailed), row.outcomes.size(), lost->why));
  return kAnswersMissing;
}

int eval_prompt(const PromptArguments& arguments, std::stop_token stop) {
  SavedPrompt saved = load_prompt(arguments);
  if (saved.personas) return eval_people(saved, arguments, stop);
  if (arguments.data.empty()) throw UserError("give a file of examples to score this prompt on");
  const Signature signature = saved.options.data_signature();
  const MetricOptions options = read_saved_metric(*saved.block, signature);
  saved.block->finish();
  saved.columns.optional = unread_labels(options, signature);
  const auto examples = rows_of(arguments.data, saved.columns, signature);
  std::vector<const Example*> labelled;
  for (const Example& example : examples) labelled.push_back(&example);
  Runnable runnable(saved, arguments);
  const Metric metric =
      make_metric(options, signature, labelled,
                  [&](const std::string& name) -> LanguageModel& { return runnable.as(name); });
  const Evaluation result = runnable.ask(
      [&](const Call& call) { return evaluate(runnable.program(), examples, metric, call); }, stop);
  fmt::print("{} {:.4f} on {} examples ({} unparsable, {} refused, {} failed)\n",
             metric_name(options), result.mean(), examples.size(), result.n_unparsable,
             result.n_refused, result.n_failed);
  if (result.n_failed == 0) return 0;
  const auto lost = std::ranges::find(result.status, Outcome::Status::kFailed);
  tell(fmt::format(
      "theta: incomplete: {} of {} rows got no answer and are no part of the mean, the "
      "first because: {}",
      result.n_failed, examples.size(),
      result.predictions[static_cast<std::size_t>(lost - result.status.begin())].error().message));
  return kAnswersMissing;
}

class Eval final : public Command {
 public:
  Eval()
      : Command(
            {.name = "eval",
             .arguments = "PROMPT [DATA]",
             .most = 2,
             .loads_models = true,
             .help =
                 R"(Scores a saved prompt on a JSONL, JSON or CSV file, read as the prompt's own data were
unless --field and --rows say otherwise. Answers are kept in FILE (answers.db beside a
prompt in its run's folder), and what is there is not asked again. A prompt that writes
personas makes its row of the report again: DATA are people's pairs, of which the row's
people count if there are any; left out where the run made its people up. PROMPT is data,
whoever made it: a server that it names, beyond this machine, is asked only with
--allow-host, and a key is sent only with --set model.api_key_env=VARIABLE.)"}) {}

  void declare(Options& options) override {
    option::prompt(options, given_);
    options.add_options()("metric", option::text(given_.metric, "NAME"),
                          "another than the prompt was made with");
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    given_.prompt = arguments[0];
    if (arguments.size() > 1) given_.data = arguments[1];
    return eval_prompt(given_, host.stop);
  }

 private:
  PromptArguments given_;
};

}  // namespace

std::unique_ptr<Command> make_eval_command() { return std::make_unique<Eval>(); }

}  // namespace theta
