#include "tests/support/places.hpp"

namespace theta {

std::string source_dir() { return THETA_SOURCE_DIR; }
std::string theta_binary() { return THETA_BINARY; }

}  // namespace theta
