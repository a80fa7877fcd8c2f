#include "experiments/commands/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>

#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"

namespace theta {

namespace po = boost::program_options;

namespace {

constexpr std::size_t kColumns = 98;

constexpr const char* kExitCodes = R"(
Exit codes: 0 done, 1 the world failed (disk, damaged file, no answer), 2 a mistake in what was
given, 3 a budget is spent (raising it lets the same command go on), 4 incomplete: a service left
requests without an answer (the same command asks for them again), 130 stopped and resumable. A
sweep exits with the first of 1, 4 and 3 that one of its runs ended with.
)";

po::options_description declared(Command& command, const std::string& title = "") {
  po::options_description options(title, kColumns, kColumns / 2);
  command.declare(options);
  return options;
}

/// What every command takes.
po::options_description common(Asked& asked) {
  po::options_description options(kColumns, kColumns / 2);
  options.add_options()("verbose", option::flag(asked.verbose), "says more of what is going on")(
      "help,h", option::flag(asked.help), "shows this");
  return options;
}

/// Words in lines of at most kColumns, those behind the first indented.
std::string wrapped(const std::vector<std::string>& words, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  for (const std::string& word : words) {
    if (column > 0 && column + 1 + word.size() > kColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

/// `[--set key=value]...`
std::string usage_of(const po::option_description& option) {
  std::string out = "--" + option.long_name();
  if (const std::string value = option.format_parameter(); !value.empty()) out += " " + value;
  if (!option.semantic()->is_required()) out = "[" + out + "]";
  return option.semantic()->is_composing() ? out + "..." : out;
}

std::vector<std::string> usage_words(Command& command) {
  std::vector<std::string> words = {command.about().arguments};
  const po::options_description options = declared(command);
  for (const auto& option : options.options()) words.push_back(usage_of(*option));
  return words;
}

std::string indented(const std::string& text, const std::string& indent) {
  std::string out = indent;
  for (const char c : text) out += c == '\n' ? "\n" + indent : std::string(1, c);
  return out;
}

std::string called(const Command& command) { return "theta " + command.about().name; }

}  // namespace

std::vector<std::unique_ptr<Command>> make_commands() {
  std::vector<std::unique_ptr<Command>> all;
  for (const auto make : {make_run_command,           make_fork_command,
                          make_headroom_command,      make_sweep_command,
                          make_status_command,        make_ping_command,
                          make_check_command,         make_report_command,
                          make_why_command,           make_view_command,
                          make_replay_command,        make_record_command,
                          make_eval_command,          make_predict_command,
                          make_show_command,          make_export_command,
                          make_import_command,        make_data_stats_command,
                          make_data_build_command,    make_persona_fit_command,
                          make_persona_judge_command, make_persona_prompt_command,
                          make_persona_ask_command,   make_persona_forget_command})
    all.push_back(make());
  return all;
}

std::string usage_of(Command& command) {
  return fmt::format("{} {}", called(command), fmt::join(usage_words(command), " "));
}

std::string help_of(const std::vector<std::unique_ptr<Command>>& commands) {
  std::string out =
      "theta - optimises prompts, and distils them from a large model to a small one\n\n";
  for (const auto& command : commands) {
    auto words = usage_words(*command);
    words.front().insert(0, "  " + called(*command) + " ");
    out += wrapped(words, called(*command).size() + 3) + "\n" +
           indented(command->about().help, "      ") + "\n";
  }
  return out +
         "\ntheta COMMAND --help says what its options are for, theta --version the version.\n" +
         kExitCodes;
}

std::string help_of(Command& command) {
  auto words = usage_words(command);
  words.front().insert(0, called(command) + " ");
  std::ostringstream options;
  Asked none;
  options << declared(command).add(common(none));
  return wrapped(words, called(command).size() + 1) + "\n\n" + command.about().help + "\n\n" +
         options.str() + kExitCodes;
}

Asked parse(Command& command, const std::vector<std::string>& line) {
  Asked asked;
  po::options_description all = declared(command).add(common(asked));
  all.add_options()("argument", po::value(&asked.arguments));
  po::positional_options_description places;
  places.add("argument", -1);
  po::variables_map values;
  const std::string see = "; see " + called(command) + " --help";
  try {
    po::store(po::command_line_parser(line).options(all).positional(places).run(), values);
    if (values["help"].as<bool>()) return {.help = true};
    po::notify(values);
  } catch (const po::unknown_option& e) {
    throw UserError(called(command) + " takes no " + e.get_option_name() + see);
  } catch (const po::required_option& e) {
    throw UserError(called(command) + " needs " + e.get_option_name() + see);
  } catch (const po::error& e) {
    throw UserError(fmt::format("theta: {}{}", e.what(), see));
  }
  const std::size_t n = asked.arguments.size();
  if (n < command.about().least || n > command.about().most)
    throw UserError("usage: " + usage_of(command));
  return asked;
}

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& sets) {
  Config config = Config::load(file);
  for (const auto& set : sets) config.set(set);
  return config;
}

}  // namespace theta
