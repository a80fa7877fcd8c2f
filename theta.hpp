#pragma once

/// What a program that optimises prompts is made of, in one include.

#include "core/example.hpp"              // IWYU pragma: export
#include "core/models/http/model.hpp"    // IWYU pragma: export
#include "core/models/llama/model.hpp"   // IWYU pragma: export
#include "core/signature.hpp"            // IWYU pragma: export
#include "modules/evaluate.hpp"          // IWYU pragma: export
#include "modules/metric.hpp"            // IWYU pragma: export
#include "modules/predict.hpp"           // IWYU pragma: export
#include "modules/program.hpp"           // IWYU pragma: export
#include "modules/program_state.hpp"     // IWYU pragma: export
#include "modules/refine.hpp"            // IWYU pragma: export
#include "modules/samples.hpp"           // IWYU pragma: export
#include "optimizers/copro.hpp"          // IWYU pragma: export
#include "optimizers/gepa.hpp"           // IWYU pragma: export
#include "optimizers/mipro.hpp"          // IWYU pragma: export
#include "optimizers/random_search.hpp"  // IWYU pragma: export
