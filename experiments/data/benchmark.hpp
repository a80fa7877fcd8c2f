#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "experiments/data/raw_choices.hpp"
#include "experiments/models.hpp"
#include "modules/judge.hpp"

namespace theta {

/// How a model is asked whether a choice is a matter of the person who chooses: 1 to 5.
struct RatingOptions {
  std::string model;       ///< role
  int least = 4;           ///< both of what was asked and of the two answers
  bool reasoning = false;  ///< before the rating
  std::string adapter = "chat";
  int max_tokens = 256;
};

/// How models are asked which of two answers is better, whoever asks.
struct DisagreementOptions {
  std::vector<std::string> models;  ///< roles; each votes twice, with either answer first
  double most_agreement = 0.75;     ///< share of the votes that the larger side may have
  Judging judging = Judging::kGenerated;
  bool reasoning = false;
  std::string adapter = "chat";
  int max_tokens = 256;
};

/// How a benchmark is made of raw choices: PersonalRewardBench's steps (arXiv 2506.05598, section
/// 4), whose prompts and thresholds are not published. These are Theta's own.
struct BenchmarkOptions {
  std::string name;
  std::uint64_t seed = 0;
  std::variant<std::filesystem::path, PrismFiles> source = {};  ///< a path: read_raw_pairs()
  int min_score_gap = 10;                                       ///< of PRISM's scores
  std::size_t min_pairs = 5;                                    ///< of a person, at the end too
  std::optional<RatingOptions> rating = {};                     ///< none: all are kept
  std::optional<DisagreementOptions> judges = {};               ///< likewise
  double train_people = 0.2, validation_people = 0.2;  ///< shares; the others are test people
  ModelTable models = {};                              ///< of the roles that are asked
  double train_prompts = 0.5, val_prompts = 0.2;  ///< of a person's prompts; the others are tested
};

/// Reads a config of `name`, `seed`, `models` and `build`. Opens no file.
/// @throws UserError `file:line:col: message`.
BenchmarkOptions read_benchmark(const Config& config);

/// A choice that was kept, and what for.
struct BenchmarkRow {
  RawChoice choice;
  std::optional<int> query_rating = {}, response_rating = {};
  std::optional<double> agreement = {};
  std::string_view people = {};  ///< the split of its person: `train`, `validation`, `test`
  std::string_view split = {};   ///< its own: `train`, `val`, `test`
};

/// A benchmark, and every count on the way to it.
struct Benchmark {
  struct Step {
    std::string what;
    std::size_t pairs, people;  ///< that are left
  };
  std::size_t rows = 0;
  std::vector<std::pair<std::string, std::size_t>> left_out;  ///< of what was read
  std::vector<Step> steps;
  std::map<int, std::size_t> query_ratings, response_ratings;  ///< 0: none that could be read
  std::map<double, std::size_t> agreements;                    ///< -1: nobody voted
  std::size_t shared_prompts = 0;  ///< test pairs of test people whose prompt other people had too
  std::vector<BenchmarkRow> kept;
  /// Requests that a service left without an answer: nothing was decided then, and the rest is empty.
  std::size_t lost = 0;
  std::string why_lost = {};
};

/// Asks in waves: about all prompts, about all choices, and of every judge about all choices in both
/// orders. People with too few choices are left out before anything is asked, and again at the end.
/// A person's choices that share a prompt, what a conversation began with, stand on one side.
/// @param model  of a role; @param stop  interrupts what is asked
Benchmark build_benchmark(const BenchmarkOptions& options,
                          const std::function<LanguageModel&(const std::string&)>& model,
                          std::stop_token stop);

/// The JSON lines of the people of a split, which read_pairs() reads.
std::string lines_of(const Benchmark& benchmark, std::string_view people);

/// Every count, with the settings.
nlohmann::ordered_json datasheet(const BenchmarkOptions& options, const Benchmark& benchmark);

}  // namespace theta
