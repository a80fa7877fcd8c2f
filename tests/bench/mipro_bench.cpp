// A whole MIPROv2 run on sentiment with SmolLM2-135M: the untouched program on the test split,
// demos bootstrapped, instructions and demos searched together, the program found on the test
// split. Beside DSPy on a llama-server of the same source, with the same data, instructions,
// weights and threads. As both search the instructions that DSPy proposed, its time for them counts
// on neither side; Theta's is that of its whole process, DSPy's begins once it is imported and its
// server up.
//
// usage: mipro_bench --dspy PYTHON,SCRIPT --llama-server FILE [--json FILE] [--folder FOLDER]
//                    [--seeds 1,2,3] [--train 40] [--validation 60] [--test 100] [--trials 10]
//
// Started by mipro.sh. What FOLDER holds of a seed is not run again.

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/records/store.hpp"
#include "core/result.hpp"
#include "core/statistics.hpp"
#include "experiments/data/hutto.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/llama_server.hpp"
#include "tests/bench/run_tokens.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kSplitSeed = 7;
constexpr int kMinibatch = 25, kCells = 4096;

/// A way to ask in Theta.
struct Line {
  const char* name;
  const char* adapter;
  const char* answering;
  bool faithful;  ///< searched by DSPy's rules, else by Theta's own
};
constexpr Line kLines[] = {{"the same messages, generated", "chat", "generate", true},
                           {"the same messages, scored", "chat", "score", true},
                           {"terse messages, scored", "terse", "score", false}};
constexpr const char* kDspy = "DSPy";

struct Sizes {
  SplitSizes data;
  std::size_t trials;
};

void write_split(const std::filesystem::path& file, const std::vector<Example>& examples) {
  std::ofstream out(file);
  for (const Example& example : examples) {
    Json row{{"id", example.id}};
    for (const auto& [name, value] : example.fields) row[name] = to_text(value);
    out << row.dump() << "\n";
  }
}

Json dspy(const std::vector<std::string>& command, const std::string& binary,
          const std::filesystem::path& data, std::uint64_t seed, std::size_t trials) {
  const auto proposing = smollm().parent_path() / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf";
  const LlamaServer task(binary, smollm(), 4, kCells), proposer(binary, proposing, 1, kCells);
  const auto said = output_of({command.at(0), command.at(1), data.string(), task.url(),
                               proposer.url(), std::to_string(seed), std::to_string(trials)});
  return Json::parse(said);
}

Json theta_config(const Line& line, const std::filesystem::path& data, const Json& instructions,
                  std::uint64_t seed, std::size_t trials) {
  const auto split = [&](const char* name) { return (data / name).string(); };
  return {{"name", "mipro"},
          {"seed", seed},
          {"models",
           {{"task",
             {{"path", smollm().string()},
              {"threads", 2},
              {"context", kCells},
              {"mode", "throughput"}}}}},
          {"data",
           {{"splits",
             {{"train", split("train.jsonl")},
              {"validation", split("validation.jsonl")},
              {"test", split("test.jsonl")}}},
            {"id", "id"}}},
          {"program",
           {{"signature", "sentence -> sentiment: Literal['positive', 'negative']"},
            {"adapter", line.adapter},
            {"options", std::string_view(line.adapter) == "terse" ? "hidden" : "listed"},
            {"answering", line.answering},
            {"grammar", false},  // DSPy's server generates freely
            {"max_tokens", 40}}},
          {"metric", "exact_match"},
          {"optimizers",
           {{{"name", "mipro"},
             {"faithful", line.faithful},
             {"frozen", {"format"}},  // DSPy has none to choose
             {"num_instructions", 1},
             {"instructions", instructions},
             {"num_demo_sets", 4},
             {"max_bootstrapped", 3},
             {"max_labeled", 3},
             {"num_trials", trials},
             {"minibatch_size", kMinibatch},
             {"full_every", 5}}}}};
}

/// The same of a run of the program as mipro_dspy.py prints, and its prompt tokens computed for
/// each that had to be.
Json theta_run(const Json& config, const std::filesystem::path& folder) {
  std::ofstream(folder.string() + ".json") << config.dump();
  const auto began = std::chrono::steady_clock::now();
  output_of({theta_binary(), "run", folder.string() + ".json", "--out", folder.string()});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;

  const Store store(folder / "run.db", Store::Access::kRead);
  const Usage asked = store.kept();
  Json result{{"seconds", took.count()},
              {"evaluations", store.trials().back().evaluations},
              {"calls", asked.calls},
              {"prompt_tokens", asked.prompt_tokens},
              {"generated_tokens", asked.generated_tokens},
              {"computed", read_run_tokens(folder).ratio()}};
  for (const Outcome& outcome : store.outcomes())
    result[outcome.method == "mipro" ? "scores" : outcome.method][outcome.item] = outcome.score;
  return result;
}

double mean_score(const Json& scores) {
  std::vector<double> values;
  for (const auto& score : scores) values.push_back(score);
  return mean(values);
}

