#include <fmt/format.h>

#include <filesystem>

#include "core/log.hpp"
#include "core/result.hpp"
#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/files.hpp"
#include "experiments/promptfoo.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

class ImportCommand final : public Command {
 public:
  ImportCommand()
      : Command(
            {.name = "import",
             .arguments = "CONFIG",
             .help =
                 R"(Makes an experiment of a promptfoo config, with its tests as rows, and says what it
leaves out. A DSPy state needs no import: `program: {load: FILE}` begins with it.)"}) {}

  void declare(Options& options) override {
    options.add_options()(
        "out", option::text(out_, "FOLDER"),
        "a new folder for NAME.yaml and NAME.jsonl (default: NAME, the config's)");
  }

  int run(const std::vector<std::string>& arguments, const Host& /*host*/) override {
    const fs::path file = arguments[0];
    const std::string name = file.stem().string();
    const fs::path folder = out_.empty() ? fs::path(name) : fs::path(out_);
    const ImportedTask task = import_promptfoo(file, name, name + ".jsonl");
    if (fs::exists(folder))
      throw UserError(folder.string() + " is there already: name a new folder with --out");
    make_folder(folder);
    const fs::path config = folder / (name + ".yaml");
    write_whole(folder / (name + ".jsonl"), task.rows);
    write_whole(config, task.config);
    for (const std::string& line : task.left_out) tell("theta: left out: " + visible(line));
    fmt::print("{} has {} rows; next: theta check {}\n", config.string(), task.n_rows,
               config.string());
    return 0;
  }

 private:
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> make_import_command() { return std::make_unique<ImportCommand>(); }

}  // namespace theta
