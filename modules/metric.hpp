#pragma once

#include <functional>
#include <string_view>

#include "core/example.hpp"
#include "core/signature.hpp"
#include "modules/module.hpp"

namespace theta {

/// Scores a prediction against its example, in [0, 1]. May be called from several threads at once.
using Metric = std::function<double(const Example& example, const Prediction& prediction)>;

/// `exact_match`, `contains` or `f1` on the given output field: of a text its words without articles
/// (modules/words.hpp); of a list its items, each taken likewise; anything else as it is. Where an
/// example accepts several texts, the best match counts.
/// @throws UserError for another name.
Metric make_metric(std::string_view name, Field field);

}  // namespace theta
