// Prompt tokens passed to llama_decode in a whole run for each token that had to be: the nodes of
// the trie of all its prompts, and one token a request. Read from runs of the program, in both
// modes; llama-server is asked the same requests in the same order.
#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/json_text.hpp"
#include "core/llama_job.hpp"
#include "core/result.hpp"
#include "core/store.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/llama_server.hpp"
#include "tests/support/small_model.hpp"

namespace theta {
namespace {

Request request_of(const std::string& canonical) {
  const auto json = nlohmann::json::parse(canonical);
  Request request;
  for (const auto& message : json["messages"]) {
    request.messages.push_back({text_of(message["role"]), text_of(message["content"])});
  }
  request.answer_prefix = text_of(json["answer_prefix"]);
  for (const auto& option : json["options"]) request.options.push_back(text_of(option));
  request.max_tokens = json["max_tokens"];
  return request;
}

/// What was asked of each model of a run, in order.
std::map<std::string, std::vector<Request>> asked_in(const std::filesystem::path& folder) {
  sqlite3* db = nullptr;
  sqlite3_stmt* rows = nullptr;
  if (sqlite3_open_v2((folder / "run.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) !=
          SQLITE_OK ||
      sqlite3_prepare_v2(db, "SELECT identity, request FROM responses ORDER BY rowid", -1, &rows,
                         nullptr) != SQLITE_OK) {
    throw UserError(fmt::format("no run in {}", folder.string()));
  }
  const auto text = [&](int column) {
    return std::string(reinterpret_cast<const char*>(sqlite3_column_text(rows, column)));
  };
  std::map<std::string, std::vector<Request>> out;
  while (sqlite3_step(rows) == SQLITE_ROW) out[text(0)].push_back(request_of(text(1)));
  sqlite3_finalize(rows);
  sqlite3_close(db);
  return out;
}

/// The fewest tokens that any engine passes to the model for these requests.
std::int64_t needed(const std::vector<Request>& requests) {
  std::vector<std::vector<Token>> reads;
  for (const Request& request : requests) {
    const LlamaJob job(request, small_tokenizer());
    if (!job.scored()) reads.push_back(job.prompt());
    for (std::size_t i = 0; i < job.options().size(); ++i) reads.push_back(job.read(i));
  }
  return static_cast<std::int64_t>(prefix_tree_nodes(std::move(reads)) + requests.size());
}

struct Run {
  std::int64_t computed = 0, needed = 0;
  std::size_t requests = 0;
  double ratio() const { return static_cast<double>(computed) / static_cast<double>(needed); }
};

Run read_run(const std::filesystem::path& folder) {
  Run run;
  for (const auto& [what, amount] : Store(folder / "run.db", Store::Access::kRead).timing()) {
    if (what.ends_with(" computed tokens")) run.computed += static_cast<std::int64_t>(amount);
  }
  for (const auto& [model, requests] : asked_in(folder)) {
    run.needed += needed(requests);
    run.requests += requests.size();
  }
  fmt::print("{}: {} requests, {} prompt tokens needed, {} computed\n", folder.string(),
             run.requests, run.needed, run.computed);
  return run;
}

Run ask_server(const std::string& binary, const std::filesystem::path& folder, int cells) {
  Run run;
  for (const auto& [model, requests] : asked_in(folder)) {
    LlamaServer server(binary, smollm(), 4, cells);
    std::vector<LlamaServer::Asked> wave;
    for (const Request& request : requests) wave.push_back({small_tokenizer().tokens(request)});
    run.computed += server.ask(wave).prompt_tokens;
    run.needed += needed(requests);
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
