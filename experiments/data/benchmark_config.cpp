#include <algorithm>
#include <utility>

#include "core/result.hpp"
#include "experiments/data/benchmark.hpp"
#include "experiments/data/data_config.hpp"

namespace theta {
namespace {

RatingOptions read_rating(const Config& rating) {
  RatingOptions options{.model = rating.text("model")};
  options.least = static_cast<int>(rating.integer("least", options.least, 1, 5));
  options.reasoning = rating.boolean("reasoning", options.reasoning);
  options.adapter = rating.choice("adapter", {"chat", "json", "terse"}, options.adapter);
  options.max_tokens = read_int(rating, "max_tokens", options.max_tokens, 1);
  return options;
}

DisagreementOptions read_judges(const Config& judges) {
  DisagreementOptions options{.models = judges.texts("models")};
  if (options.models.empty()) judges.fail("give the 'models' that judge");
  options.most_agreement = read_share(judges, "most_agreement", options.most_agreement, 0.5, 1);
  if (judges.choice("judging", {"generated", "scored"}, "generated") == "scored")
    options.judging = Judging::kScored;
  options.reasoning = judges.boolean("reasoning", options.reasoning);
  if (options.reasoning && options.judging == Judging::kScored)
    judges.at("reasoning").fail("what is scored is not reasoned about: take one of the two out");
  options.adapter = judges.choice("adapter", {"chat", "json", "terse"}, options.adapter);
  options.max_tokens = read_int(judges, "max_tokens", options.max_tokens, 1);
  return options;
}

std::variant<std::filesystem::path, PrismFiles> read_source(const Config& build) {
  const auto pairs = build.find("pairs");
  const auto prism = build.find("prism");
  if (pairs.has_value() == prism.has_value()) build.fail("give exactly one of 'pairs' and 'prism'");
  if (pairs) return path_of(*pairs);
  PrismFiles files;
  const auto file = [&](const char* key) {
    const auto named = prism->find(key);
    return named ? path_of(*named) : std::filesystem::path();
  };
  files.conversations = file("conversations");
  files.utterances = file("utterances");
  files.survey = file("survey");
  if (files.conversations.empty() == files.utterances.empty())
    prism->fail("give exactly one of 'conversations' and 'utterances'");
  return files;
}

/// Two shares of a whole whose rest is tested.
void read_shares(const Config& build, const char* section, const char* second, double& one,
                 double& other) {
  const auto shares = build.find(section);
  if (!shares) return;
  one = read_share(*shares, "train", one, 0, 1);
  other = read_share(*shares, second, other, 0, 1);
  if (one + other >= 1) shares->fail("these shares leave nothing to test");
}

/// The roles that are asked.
std::vector<std::string> models_of(const BenchmarkOptions& options) {
  std::vector<std::string> roles;
  if (options.rating) roles.push_back(options.rating->model);
  if (options.judges)
    for (const std::string& role : options.judges->models)
      if (std::ranges::find(roles, role) == roles.end()) roles.push_back(role);
  return roles;
}

}  // namespace

BenchmarkOptions read_benchmark(const Config& config) {
  BenchmarkOptions options{.name = config.text("name"), .seed = read_seed(config)};
  const Config build = config.at("build");
  options.source = read_source(build);
  options.min_score_gap = read_int(build, "min_score_gap", options.min_score_gap, 1);
  options.min_pairs = read_size(build, "min_pairs", options.min_pairs, 2);
  if (const auto rating = build.find("rating")) options.rating = read_rating(*rating);
  if (const auto judges = build.find("judges")) options.judges = read_judges(*judges);
  read_shares(build, "people", "validation", options.train_people, options.validation_people);
  read_shares(build, "prompts", "val", options.train_prompts, options.val_prompts);
  if (const auto roles = models_of(options); !roles.empty())
    options.models = read_models(config.at("models"), roles);
  config.finish();
  return options;
}

}  // namespace theta
