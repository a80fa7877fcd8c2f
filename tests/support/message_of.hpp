#pragma once

#include <string>

namespace theta {

/// What the E that `call` throws says.
template <typename E, typename F>
std::string message_of(F&& call) {
  try {
    call();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace theta
