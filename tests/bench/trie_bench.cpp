// Prompt tokens passed to llama_decode in a whole run for each token that had to be: the nodes of
// the trie of all its prompts, and one token a request. Read from runs of the program, in both
// modes; llama-server is asked the same requests in the same order.
#include <fmt/format.h>

#include <filesystem>

#include "core/result.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/llama_server.hpp"
#include "tests/bench/run_tokens.hpp"
#include "tests/support/small_model.hpp"

namespace theta {
namespace {

RunTokens read_run(const std::filesystem::path& folder) {
  const RunTokens run = read_run_tokens(folder);
  fmt::print("{}: {} requests, {} prompt tokens needed, {} computed\n", folder.string(),
             run.requests, run.needed, run.computed);
  return run;
}

RunTokens ask_server(const std::string& binary, const std::filesystem::path& folder, int cells) {
  RunTokens run;
  for (const auto& [model, requests] : asked_in(folder)) {
    LlamaServer server(binary, smollm(), 4, cells);
    std::vector<LlamaServer::Asked> wave;
    for (const Request& request : requests) wave.push_back({small_tokenizer().tokens(request)});
    run.computed += server.ask(wave).prompt_tokens;
    run.needed += needed_tokens(requests);
  }
  fmt::print("llama-server: {} computed\n", run.computed);
  return run;
}

std::vector<Figure> measure(std::vector<std::string>& arguments) {
  const std::string binary = take_option(arguments, "--llama-server");
  const std::string cells = take_option(arguments, "--cells");
  const std::filesystem::path runs = take_option(arguments, "--runs");
  if (binary.empty() || cells.empty() || runs.empty())
    throw UserError("trie needs --llama-server, --cells and --runs: run tests/bench/trie.sh");
  std::vector<Figure> figures;
  for (const std::string name : {"sentiment", "quickstart"}) {
    if (!std::filesystem::exists(runs / (name + "-throughput"))) continue;
    const double streamed = read_run(runs / (name + "-throughput")).ratio();
    const auto title = [&](const char* rest) {
      return fmt::format("{}, {} cells, {}", name, cells, rest);
    };
    figures.push_back(
        {.name = title("throughput mode"), .theta = streamed, .target = 1.1, .better = "lower"});
    figures.push_back(
        {.name = title("throughput mode beside llama-server's 4 slots of as many each"),
         .theta = streamed,
         .peer = ask_server(binary, runs / (name + "-throughput"), std::stoi(cells)).ratio(),
         .better = "lower"});
    figures.push_back({.name = title("deterministic mode"),
                       .theta = read_run(runs / (name + "-deterministic")).ratio(),
                       .better = "lower"});
  }
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("trie", argc, argv, theta::measure); }
