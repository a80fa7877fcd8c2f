#pragma once

#include <functional>
#include <string_view>

#include "core/example.hpp"
#include "core/signature.hpp"
#include "modules/module.hpp"

namespace theta {

/// Scores a prediction against its example, in [0, 1]. May be called from several threads at once.
using Metric = std::function<double(const Example& example, const Prediction& prediction)>;

/// `exact_match`, `contains` or `f1` on the given output field: of a text its words, normalised as
/// SQuAD does (lower case, no punctuation, no articles; Rajpurkar et al. 2016; only ASCII letters
/// are lowered); of a list its items, normalised the same way; anything else as it is. Where the
/// example holds a list for a text, its best match counts.
/// @throws UserError for another name.
Metric make_metric(std::string_view name, Field field);

}  // namespace theta
