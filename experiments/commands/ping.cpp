#include "experiments/commands/ping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {
namespace {

/// Requests that a server may treat alike: they differ in their texts alone.
struct Kind {
  std::string role;   ///< of the first
  std::string words;  ///< what is asked for
  Request first;
};
using Kinds = std::map<std::string, std::vector<Kind>>;  ///< by the model's name

std::string words_of(const Request& request) {
  const auto has_system = [](const Message& message) { return message.role == "system"; };
  std::string out = request.options.empty()
                        ? fmt::format("max_tokens {}", request.max_tokens)
                        : fmt::format("{} options scored", request.options.size());
  if (std::ranges::any_of(request.messages, has_system)) out += ", a system message";
  if (!request.answer_prefix.empty()) out += ", a beginning";
  if (!request.grammar.empty()) out += ", a grammar";
  if (!request.schema.empty()) out += ", a schema";
  if (!request.stop.empty()) out += ", stop texts";
  if (request.temperature > 0) out += fmt::format(", temperature {}", request.temperature);
  if (request.temperature > 0 && request.top_p < 1) out += fmt::format(", top_p {}", request.top_p);
  return out;
}

/// The kinds of requests of a run whose answers are made up, into `kinds`.
void collect(const ExperimentOptions& options, Kinds& kinds, std::stop_token stop) {
  std::mutex mutex;  // roles may ask side by side
  const auto on_asked = [&](const Role& role, const Request& request) {
    const std::lock_guard lock(mutex);
    std::string words = words_of(request);
    auto& known = kinds[role.model];
    if (std::ranges::find(known, words, &Kind::words) == known.end())
      known.push_back({role.name, std::move(words), request});
  };
  (void)forecast(options, std::move(stop), {.on_asked = on_asked});
}

ExperimentOptions with_made_up_data(ExperimentOptions options) {
  if (auto* program = std::get_if<ProgramExperiment>(&options.experiment))
    program->data.source = MadeUpRows{};
  else if (auto* personas = std::get_if<PersonaExperiment>(&options.experiment))
    personas->users = MadeUpUsers{};
  else
    std::get<RewardExperiment>(options.experiment).users = MadeUpUsers{};
  return options;
}

/// What a run asks each of its models; at least one question for each.
Kinds kinds_of(const ExperimentOptions& options, const std::stop_token& stop) {
  Kinds kinds;
  const auto collect_from = [&](const ExperimentOptions& run) {
    try {
      collect(run, kinds, stop);
    } catch (const RunError&) {
      // Answers that were made up led nowhere: what was asked until then stands.
    }
  };
  try {
    collect_from(options);
  } catch (const UserError& e) {
    tell(fmt::format("{}: asked on made-up rows: {}", options.name, e.what()));
    collect_from(with_made_up_data(options));
  }
  for (const auto& [name, model] : options.models.models)
    if (kinds[name].empty()) {
      Request request;
      request.messages = {{"user", "Say hello."}};
      kinds[name].push_back({name, words_of(request), std::move(request)});
    }
  return kinds;
}

/// A model as each of its servers has it.
std::vector<ModelOptions> by_server(const ModelOptions& options) {
  const auto* http = std::get_if<HttpOptions>(&options);
  if (http == nullptr) return {options};
  std::vector<ModelOptions> servers;
  for (const std::string& url : http->base_urls) {
    HttpOptions server = *http;
    server.base_urls = {url};
    server.retries = 0;
    servers.push_back(std::move(server));
  }
  return servers;
}

/// What became of a question that was answered.
std::string told(const Kind& kind, const Result<Response>& answer) {
  std::string how = answer ? answer->note : answer.error().message;
  if (how.empty() && !kind.first.options.empty()) how = "by log-probabilities";
  return fmt::format("{} ({}){}{}", kind.role, kind.words, how.empty() ? "" : " ", how);
}

/// What was asked of a model and what it made of it.
struct Pinged {
  std::vector<std::string> answered, wrong;
};

Pinged ask_each(const ModelOptions& options, const std::vector<Kind>& kinds,
                const std::stop_token& stop) {
  const bool served = std::holds_alternative<HttpOptions>(options);
  const auto model = make_model(options);
  std::vector<Request> wave;
  for (const Kind& kind : kinds) {
    wave.push_back(kind.first);
    if (!served) wave.back().max_tokens = 1;
  }
  const auto answers = ask(*model, wave, stop);
  Pinged pinged;
  std::set<std::string> told_before;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    // An answer that the program cannot use is an answer: the run counts it.
    if (answers[i] || answers[i].error().fault == Fault::kPrompt)
      pinged.answered.push_back(told(kinds[i], answers[i]));
    else if (told_before.insert(answers[i].error().message).second)
      pinged.wrong.push_back(fmt::format("{}; {} asked: {}", answers[i].error().message,
                                         kinds[i].role, kinds[i].words));
  }
  return pinged;
}

