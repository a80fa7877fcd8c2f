#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/example.hpp"
#include "modules/module.hpp"

namespace theta {

/// Scores a prediction against its example, in [0, 1]. May be called from several threads at once.
using Metric = std::function<double(const Example& example, const Prediction& prediction)>;

/// `exact_match`, `contains` or `f1` on the given output field, texts normalised as SQuAD does
/// (lower case, no punctuation, no articles, single spaces; Rajpurkar et al. 2016).
/// Where the example holds a list, its best match counts. Only ASCII letters are lowered.
/// @throws UserError for another name.
Metric make_metric(std::string_view name, std::string field);

}  // namespace theta
