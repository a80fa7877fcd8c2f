#include "optimizers/surrogate.hpp"

#include <fmt/format.h>

#include "core/result.hpp"
#include "optimizers/paired_surrogate.hpp"
#include "optimizers/random_surrogate.hpp"

namespace theta {

std::unique_ptr<Surrogate> make_surrogate(std::string_view name, std::vector<Variable> space) {
  if (name == "paired") return std::make_unique<PairedSurrogate>(std::move(space));
  if (name == "random") return std::make_unique<RandomSurrogate>();
  throw UserError(fmt::format("there is no surrogate `{}`: choose paired or random", name));
}

}  // namespace theta
