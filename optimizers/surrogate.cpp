#include "optimizers/surrogate.hpp"

#include <fmt/format.h>

#include "core/result.hpp"
#include "optimizers/paired_surrogate.hpp"
#include "optimizers/random_surrogate.hpp"
#include "optimizers/tpe_surrogate.hpp"

namespace theta {

std::unique_ptr<Surrogate> make_surrogate(std::string_view name, std::vector<Variable> space) {
  if (name == "paired") return std::make_unique<PairedSurrogate>(std::move(space));
  if (name == "gp") return std::make_unique<PairedSurrogate>(std::move(space), ordinary_gp());
  if (name == "tpe") return std::make_unique<TpeSurrogate>(std::move(space));
  if (name == "random") return std::make_unique<RandomSurrogate>();
  throw UserError(
      fmt::format("there is no surrogate `{}`: choose paired, gp, tpe or random", name));
}

}  // namespace theta
