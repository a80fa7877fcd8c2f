#include "experiments/view/random_hex.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <iterator>

#include "core/result.hpp"

namespace theta::view {

std::string random_hex() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != std::ssize(bytes))
    throw RunError("the system gives no random numbers");
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace theta::view
