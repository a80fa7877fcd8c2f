#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "experiments/embedder.hpp"
#include "experiments/metric_config.hpp"
#include "experiments/program.hpp"
#include "experiments/runs/run_context.hpp"

namespace theta {

/// What a user would take in place of a prompt: classifiers of texts that see the labelled rows which
/// a search sees, those of training and validation.
enum class Baseline {
  kMajority,  ///< the most frequent label
  kCentroid,  ///< nearest_centroid()
  kLogistic   ///< LogisticRegression, its penalty by cross-validation
};

/// The name of its row: `majority`, `nearest centroid`, `logistic regression`.
std::string_view name_of(Baseline baseline);

struct BaselineOptions {
  std::vector<Baseline> rows;
  /// What tells which texts are alike; none: their words, as Tfidf weights them.
  std::optional<EmbedderOptions> embedder;
};

/// Reads `baselines: [majority, centroid, logistic]` and `embedder` of a config. By default all three where the answer is one of some labels and no
/// judge or command grades it; else none.
/// @throws UserError with the position where the answer has no labels.
BaselineOptions read_baselines(const Config& config, const ProgramOptions& program,
                               const MetricOptions& metric);

/// Scores each on the test split and keeps its row. Nothing where a row of the data has no label.
/// @param signature  that the rows of `data` were read as
void put_baselines(const BaselineOptions& options, const Dataset& data, const Signature& signature,
                   const Metric& metric, RunContext& run);

/// What each scores on the rows of training and validation by cross-validation over five folds (row
/// i is in fold i mod 5): by whom, and one outcome a labelled row. Asks no language model. Empty
/// where there are fewer rows than folds.
std::vector<std::vector<Outcome>> cross_validated(const BaselineOptions& options,
                                                  const Dataset& data, const Signature& signature,
                                                  const Metric& metric, RunContext& run);

}  // namespace theta
