#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>

#include "core/progress.hpp"
#include "core/store.hpp"
#include "experiments/models.hpp"

namespace theta {

/// What an experiment may use while it runs.
struct RunContext {
  std::filesystem::path folder;
  std::uint64_t seed = 0;
  Store& store;
  Models& models;
  Progress& progress;
  std::stop_token stop;
};

}  // namespace theta
