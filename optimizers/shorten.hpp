#pragma once

#include <cstdint>
#include <memory>

#include "optimizers/optimizer.hpp"
#include "optimizers/prompt_limits.hpp"

namespace theta {

struct ShortenOptions {
  double within = 0.01;                ///< that the mean score may fall by
  std::int64_t max_evaluations = 400;  ///< program runs that it may take
};

/// What became of a prompt that was shortened.
struct Shortened {
  std::unique_ptr<Module> program;
  std::size_t deleted = 0;       ///< demos and pieces of instructions
  std::int64_t evaluations = 0;  ///< that it took
  double score = 0, before = 0;  ///< on the examples, of `program` and of what it was made from
};

/// Deletes demos and pieces of instructions (lines, and sentences of the first paragraph) for as long
/// as the mean score on the examples stays within the margin of the program's own, by delta debugging
/// (ddmin, Zeller & Hildebrandt 2002): first halves of what there is, then ever smaller pieces, so
/// that a prompt of which little matters is short after a few evaluations. Examples are asked in
/// blocks, and no further ones where a deletion cannot stay within the margin any more.
/// What `limits` freezes stays.   @throws RunError as evaluate(); Interrupted never: the best so far
/// comes back.
Shortened shorten(const Module& program, const Task& task, const PromptLimits& limits,
                  const ShortenOptions& options);

}  // namespace theta
