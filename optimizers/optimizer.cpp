#include "optimizers/optimizer.hpp"
#include "optimizers/surrogate.hpp"