void print(std::uint64_t seed, const std::string& name, const Json& side) {
  fmt::print(
      "seed {}, {}: {:.1f} s, {} evaluations, {} calls, {} prompt and {} generated tokens, test "
      "{:.2f}, untouched {:.2f}\n",
      seed, name, side["seconds"].get<double>(), side["evaluations"].get<int>(),
      side["calls"].get<int>(), side["prompt_tokens"].get<int>(),
      side["generated_tokens"].get<int>(), mean_score(side["scores"]),
      mean_score(side["untouched"]));
  std::fflush(stdout);
}

/// Both sides of a seed: what DSPy printed and the same of each line, by their names. What `folder`
/// holds of them is not run again.
Json measure_seed(std::uint64_t seed, const std::filesystem::path& folder,
                  const std::vector<std::string>& peer, const std::string& server,
                  const Sizes& sizes) {
  const auto kept = folder / fmt::format("{}.json", seed);
  Json sides = Json::object();
  if (std::ifstream file(kept); file) sides = Json::parse(file);
  for (const auto& [name, side] : sides.items()) print(seed, name, side);
  const auto keep = [&](const char* name, const Json& side) {
    sides[name] = side;
    std::ofstream(kept) << sides.dump(2) << "\n";
    print(seed, name, side);
  };
  const TemporaryFolder scratch;
  const Dataset data = sentiment_task(load_hutto(hutto_folder()).sentences,
                                      {.sizes = sizes.data, .seed = kSplitSeed});
  write_split(scratch.path() / "train.jsonl", data.train);
  write_split(scratch.path() / "validation.jsonl", data.validation);
  write_split(scratch.path() / "test.jsonl", data.test);
  if (!sides.contains(kDspy)) keep(kDspy, dspy(peer, server, scratch.path(), seed, sizes.trials));
  for (const Line& line : kLines) {
    if (sides.contains(line.name)) continue;
    keep(line.name, theta_run(theta_config(line, scratch.path(), sides[kDspy]["instructions"], seed,
                                           sizes.trials),
                              scratch.path() / line.name));
  }
  return sides;
}

/// A line of all seeds beside DSPy. The target of a speed where there is one goes for all figures.
void compare(const Line& line, const std::vector<Json>& seeds, bool aimed,
             std::vector<Figure>& figures) {
  double seconds = 0, peer_seconds = 0, evaluations = 0, peer_evaluations = 0, computed = 0;
  std::vector<double> scores, peer_scores, differences;
  std::vector<std::string> items;
  for (const Json& seed : seeds) {
    const Json &ours = seed.at(line.name), &theirs = seed.at(kDspy);
    seconds += ours["seconds"].get<double>();
    peer_seconds += theirs["seconds"].get<double>();
    evaluations += ours["evaluations"].get<double>();
    peer_evaluations += theirs["evaluations"].get<double>();
    computed += ours["computed"].get<double>();
    for (const auto& [item, score] : ours["scores"].items()) {
      items.push_back(item);
      scores.push_back(score);
      peer_scores.push_back(theirs["scores"].at(item));
      differences.push_back(scores.back() - peer_scores.back());
    }
  }
  const Interval interval = paired_difference(differences, items).interval();
  fmt::print("{}: test accuracy {:.3f}, DSPy's {:.3f}, difference {:+.3f} [{:+.3f}, {:+.3f}]\n",
             line.name, mean(scores), mean(peer_scores), mean(differences), interval.low,
             interval.high);
  const auto n = static_cast<double>(seeds.size());
  const auto add = [&](const char* what, double theta, std::optional<double> peer, double target,
                       const char* better) {
    figures.push_back({.name = fmt::format("{}: {}", line.name, what),
                       .theta = theta,
                       .peer = peer,
                       .target = aimed ? std::optional(target) : std::nullopt,
                       .better = better});
  };
  add("runs an hour", 3600 * n / seconds, 3600 * n / peer_seconds, 10, "higher");
  add("program evaluations a search", evaluations / n, peer_evaluations / n, 1, "lower");
  add("points gained on DSPy, lower bound", 100 * interval.low, std::nullopt, -3, "higher");
  figures.push_back({.name = fmt::format("{}: prompt tokens computed a token needed", line.name),
                     .theta = computed / n,
                     .target = 1.1,
                     .better = "lower"});
}

std::vector<Figure> measure(std::vector<std::string>& arguments) {
  const auto size = [&](const char* name, const char* otherwise) {
    return static_cast<std::size_t>(std::stoull(take_option(arguments, name, otherwise)));
  };
  const Sizes sizes{{size("--train", "40"), size("--validation", "60"), size("--test", "100")},
                    size("--trials", "10")};
  const auto peer = take_list(arguments, "--dspy");
  const std::string server = take_option(arguments, "--llama-server");
  if (peer.size() != 2 || server.empty()) throw UserError("start it by mipro.sh");
  const TemporaryFolder unnamed;
  const std::filesystem::path folder = take_option(arguments, "--folder", unnamed.path().string());
  std::filesystem::create_directories(folder);

  std::vector<Json> seeds;
  for (const std::string& number : take_list(arguments, "--seeds", "1,2,3")) {
    const auto seed = std::stoull(number);
    seeds.push_back(measure_seed(seed, folder, peer, server, sizes));
  }
  std::vector<Figure> figures;
  for (const Line& line : kLines) compare(line, seeds, &line == std::end(kLines) - 1, figures);
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("mipro", argc, argv, theta::measure); }
