#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "core/records/store.hpp"
#include "optimizers/gate.hpp"

namespace theta {

// What the reports of a run and of a sweep write alike.

/// To 6 significant digits, without a negative zero; null for none.
nlohmann::ordered_json rounded(std::optional<double> value);
nlohmann::ordered_json usage_json(const std::vector<UsageRecord>& by_role);
nlohmann::ordered_json gate_json(const Decision& gate);

}  // namespace theta
