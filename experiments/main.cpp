#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>
#include <thread>

#include "core/log.hpp"
#include "core/result.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/runs/record_scores.hpp"
#include "experiments/runs/replay.hpp"

namespace po = boost::program_options;
using namespace theta;

namespace {

/// The engine's threads wait for one another hundreds of times a token. OpenMP's default is to spin
/// for milliseconds, which makes a run up to a hundred times slower when another process holds a
/// core. The runtime reads its settings before main, so they are set for a second start of this
/// program.
void spin_briefly(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;  // NOLINT
  setenv("GOMP_SPINCOUNT", "1000", 1);                                          // NOLINT
  execv("/proc/self/exe", argv);
}

/// Files that a program opens get the lowest numbers that are free: none of them may be taken for a
/// standard stream that whoever started this has closed.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) < 0) open("/dev/null", O_RDWR);  // NOLINT
  }
}

/// Faults of the world that would end the process by a signal. A reader that goes away is told by the
/// writing; a file that is mapped into memory and then cut cannot be gone on with.
void outlive_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGBUS, [](int) {
    constexpr std::string_view kWhy =
        "theta: a file in use was cut (a run's run.db-shm, or a model): what is done is kept, and "
        "the same command goes on\n";
    [[maybe_unused]] const auto told = ::write(STDERR_FILENO, kWhy.data(), kWhy.size());
    ::_exit(1);
  });
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
      tell("\ntheta: stopping; what is done is kept (again to stop at once)");
      stop.request_stop();
    }
  });
}

struct Parsed {
  po::variables_map values;
  std::vector<std::string> positional;

  bool has(const char* name) const { return values.count(name) > 0; }
  std::vector<std::string> list(const char* name) const {
    return has(name) ? values[name].as<std::vector<std::string>>() : std::vector<std::string>{};
  }
  std::string text(const char* name) const {
    return has(name) ? values[name].as<std::string>() : "";
  }
  /// @throws UserError for a number below `least`.
  std::int64_t integer(const char* name, std::int64_t fallback, std::int64_t least) const {
    const std::int64_t value = has(name) ? values[name].as<std::int64_t>() : fallback;
    if (value < least)
      throw UserError(fmt::format("--{} must be at least {}, not {}", name, least, value));
    return value;
  }
  /// @throws UserError for a number outside [0, 1).
  double share(const char* name, double fallback) const {
    const double value = has(name) ? values[name].as<double>() : fallback;
    if (!(value >= 0 && value < 1))
      throw UserError(fmt::format("--{} must be in [0, 1), not {}", name, value));
    return value;
  }
};

Parsed parse(const std::vector<std::string>& arguments) {
  po::options_description named;
  const auto list = [] { return po::value<std::vector<std::string>>()->composing(); };
  const auto text = [] { return po::value<std::string>(); };
  const auto integer = [] { return po::value<std::int64_t>(); };
  named.add_options()("set", list())("out", text())("dry-run", "")("jobs", integer())(
      "optimizer", text())("budget", integer())("seed", integer())("fresh", po::value<double>())(
      "threshold", po::value<double>())("json", "")("record", "")("field", list())("rows", text())(
      "input", list())("metric", text())("cache", text())("allow-host", list())("config-only", "")(
      "verbose", "")("help,h", "");
  po::options_description all;
  all.add(named).add_options()("argument", list());
  po::positional_options_description places;
  places.add("argument", -1);
  Parsed parsed;
  po::store(po::command_line_parser(arguments).options(all).positional(places).run(),
            parsed.values);
  parsed.positional = parsed.list("argument");
  return parsed;
}

/// A command: what it is called with, what it does, for people and in code. What it takes is what
/// its usage names.
struct Command {
  std::string name;   ///< `run`; `replay --record` is chosen by its option
  std::string usage;  ///< behind the name
  std::string help;
  std::size_t least, most;  ///< arguments that are no options
  bool loads_models;        ///< and so starts the engine's threads
  int (*run)(const Parsed&, Progress&, std::stop_token);
};

PromptArguments prompt_arguments(const Parsed& parsed) {
  return {.prompt = parsed.positional[0],
          .data = parsed.positional.size() > 1 ? parsed.positional[1] : "",
          .inputs = parsed.list("input"),
          .columns = parsed.list("field"),
          .rows = parsed.text("rows"),
          .metric = parsed.text("metric"),
          .sets = parsed.list("set"),
          .allowed_hosts = parsed.list("allow-host"),
          .cache = parsed.text("cache")};
}

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"run", "CONFIG [--set key=value]... [--out DIR] [--dry-run]",
       R"(Runs an experiment and prints its table. The folder DIR (default runs/NAME-HASH) then
