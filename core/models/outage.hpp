#pragma once

#include "core/result.hpp"

namespace theta {

/// A service answered nothing of what a step needs, so that the work cannot go on. What was answered
/// is kept: the same command goes on from there once the service is back.
class Outage : public RunError {
 public:
  using RunError::RunError;
};

}  // namespace theta
