#include "experiments/report/report.hpp"

#include <fmt/format.h>

#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/report/sweep_report.hpp"

namespace theta {
namespace {

class ReportCommand final : public Command {
 public:
  ReportCommand()
      : Command({.name = "report",
                 .arguments = "DIR",
                 .help = "Computes the table and report files of a run or a sweep anew from its "
                         "records."}) {}

  void declare(Options& /*options*/) override {}
  int run(const std::vector<std::string>& arguments, const Host& /*host*/) override {
    const std::filesystem::path folder = arguments[0];
    if (holds_sweep(folder)) {
      print_report(finish_sweep_report(folder), folder);
      return 0;
    }
    const Report report = make_report(Store(folder / "run.db", Store::Access::kRead));
    write_report(report, folder);
    print_report(to_table(report), folder);
    return 0;
  }
};

}  // namespace

void print_report(const std::string& table, const std::filesystem::path& folder) {
  fmt::print("{}\nreport: {}\n", visible(table), (folder / "report.html").string());
}

std::unique_ptr<Command> make_report_command() { return std::make_unique<ReportCommand>(); }

}  // namespace theta
