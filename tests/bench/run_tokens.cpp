#include "tests/bench/run_tokens.hpp"

#include "core/models/llama/job.hpp"
#include "core/records/request_json.hpp"
#include "core/records/sqlite.hpp"
#include "core/records/store.hpp"
#include "tests/support/small_model.hpp"

namespace theta {
RunTokens read_run_tokens(const std::filesystem::path& folder) {
  RunTokens run;
  for (const auto& [what, amount] : Store(folder / "run.db", Store::Access::kRead).timing()) {
    if (what.ends_with(" computed tokens")) run.computed += static_cast<std::int64_t>(amount);
  }
  for (const auto& [model, requests] : asked_in(folder)) {
    run.needed += needed_tokens(requests);
    run.requests += requests.size();
  }
  return run;
}

std::map<std::string, std::vector<Request>> asked_in(const std::filesystem::path& folder) {
  const Database run((folder / "run.db").string(), false);
  Statement asked(run, "SELECT identity, request FROM answers ORDER BY rowid");
  std::map<std::string, std::vector<Request>> requests;
  for (auto row = asked.use(); row.next();)
    requests[row.text(0)].push_back(request_of(row.text(1)));
  return requests;
}

std::int64_t needed_tokens(const std::vector<Request>& requests) {
  std::vector<std::vector<Token>> reads;
  for (const Request& request : requests) {
    const LlamaJob job(request, small_tokenizer());
    if (!job.scored()) reads.push_back(job.prompt());
    for (std::size_t i = 0; i < job.options().size(); ++i) reads.push_back(job.read(i));
  }
  return static_cast<std::int64_t>(prefix_tree_nodes(std::move(reads)) + requests.size());
}

}  // namespace theta