holds report.html, report.json, prompt.json, config.resolved.yaml and run.db, the record
of every request and score. Stopped with Ctrl-C or killed, the same command goes on where
it was.
  --set      gives a value of the config, a text or YAML: --set models.teacher.threads=4
  --dry-run  prints the calls, tokens and money that each stage will need, and spends nothing)",
       1, 1, true,
       [](const Parsed& parsed, Progress& progress, std::stop_token stop) {
         return run_command(
             {parsed.positional[0], parsed.list("set"), parsed.text("out"), parsed.has("dry-run")},
             progress, stop);
       }},
      {"sweep", "CONFIG [--set key=value]... [--out DIR] [--jobs N] [--dry-run]",
       R"(Runs every combination of the config's `sweep:` section, N runs side by side (default 4),
into DIR (default runs/NAME-sweep), and prints the table over all. What is done is not
done again.)",
       1, 1, true,
       [](const Parsed& parsed, Progress& progress, std::stop_token stop) {
         return sweep_command(
             {parsed.positional[0], parsed.list("set"), parsed.text("out"),
              static_cast<std::size_t>(parsed.integer("jobs", 4, 1)), parsed.has("dry-run")},
             progress, stop);
       }},
      {"status", "DIR",
       "How each run of a sweep stands: its state, the best so far, calls, tokens, the time left.",
       1, 1, false,
       [](const Parsed& parsed, Progress&, std::stop_token) {
         status_command(parsed.positional[0]);
         return 0;
       }},
      {"ping", "CONFIG [--set key=value]...",
       R"(Asks each model of a config, once and without a retry, what a run will ask of it (the first
request of each kind), and says how it is answered, or what is wrong.)",
       1, 1, true,
       [](const Parsed& parsed, Progress&, std::stop_token stop) {
         return ping_command(parsed.positional[0], parsed.list("set"), stop) > 0 ? 1 : 0;
       }},
      {"check", "CONFIG... [--set key=value]... [--config-only]",
       R"(Reads configs strictly and looks at what they name, weights by their headers and data by
their first rows: one line `file:line:col: message` for each that a run would refuse.
  --config-only  opens no file that a config names, and reads no variable of the environment:
                 for configs of others)",
       1, std::numeric_limits<std::size_t>::max(), false,
       [](const Parsed& parsed, Progress&, std::stop_token) {
         const int wrong = check_command({parsed.positional.begin(), parsed.positional.end()},
                                         parsed.list("set"), parsed.has("config-only"));
         return wrong > 0 ? 2 : 0;
       }},
      {"report", "DIR",
       "Computes the table and report files of a run or a sweep anew from its records.", 1, 1,
       false,
       [](const Parsed& parsed, Progress&, std::stop_token) {
         report_command(parsed.positional[0]);
         return 0;
       }},
      {"replay",
       "TABLE --optimizer NAME --budget N [--seed S] [--fresh F] [--threshold P] [--json]",
       R"(Runs an optimiser on recorded scores instead of a model and prints each new incumbent:
after how many evaluations, and the instruction and demo set of each predictor. NAME is
paired, gp, tpe (DSPy's MIPROv2), random (full evaluations), mipro, copro or gepa; the
last two are given the table's instructions in a seeded order in place of proposals. The
last line is what the gate says of the winner over the first choices.
  --fresh      the share of the examples that the gate keeps from the search (default .3);
               0: the search has the whole table, and its own belief decides
  --threshold  the probability of being better that a winner needs)",
       1, 1, false,
       [](const Parsed& parsed, Progress&, std::stop_token stop) {
         for (const char* needed : {"optimizer", "budget"})
           if (!parsed.has(needed))
             throw UserError(fmt::format("theta replay needs --{}; see theta --help", needed));
         replay_command({parsed.positional[0],
                         parsed.text("optimizer"),
                         parsed.integer("budget", 0, 0),
                         static_cast<std::uint64_t>(parsed.integer("seed", 0, 0)),
                         parsed.has("json"),
                         {.fresh = parsed.share("fresh", GateOptions{}.fresh),
                          .threshold = parsed.share("threshold", GateOptions{}.threshold)}},
                        stop);
         return 0;
       }},
      {"replay --record", "CONFIG [--set key=value]... [--out DIR]",
       R"(Scores every combination of the choices of CONFIG's first mipro on every validation
example and writes them as such a table, DIR/table.json. Stopped, the same command goes
on.)",
       1, 1, true,
       [](const Parsed& parsed, Progress& progress, std::stop_token stop) {
         return record_command({parsed.positional[0], parsed.list("set"), parsed.text("out")},
                               progress, stop);
       }},
      {"eval",
       "PROMPT [DATA] [--field input=column]... [--rows PATH] [--metric NAME] [--set "
       "model.key=value]"
       "... [--allow-host HOST]... [--cache FILE]",
       R"(Scores a saved prompt on a JSONL, JSON or CSV file, read as the prompt's own data were
unless --field and --rows (the path to the rows in a .json file) say otherwise. Answers
are kept in FILE (answers.db beside a prompt in its run's folder), and what is there is
not asked again. A prompt that writes personas makes its row of the report again: DATA are
people's pairs, of which the row's people count if there are any; left out where the run
made its people up. PROMPT is data, whoever made it: a server that it names, beyond this
machine, is asked only with --allow-host, and a key is sent only with --set
model.api_key_env=VARIABLE.)",
       1, 2, true,
       [](const Parsed& parsed, Progress&, std::stop_token stop) {
         return eval_command(prompt_arguments(parsed), stop);
       }},
      {"predict",
       "PROMPT [DATA] [--input field=value]... [--field input=column]... [--rows PATH] "
       "[--set model.key=value]... [--allow-host HOST]... [--cache FILE]",
       R"(Answers one example, or every row of a file as JSON lines. Reads files and keeps answers
like eval.)",
       1, 2, true, [](const Parsed& parsed, Progress&, std::stop_token stop) {
         return predict_command(prompt_arguments(parsed), stop);
       }}};
  return all;
}