/// @return whether all is well.
bool ping_server(const std::string& name, const ModelOptions& options,
                 const std::vector<Kind>& kinds, const std::stop_token& stop) {
  Pinged pinged;
  try {
    pinged = ask_each(options, kinds, stop);
  } catch (const Interrupted&) {
    throw;
  } catch (const std::runtime_error& e) {
    pinged.wrong.emplace_back(e.what());
  }
  for (const std::string& line : pinged.wrong) tell(fmt::format("{}: {}", name, line));
  if (pinged.wrong.empty()) {
    const auto* http = std::get_if<HttpOptions>(&options);
    fmt::print("{}: {} answers {}: {}\n", name, model_name(options),
               http ? "at " + http->base_urls.front() : "in this process",
               fmt::join(pinged.answered, "; "));
  }
  return pinged.wrong.empty();
}

}  // namespace

int ping(const Config& config, std::stop_token stop) {
  std::vector<ExperimentOptions> runs;
  if (is_sweep(config)) {
    std::set<std::size_t> groups;  // what a seed changes is no kind
    for (SweepRun& run : read_sweep(config, {.read = false}).runs)
      if (groups.insert(run.group).second) runs.push_back(std::move(run.options));
  } else {
    FileHashes unread{.read = false};
    runs.push_back(read_experiment(config, unread));
  }
  // Models of several runs are one by what their sections say.
  std::map<std::string, std::pair<std::string, ModelOptions>> models;
  std::map<std::string, std::vector<Kind>> asked;
  std::vector<std::string> order;
  for (const ExperimentOptions& run : runs)
    for (auto& [name, kinds] : kinds_of(run, stop)) {
      const std::string& source = run.models.sources.at(name);
      if (models.try_emplace(source, name, run.models.models.at(name)).second)
        order.push_back(source);
      for (Kind& kind : kinds)
        if (std::ranges::find(asked[source], kind.words, &Kind::words) == asked[source].end())
          asked[source].push_back(std::move(kind));
    }
  int wrong = 0;
  for (const std::string& source : order) {
    const auto& [name, options] = models.at(source);
    for (const ModelOptions& server : by_server(options))
      if (!ping_server(name, server, asked.at(source), stop)) ++wrong;
  }
  return wrong;
}

namespace {

class PingCommand final : public Command {
 public:
  PingCommand()
      : Command(
            {.name = "ping",
             .arguments = "CONFIG",
             .loads_models = true,
             .help =
                 R"(Asks each model of a config, once and without a retry, what a run will ask of it (the first
request of each kind), and says how it is answered, or what is wrong.)"}) {}

  void declare(Options& options) override { option::sets(options, sets_); }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    return ping(load_config(arguments[0], sets_), host.stop) > 0 ? 1 : 0;
  }

 private:
  std::vector<std::string> sets_;
};

}  // namespace

std::unique_ptr<Command> make_ping_command() { return std::make_unique<PingCommand>(); }

}  // namespace theta
