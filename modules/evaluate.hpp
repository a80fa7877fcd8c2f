#pragma once

#include <span>
#include <vector>

#include "core/example.hpp"
#include "core/records/store.hpp"
#include "modules/metric.hpp"
#include "modules/module.hpp"

namespace theta {

/// The scores of a program on examples, in their order. A failed example has no score; an
/// unparsable or refused one has score 0 and is counted apart. What a metric has no grade for, such
/// as a judge that did not answer, failed as well: the error stands in the prediction's place.
struct Evaluation {
  std::vector<double> scores;                   ///< (n); 0 where not scored
  std::vector<Outcome::Status> status;          ///< (n)
  std::vector<Result<Prediction>> predictions;  ///< (n)
  std::vector<std::string> feedback;            ///< (n); the metric's words, empty where none
  std::size_t n_failed = 0;
  std::size_t n_unparsable = 0;
  std::size_t n_refused = 0;

  /// Mean over all but the failed.
  /// @throws Outage if every example failed, with the first reason.
  double mean() const;
};

/// Runs `program` on every example in one wave and grades what comes out in another.
/// @throws UserError also as check_trace().
Evaluation evaluate(const Module& program, std::span<const Example> examples, const Metric& metric,
                    const Call& call);

}  // namespace theta
