#include "optimizers/probes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "core/rng.hpp"
#include "optimizers/demo_rules.hpp"
#include "optimizers/format_space.hpp"
#include "optimizers/glossary.hpp"

namespace theta {
namespace {

constexpr std::size_t kDemos = 4;  ///< where there are no labels, and of the nearest

/// Collects what can be made of a student's last predictor.
class Probes {
 public:
  Probes(const Module& student, const Task& task, const PromptLimits& limits)
      : student_(student),
        task_(task),
        limits_(limits),
        at_(student.predictors().size() - 1),
        own_(*student.predictors()[at_]) {}

  void add(std::string name, const std::function<void(Predictor&)>& change) {
    auto program = student_.clone();
    change(*program->predictors()[at_]);
    const Predictor& changed = *program->predictors()[at_];
    const auto is_same = [&](const Probe& probe) {
      return *std::as_const(*probe.program).predictors()[at_] == changed;
    };
    if (changed == own_ || std::ranges::any_of(all_, is_same)) return;
    if (limits_.admits(*program, task_.model))
      all_.push_back({std::move(name), std::move(program)});
  }

  void add_demos(Rng& rng) {
    const std::size_t labels = own_.signature.outputs.back().type.options().size();
    const auto sets = demo_sets_by_rule(task_.train, own_.signature, kDemos, labels, rng);
    if (sets.empty()) return;
    together_.push_back([demos = sets.front()](Predictor& predictor) { predictor.demos = demos; });
    add(labels > 0 ? "1 demo of each label" : fmt::format("{} demos", sets.front().size()),
        together_.back());
  }
  void add_formats(const FormatSpace& space) {
    auto choices = format_choices(student_, at_, space, task_.train);
    for (auto choice = choices.begin() + 1; choice < choices.end(); ++choice)
      add(to_text(choice->format), [&](Predictor& predictor) { set_format(predictor, *choice); });
  }
  void add_read_off(Rng& rng) {
    std::vector<bool> open(at_ + 1);
    open.back() = true;
    const Choices parts = glossary_parts(student_, task_.train, open, {task_.proposer, task_.stop},
                                         {}, {.written = 0}, rng);
    for (const PromptPart& part : parts.parts) {
      together_.push_back([part](Predictor& predictor) { part.apply(predictor, 1); });
      add(part.name == "glossary" ? "glossary read off" : "form of the answer read off",
          together_.back());
    }
  }
  /// A search combines what it finds.
  void add_together() {
    if (together_.size() > 1)
      add("demos and what is read off", [&](Predictor& predictor) {
        for (const auto& change : together_) change(predictor);
      });
  }
  void add_nearest() {
    const auto demos = nearest_demos(task_.train, own_.signature, kDemos);
    if (!demos || demos->pool().size() <= kDemos) return;
    add(fmt::format("{} nearest demos", kDemos), [&](Predictor& predictor) {
      predictor.demos.clear();
      predictor.nearest = demos;
    });
  }

  const Predictor& own() const { return own_; }
  std::vector<Probe> take() && { return std::move(all_); }

 private:
  const Module& student_;
  const Task& task_;
  const PromptLimits& limits_;
  const std::size_t at_;
  const Predictor& own_;
  std::vector<std::function<void(Predictor&)>> together_;  ///< demos and additions
  std::vector<Probe> all_;
};

}  // namespace

std::vector<Probe> cheap_probes(const Module& student, const Task& task, const PromptLimits& limits,
                                std::uint64_t seed) {
  Rng rng(derive_seed(seed, "probes"));
  Probes probes(student, task, limits);
  const bool has_format = probes.own().format.has_value();
  const bool demos = !limits.freezes(probes.own(), "demos");
  const bool format = has_format && !limits.freezes(probes.own(), "format");
  if (demos) probes.add_demos(rng);
  if (format) {
    const FormatSpace usual = FormatSpace::usual();
    probes.add_formats({.adapters = usual.adapters, .list_options = usual.list_options});
    probes.add_formats({.calibrations = usual.calibrations});
  }
  if (!limits.freezes(probes.own(), "instruction")) probes.add_read_off(rng);
  probes.add_together();
  if (demos && has_format) probes.add_nearest();
  return std::move(probes).take();
}

}  // namespace theta
