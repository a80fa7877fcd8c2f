#pragma once

#include <string>

namespace theta {

/// The root of the checkout. Only one file is compiled with it, so that the others compile the same
/// in every checkout.
std::string source_dir();
/// The program `theta` of this build.
std::string theta_binary();

}  // namespace theta
