#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "optimizers/optimizer.hpp"
#include "optimizers/prompt_limits.hpp"

namespace theta {

/// A program beside the student.
struct Probe {
  std::string name;  ///< how it differs: `1 demo of each label`
  std::unique_ptr<Module> program;
};

/// Cheap candidates, for which nobody writes anything: the step that answers with demos chosen by a
/// rule (one of each label, or four that are unlike each other), in each other adapter and with its
/// options hidden or listed, calibrated on training inputs, with a glossary or a form of the answer
/// that is read off the training rows, with both demos and that, and with the training rows nearest
/// to each input as demos.
/// The most telling first; what cannot be made of this program is left out.
/// @param limits  what may not be changed, and how long a prompt may be
std::vector<Probe> cheap_probes(const Module& student, const Task& task, const PromptLimits& limits,
                                std::uint64_t seed);

}  // namespace theta
