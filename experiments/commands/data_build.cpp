#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/log.hpp"
#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/verify.hpp"
#include "experiments/data/benchmark.hpp"
#include "experiments/files.hpp"
#include "experiments/models.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

/// What is left behind each step.
Table steps_table(const Benchmark& benchmark) {
  Table table{{{"step"}, {"pairs", true}, {"people", true}}};
  for (const auto& [what, pairs, people] : benchmark.steps)
    table.rows.push_back({what, std::to_string(pairs), std::to_string(people)});
  return table;
}

/// The people of each split, and what their pairs are for.
Table splits_table(const nlohmann::ordered_json& splits) {
  Table table{{{"people of"}, {"people", true}, {"train", true}, {"val", true}, {"test", true}}};
  for (const auto& [name, split] : splits.items()) {
    std::vector<std::string> row = {name};
    for (const char* key : {"people", "train", "val", "test"}) row.push_back(split[key].dump());
    table.rows.push_back(std::move(row));
  }
  return table;
}

class DataBuild final : public Command {
 public:
  DataBuild()
      : Command(
            {.name = "data build",
             .arguments = "CONFIG",
             .loads_models = true,
             .help =
                 R"(Makes a benchmark of people's choices from raw ones (PRISM's files, Chatbot Arena's votes,
any rows of pairs): those of people who made enough, that a model rates as a matter of the
person, and that several models disagree about. The folder DIR (default runs/NAME-data) then
holds train.jsonl, validation.jsonl and test.jsonl, a file of pairs for each split of the
people, and datasheet.json with every count. Stopped, the same command goes on.)"}) {}

  void declare(Options& options) override {
    option::sets(options, sets_);
    options.add_options()("out", option::text(out_, "DIR"), "the folder of the benchmark");
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    const Config config = load_config(arguments[0], sets_);
    const BenchmarkOptions options = read_benchmark(config);
    verify(config, options);
    const fs::path folder =
        out_.empty() ? fs::path("runs") / (options.name + "-data") : fs::path(out_);
    make_folder(folder);
    const Benchmark made = build(options, folder, host);
    if (made.lost > 0) {
      tell(
          fmt::format("theta: incomplete: {} requests got no answer, the first because: {}; the "
                      "same command asks for what is missing",
                      made.lost, made.why_lost));
      return kAnswersMissing;
    }
    write(options, made, folder);
    return 0;
  }

 private:
  /// The answers are kept in the folder; the record is of this process alone.
  static Benchmark build(const BenchmarkOptions& options, const fs::path& folder,
                         const Host& host) {
    const ScratchFolder scratch(folder);
    Store store(scratch.path() / kRecordFile);
    const auto cache =
        std::make_shared<AnswerCache>(CacheOptions{folder / "answers.db", CacheMode::kRecord});
    Models models(options.models, store, host.progress, Models::Purpose::kRun, nullptr, nullptr,
                  cache);
    host.progress.stage("asking about the choices");
    try {
      Benchmark made = build_benchmark(
          options, [&](const std::string& role) -> LanguageModel& { return models[role]; },
          host.stop);
      host.progress.finish();
      return made;
    } catch (const Interrupted&) {
      throw Interrupted(
          fmt::format("stopped; the answers are in {}, and the same command goes on from there",
                      cache->file().string()));
    }
  }

  static void write(const BenchmarkOptions& options, const Benchmark& made,
                    const fs::path& folder) {
    for (const char* people : {"train", "validation", "test"})
      write_whole(folder / fmt::format("{}.jsonl", people), lines_of(made, people));
    const nlohmann::ordered_json sheet = datasheet(options, made);
    write_whole(folder / "datasheet.json", write_json(sheet, JsonStyle::kIndented) + "\n");
    fmt::print("{} rows\n", made.rows);
    for (const auto& [why, n] : made.left_out) fmt::print("left out: {} {}\n", n, why);
    fmt::print("\n{}\n{}", visible(text_table(steps_table(made))),
               text_table(splits_table(sheet.at("splits"))));
    fmt::print("{}\n", (folder / "datasheet.json").string());
  }

  std::vector<std::string> sets_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> make_data_build_command() { return std::make_unique<DataBuild>(); }

}  // namespace theta
