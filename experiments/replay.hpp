#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "experiments/score_table.hpp"

namespace theta {

/// Called with each new incumbent: after how many evaluations it is known.
using OnIncumbent = std::function<void(std::int64_t evaluations, const Combination& incumbent)>;

/// Runs an optimiser on recorded outcomes. It sees only those it asks for, one evaluation each,
/// asked before or not, and never more than `budget`. Combination 0, 0, .. is the first incumbent,
/// at 0 evaluations.
///
/// `paired`, `gp`, `tpe` and `random` search the table's combinations: by paired_search(), by
/// search() on that surrogate, by dspy_search(), and by full evaluations in random order. `mipro`
/// is paired, its default. `copro` and `gepa` propose: what they are given are the table's
/// instructions in an order drawn from `seed`; they reflect and validate on the same examples, and
/// leave the demo sets alone.
/// @throws UserError for an optimiser that builds new demos or is unknown, a missing score, a
///   budget below 0; Interrupted when stopped.
void replay(const ScoreTable& table, const std::string& optimizer, std::int64_t budget,
            std::uint64_t seed, const OnIncumbent& on_incumbent, std::stop_token stop = {});

struct ReplayArguments {
  std::filesystem::path table;
  std::string optimizer;
  std::int64_t budget = 0;
  std::uint64_t seed = 0;
  bool json = false;
};

/// `theta replay`: prints a line for each new incumbent.
void replay_command(const ReplayArguments& arguments, std::stop_token stop);

}  // namespace theta