/// Words in lines of at most 98 columns, those behind the first indented. What is in brackets is
/// one word.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find(' ', text[at] == '[' ? text.find(']', at) : at);
    end = std::min(end, text.size());
    const std::string word = text.substr(at, end - at);
    if (column > 0 && column + 1 + word.size() > 98) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    at = end + 1;
  }
  return out;
}

std::string help() {
  std::string out =
      "theta - optimises prompts, and distils them from a large model to a small one\n\n";
  for (const Command& command : commands()) {
    const std::string called = "  theta " + command.name + " ";
    out += "  " + wrapped(called.substr(2) + command.usage, called.size()) + "\n      ";
    for (const char c : command.help) out += c == '\n' ? "\n      " : std::string(1, c);
    out += "\n";
  }
  return out + R"(
Common options: --verbose  --help, -h  --version
Exit codes: 0 done, 1 the world failed (disk, damaged file, no answer), 2 a mistake in what was
given, 3 a budget is spent (raising it lets the same command go on), 4 incomplete: a service left
requests without an answer (the same command asks for them again), 130 stopped and resumable. A
sweep exits with the first of 1, 4 and 3 that one of its runs ended with.
)";
}

/// The command, after a look at whether it takes what it was given.
const Command& find_command(const std::string& name, const Parsed& parsed) {
  const std::string chosen = name == "replay" && parsed.has("record") ? "replay --record" : name;
  const auto& all = commands();
  const auto found = std::ranges::find(all, chosen, &Command::name);
  if (found == all.end()) throw UserError("unknown command '" + name + "'; see theta --help");
  const std::string usage = chosen + " " + found->usage + " ";
  for (const auto& [option, value] : parsed.values) {
    if (option == "argument" || option == "verbose") continue;
    const auto at = usage.find("--" + option);
    if (at == std::string::npos || std::isalpha(usage[at + 2 + option.size()]))
      throw UserError("theta " + chosen + " takes no --" + option + "; see theta --help");
  }
  const std::size_t n = parsed.positional.size();
  if (n < found->least || n > found->most)
    throw UserError("usage: theta " + chosen + " " + found->usage);
  return *found;
}

int run(const std::vector<std::string>& arguments, char** argv) {
  const std::string name = arguments.empty() ? "help" : arguments[0];
  if (name == "help" || name == "--help" || name == "-h") {
    std::fputs(help().c_str(), stdout);
    return arguments.empty() ? 2 : 0;
  }
  if (name == "--version") {
    fmt::print("theta {}\n", THETA_VERSION);
    return 0;
  }
  const Parsed parsed = parse({arguments.begin() + 1, arguments.end()});
  if (parsed.has("help")) {
    std::fputs(help().c_str(), stdout);
    return 0;
  }
  const Command& command = find_command(name, parsed);
  if (command.loads_models) spin_briefly(argv);
  default_cache();
  std::stop_source stop;
  const std::jthread watcher = watch_signals(stop);
  Progress progress(isatty(STDERR_FILENO) == 1);
  set_up_logging(parsed.has("verbose") ? "debug" : "info", progress);
  return command.run(parsed, progress, stop.get_token());
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  outlive_signals();
  try {
    const int code = run({argv + 1, argv + argc}, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw RunError(std::string("the output cannot be written: ") + std::strerror(errno));
    return code;
  } catch (const Interrupted& e) {
    tell(fmt::format("theta: {}", e.what()));
    return 130;
  } catch (const UserError& e) {
    tell(e.what());
    return 2;
  } catch (const po::error& e) {
    tell(fmt::format("theta: {}; see theta --help", e.what()));
    return 2;
  } catch (const std::exception& e) {
    tell(fmt::format("theta: {}", e.what()));
    return 1;
  }
}
