#include "modules/module.hpp"

namespace theta {

std::vector<const Predictor*> Module::predictors() const {
  // The non-const overload only hands out pointers; it changes nothing.
  const auto mine = const_cast<Module*>(this)->predictors();
  return {mine.begin(), mine.end()};
}

}  // namespace theta
