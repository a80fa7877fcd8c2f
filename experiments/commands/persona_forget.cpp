#include <fmt/format.h>

#include <limits>

#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/forget/forget.hpp"

namespace theta {
namespace {

class PersonaForget final : public Command {
 public:
  PersonaForget()
      : Command(
            {.name = "persona forget",
             .arguments = "USER DIR...",
             .least = 2,
             .most = std::numeric_limits<std::size_t>::max(),
             .help =
                 R"(Removes every trace of a person from folders: their id, their texts and their personas, in
the records of runs, caches, saved prompts and their demos, JSON lines and the files of
`theta persona fit`; computes the reports anew, and searches every file for what is known
of the person. The texts are those in the folders, in the data that runs name and in
FILE. Exits with 1 where something is left, and says where.)"}) {}

  void declare(Options& options) override {
    options.add_options()("pairs", option::texts(pairs_, "FILE"),
                          "data elsewhere with what the person chose");
  }

  int run(const std::vector<std::string>& arguments, const Host& /*host*/) override {
    const std::vector<std::filesystem::path> folders(arguments.begin() + 1, arguments.end());
    const std::vector<std::filesystem::path> pairs(pairs_.begin(), pairs_.end());
    const std::string& user = arguments[0];
    const Forgotten out = forget_person(user, folders, pairs);
    for (const auto& [file, removed] : out.removed) {
      std::string what;
      for (const auto& [name, n] : removed)
        what += fmt::format("{}{}", what.empty() ? "" : ", ",
                            n == 1 ? name : fmt::format("{} {}", n, name));
      print("removed", file + ": " + what);
    }
    for (const std::string& line : out.notes) print("note", line);
    for (const std::string& line : out.left) print("LEFT", line);
    fmt::print("searched {} files, {} bytes, for the id `{}`, {} texts and {} personas: {}\n",
               out.files, out.bytes, visible(user), out.texts, out.personas,
               out.left.empty() ? "nothing is left" : "something is left");
    return out.left.empty() ? 0 : 1;
  }

 private:
  static void print(const char* kind, const std::string& line) {
    fmt::print("{}  {}\n", kind, visible(line));
  }

  std::vector<std::string> pairs_;
};

}  // namespace

std::unique_ptr<Command> make_persona_forget_command() { return std::make_unique<PersonaForget>(); }

}  // namespace theta
