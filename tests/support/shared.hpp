#pragma once

#include <cstdlib>
#include <filesystem>

#include "tests/support/places.hpp"

namespace theta {

/// The folder of data kept beside the project: THETA_SHARED, else ../shared. May be missing.
inline std::filesystem::path shared_folder() {
  const char* shared = std::getenv("THETA_SHARED");
  return shared != nullptr ? std::filesystem::path(shared)
                           : std::filesystem::path(source_dir()) / "../shared";
}

}  // namespace theta
