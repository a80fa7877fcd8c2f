#include <fmt/format.h>
#include <unistd.h>

#include <boost/program_options.hpp>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "core/log.hpp"
#include "core/result.hpp"
#include "experiments/commands.hpp"
#include "experiments/record_scores.hpp"
#include "experiments/replay.hpp"

namespace po = boost::program_options;
using namespace theta;

namespace {

constexpr const char* kHelp =
    R"(theta - optimises prompts, and distils them from a large model to a small one

  theta run CONFIG [--set key=value]... [--out DIR] [--dry-run]
      Runs an experiment and prints its table. The folder DIR (default runs/NAME-HASH) then holds
      report.html, report.json, prompt.json, config.resolved.yaml and run.db, the record of every
      request and score. Stopped with Ctrl-C or killed, the same command goes on where it was.
        --set      changes a value of the config: --set models.teacher.threads=4
        --dry-run  prints the calls, tokens and money that each stage will need, and spends nothing
  theta sweep CONFIG [--set key=value]... [--out DIR] [--jobs N] [--dry-run]
      Runs every combination of the config's `sweep:` section, N runs side by side (default 4), into
      DIR (default runs/NAME-sweep), and prints the table over all. What is done is not done again.
  theta status DIR
      How each run of a sweep stands: its state, the best so far, calls, tokens and the time left.
  theta ping CONFIG [--set key=value]...
      Asks each model of a config for one token, and names what is wrong with those that fail.
  theta check CONFIG...
      Reads configs strictly: one line `file:line:col: message` for each that is wrong.
  theta report DIR
      Computes the table and report files of a run or a sweep anew from its records.
  theta replay TABLE --optimizer NAME --budget N [--seed S] [--json]
      Runs an optimiser on recorded scores instead of a model and prints each new incumbent: after how
      many evaluations, and the instruction and demo set of each predictor. NAME is paired, gp, tpe
      (DSPy's MIPROv2), random (full evaluations), mipro, copro or gepa; the last two are given the
      table's instructions in a seeded order in place of proposals.
  theta replay --record CONFIG [--set key=value]... [--out DIR]
      Scores every combination of the choices of CONFIG's first mipro on every validation example and
      writes them as such a table, DIR/table.json. Stopped, the same command goes on.
  theta eval PROMPT DATA [--field input=column]... [--metric NAME] [--set model.path=FILE]
             [--cache FILE]
      Scores a saved prompt on a JSONL, JSON or CSV file. Answers are kept in FILE (answers.db beside
      a prompt in its run's folder), and what is there is not asked again.
  theta predict PROMPT [DATA] [--input field=value]... [--field input=column]... [--cache FILE]
      Answers one example, or every row of a file as JSON lines. Keeps answers like eval.

Common options: --verbose  --help
Exit codes: 0 done, 1 the world failed (disk, damaged file), 2 a mistake in what was given,
3 a budget is spent (raising it lets the same command go on), 130 stopped and resumable.
)";

/// The engine's threads wait for one another hundreds of times a token. OpenMP's default is to spin
/// for milliseconds, which makes a run up to a hundred times slower when another process holds a
/// core. The runtime reads its settings before main, so they are set for a second start of this
/// program.
void spin_briefly(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;  // NOLINT
  setenv("GOMP_SPINCOUNT", "1000", 1);                                          // NOLINT
  execv("/proc/self/exe", argv);
}

/// Configs refer to models as ${THETA_CACHE}/models/...: the cache of scripts/setup.
void default_cache() {
  const char* home = std::getenv("HOME");                                             // NOLINT
  if (home) setenv("THETA_CACHE", (std::string(home) + "/.cache/theta").c_str(), 0);  // NOLINT
}

/// The first Ctrl-C asks the run to stop, the second ends the process. Must be called before any
/// other thread is started, as those inherit the blocked signals.
std::jthread watch_signals(std::stop_source& stop) {
  constexpr int kDone = SIGUSR1;  // what the end of the program wakes the thread with
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, kDone}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return std::jthread([&stop, signals](const std::stop_token& done) {
    const std::stop_callback wake(done, [self = pthread_self()] { pthread_kill(self, kDone); });
    while (!done.stop_requested()) {
      int signal = 0;
      if (sigwait(&signals, &signal) != 0 || signal == kDone) continue;
      if (stop.stop_requested()) _exit(130);
      fmt::print(stderr, "\ntheta: stopping; what is done is kept (again to stop at once)\n");
      stop.request_stop();
    }
  });
}

struct Parsed {
  po::variables_map values;
  std::vector<std::string> positional;
};

Parsed parse(const std::vector<std::string>& arguments) {
  po::options_description named;
  const auto list = [] { return po::value<std::vector<std::string>>()->composing(); };
  named.add_options()("set", list())("out", po::value<std::string>())("dry-run", "")(
      "jobs", po::value<unsigned>())("optimizer", po::value<std::string>())(
      "budget", po::value<std::int64_t>())("seed", po::value<std::uint64_t>())("json", "")(
      "record", "")("field", list())("input", list())("metric", po::value<std::string>())(
      "cache", po::value<std::string>())("verbose", "")("help", "");
  po::options_description all;
  all.add(named).add_options()("argument", list());
  po::positional_options_description places;
  places.add("argument", -1);
  Parsed parsed;
  po::store(po::command_line_parser(arguments).options(all).positional(places).run(),
            parsed.values);
  if (parsed.values.count("argument"))
    parsed.positional = parsed.values["argument"].as<std::vector<std::string>>();
  return parsed;
}

std::vector<std::string> list(const Parsed& parsed, const char* name) {
  return parsed.values.count(name) ? parsed.values[name].as<std::vector<std::string>>()
                                   : std::vector<std::string>{};
}

std::string text(const Parsed& parsed, const char* name) {
  return parsed.values.count(name) ? parsed.values[name].as<std::string>() : "";
}

/// @throws UserError naming an option that `command` does not take.
void allow(const Parsed& parsed, const std::string& command,
           const std::vector<std::string>& options) {
  for (const auto& [name, value] : parsed.values) {
    if (name == "argument" || name == "verbose") continue;
    if (std::ranges::find(options, name) == options.end())
      throw UserError("theta " + command + " takes no --" + name + "; see theta --help");
  }
}

void expect(const Parsed& parsed, const std::string& usage, std::size_t least, std::size_t most) {
  if (parsed.positional.size() < least || parsed.positional.size() > most)
    throw UserError("usage: theta " + usage);
}

int dispatch(const std::string& command, const Parsed& parsed, Progress& progress,
             std::stop_token stop) {
  const auto& places = parsed.positional;
  if (command == "run") {
    allow(parsed, command, {"set", "out", "dry-run"});
    expect(parsed, "run CONFIG [--set key=value]... [--out DIR] [--dry-run]", 1, 1);
    return run_command(
        {places[0], list(parsed, "set"), text(parsed, "out"), parsed.values.count("dry-run") > 0},
        progress, stop);
  } else if (command == "sweep") {
    allow(parsed, command, {"set", "out", "jobs", "dry-run"});
    expect(parsed, "sweep CONFIG [--set key=value]... [--out DIR] [--jobs N] [--dry-run]", 1, 1);
    SweepArguments arguments{places[0], list(parsed, "set"), text(parsed, "out")};
    if (parsed.values.count("jobs")) arguments.jobs = parsed.values["jobs"].as<unsigned>();
    if (arguments.jobs == 0) throw UserError("--jobs must be at least 1");
    arguments.dry_run = parsed.values.count("dry-run") > 0;
    return sweep_command(arguments, progress, stop);
  } else if (command == "ping") {
    allow(parsed, command, {"set"});
    expect(parsed, "ping CONFIG [--set key=value]...", 1, 1);
    return ping_command(places[0], list(parsed, "set"), stop) > 0 ? 1 : 0;
  } else if (command == "status") {
    allow(parsed, command, {});
    expect(parsed, "status DIR", 1, 1);
    status_command(places[0]);
  } else if (command == "check") {
    allow(parsed, command, {"set"});
    expect(parsed, "check CONFIG...", 1, std::numeric_limits<std::size_t>::max());
    return check_command({places.begin(), places.end()}, list(parsed, "set")) ? 2 : 0;
  } else if (command == "report") {
    allow(parsed, command, {});
    expect(parsed, "report DIR", 1, 1);
    report_command(places[0]);
  } else if (command == "replay") {
    if (parsed.values.count("record")) {
      allow(parsed, "replay --record", {"record", "set", "out"});
      expect(parsed, "replay --record CONFIG [--set key=value]... [--out DIR]", 1, 1);
      return record_command({places[0], list(parsed, "set"), text(parsed, "out")}, progress, stop);
    }
    allow(parsed, command, {"optimizer", "budget", "seed", "json"});
    const std::string usage = "replay TABLE --optimizer NAME --budget N [--seed S] [--json]";
    expect(parsed, usage, 1, 1);
    if (!parsed.values.count("optimizer") || !parsed.values.count("budget"))
      throw UserError("usage: theta " + usage);
    replay_command({places[0], text(parsed, "optimizer"),
                    parsed.values["budget"].as<std::int64_t>(),
                    parsed.values.count("seed") ? parsed.values["seed"].as<std::uint64_t>() : 0,
                    parsed.values.count("json") > 0},
                   stop);
  } else if (command == "eval") {
    allow(parsed, command, {"field", "metric", "set", "cache"});
    expect(parsed, "eval PROMPT DATA [--field input=column]... [--metric NAME] [--cache FILE]", 2,
           2);
    eval_command({places[0],
                  places[1],
                  {},
                  list(parsed, "field"),
                  text(parsed, "metric"),
                  list(parsed, "set"),
                  text(parsed, "cache")},
                 stop);
  } else if (command == "predict") {
    allow(parsed, command, {"field", "input", "set", "cache"});
    expect(parsed, "predict PROMPT [DATA] [--input field=value]... [--cache FILE]", 1, 2);
    predict_command({places[0], places.size() > 1 ? places[1] : "", list(parsed, "input"),
                     list(parsed, "field"), "", list(parsed, "set"), text(parsed, "cache")},
                    stop);
  } else {
    throw UserError("unknown command '" + command + "'; see theta --help");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "help") {
      fmt::print("{}", kHelp);
      return arguments.empty() ? 2 : 0;
    }
    const Parsed parsed = parse({arguments.begin() + 1, arguments.end()});
    if (parsed.values.count("help")) {
      fmt::print("{}", kHelp);
      return 0;
    }
    spin_briefly(argv);
    default_cache();
    std::stop_source stop;
    const std::jthread watcher = watch_signals(stop);
    Progress progress(isatty(STDERR_FILENO) == 1);
    set_up_logging(parsed.values.count("verbose") ? "debug" : "info", progress);
    return dispatch(arguments[0], parsed, progress, stop.get_token());
  } catch (const Interrupted& e) {
    fmt::print(stderr, "theta: {}\n", e.what());
    return 130;
  } catch (const UserError& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 2;
  } catch (const po::error& e) {
    fmt::print(stderr, "theta: {}; see theta --help\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "theta: {}\n", e.what());
    return 1;
  }
}
