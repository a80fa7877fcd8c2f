#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/example.hpp"
#include "core/signature.hpp"
#include "modules/module.hpp"

namespace theta {

/// What a metric says of a prediction.
struct Grade {
  double score = 0;           ///< in [0, 1]
  std::string feedback = {};  ///< words for whoever mends the prompt: gepa's reflection reads them

  // NOLINTNEXTLINE: implicit on purpose, so that a metric may return its score alone
  Grade(double score_of_it = 0, std::string words = {})
      : score(score_of_it), feedback(std::move(words)) {}
};

/// Grades a prediction against its example. May be called from several threads at once.
using Metric = std::function<Grade(const Example& example, const Prediction& prediction)>;

/// A prediction and the example that it is of.
struct Graded {
  const Example& example;
  const Prediction& prediction;
};

/// A metric that asks somebody else, a judge or a program, and so grades a whole wave at a time. It
/// is held by a Metric, which grades one prediction by a wave of one; grade() finds it there.
struct BatchMetric {
  /// One grade a prediction, in order; an error where none could be had.
  std::function<std::vector<Result<Grade>>(std::span<const Graded>, const std::stop_token&)> wave;

  /// @throws RunError where no grade could be had.
  Grade operator()(const Example& example, const Prediction& prediction) const;
};

/// The grades of predictions, in their order; an error where a BatchMetric has none.
/// @throws std::logic_error for a score outside [0, 1].
std::vector<Result<Grade>> grade(const Metric& metric, std::span<const Graded> wave,
                                 const std::stop_token& stop = {});

/// `exact_match`, `contains` or `f1` on the given output field: of a text its words without articles
/// (modules/words.hpp); of a list of texts its items, each taken likewise; anything else as it is.
/// Where an example accepts several texts, the best match counts.
/// @throws UserError for another name.
Metric make_metric(std::string_view name, Field field);

/// 1 where the number of an output is off the right one by at most `tolerance`, or, where `relative`,
/// by at most that share of it. A text is read as a number: `$1,200.50` is 1200.5.
Metric number_metric(Field field, double tolerance, bool relative);

/// 1 where a regular expression (ICU's, which has Unicode's classes) matches an output or a part of
/// it. Needs no right answer.   @throws UserError naming the fault and its column in the pattern.
Metric regex_metric(Field field, const std::string& pattern);

/// The share of the named members of an object that equal the right one's, texts compared by their
/// words as exact_match does.
Metric json_fields_metric(Field field, std::vector<std::string> members);

/// A part of weighted_metric().
struct WeightedMetric {
  Metric metric;
  double weight = 1;
};

/// The weighted mean of several metrics' scores, their words one after another. What one of them has
/// no grade for has none.
Metric weighted_metric(std::vector<WeightedMetric> parts);

}  // namespace theta
