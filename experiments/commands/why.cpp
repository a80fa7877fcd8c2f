#include "experiments/report/why.hpp"

#include <fmt/format.h>

#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

class WhyCommand final : public Command {
 public:
  WhyCommand()
      : Command(
            {.name = "why",
             .arguments = "DIR [ROW]",
             .most = 2,
             .help =
                 R"(Says of a run's rows why they came out as they did: which items they won and lost, what
their search believed and cost, and what it changed in the prompt. With --trial, of one trial.)"}) {
  }

  void declare(Options& options) override {
    options.add_options()("trial", option::number(trial_, "N", "trial", 1),
                          "a trial by its number")("search", option::text(search_, "NAME"),
                                                   "whose trial (default: the first search's)");
  }

  int run(const std::vector<std::string>& arguments, const Host&) override {
    const std::filesystem::path folder = arguments[0];
    const Store store(folder / kRecordFile, Store::Access::kRead);
    const std::string row = arguments.size() > 1 ? arguments[1] : "";
    if (trial_ == 0 && !search_.empty())
      throw UserError("--search says whose --trial: give its number");
    if (trial_ > 0 && !row.empty()) throw UserError("--trial is of a search: leave the row out");
    fmt::print("{}", visible(trial_ > 0 ? trial_text(store, search_, static_cast<int>(trial_))
                                        : why_text(store, row)));
    return 0;
  }

 private:
  std::int64_t trial_ = 0;
  std::string search_;
};

}  // namespace

std::unique_ptr<Command> make_why_command() { return std::make_unique<WhyCommand>(); }

}  // namespace theta
