#include "experiments/report/report.hpp"

#include <fmt/format.h>

#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/files.hpp"
#include "experiments/report/comparison.hpp"
#include "experiments/report/csv.hpp"
#include "experiments/report/sweep_report.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

class ReportCommand final : public Command {
 public:
  ReportCommand()
      : Command(
            {.name = "report",
             .arguments = "DIR [DIR]",
             .most = 2,
             .help =
                 R"(Computes the table and report files of a run or a sweep anew from its records. Of two runs
it says what the second has over the first, paired by item and by user: differences with
their intervals, the items that turned, what differs in the configs and the prompts.)"}) {}

  void declare(Options& options) override {
    options.add_options()("csv", option::text(csv_, "FOLDER"), "writes every table as a CSV file")(
        "out", option::text(out_, "FOLDER"),
        "of two runs: writes comparison.html and comparison.json")(
        "row", option::text(rows_.a, "NAME"), "of two runs: the row to compare (default: all)")(
        "with", option::text(rows_.b, "NAME"),
        "the second run's row (default: the one of the same name)");
  }

  int run(const std::vector<std::string>& arguments, const Host& /*host*/) override {
    if (arguments.size() == 2) return compare(arguments[0], arguments[1]);
    if (!rows_.a.empty() || !rows_.b.empty() || !out_.empty())
      throw UserError("--row, --with and --out are of two runs: theta report DIR DIR");
    const fs::path folder = arguments[0];
    if (holds_sweep(folder)) {
      print_report(finish_sweep_report(folder), folder);
    } else {
      const Report report = make_report(Store(folder / kRecordFile, Store::Access::kRead));
      write_report(report, folder);
      print_report(to_table(report), folder);
    }
    if (!csv_.empty()) write_csv(read_whole(folder / "report.json"), csv_);
    return 0;
  }

 private:
  int compare(const fs::path& a, const fs::path& b) const {
    if (rows_.a.empty() && !rows_.b.empty())
      throw UserError("--with says what --row is compared with: give both");
    const RunComparison comparison = compare_runs(a, b, rows_);
    const std::string json = to_json(comparison);
    if (!csv_.empty()) write_csv(json, csv_);
    fmt::print("{}", visible(to_table(comparison)));
    if (out_.empty()) return 0;
    const fs::path folder = out_;
    make_folder(folder);
    write_whole(folder / "comparison.json", json);
    write_whole(folder / "comparison.html", to_html(comparison));
    fmt::print("\ncomparison: {}\n", (folder / "comparison.html").string());
    return 0;
  }

  std::string csv_, out_;
  ComparedRows rows_;
};

}  // namespace

void print_report(const std::string& table, const std::filesystem::path& folder) {
  fmt::print("{}\nreport: {}\n", visible(table), (folder / "report.html").string());
}

std::unique_ptr<Command> make_report_command() { return std::make_unique<ReportCommand>(); }

}  // namespace theta
