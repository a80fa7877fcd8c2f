#include "optimizers/choices.hpp"

#include <fmt/format.h>

#include <utility>

#include "modules/text.hpp"
#include "optimizers/text_kernel.hpp"

namespace theta {
namespace {

/// A demo set as a reader sees it.
std::string show(const std::vector<Demo>& demos) {
  std::string text;
  for (const Demo& demo : demos) text += field_lines(demo.fields) + "\n";
  return text;
}

}  // namespace

std::vector<std::string> Choices::texts(std::size_t predictor, std::string_view part) const {
  for (const PromptPart& p : parts)
    if (p.predictor == predictor && p.name == part) return p.texts;
  return {};
}

std::vector<Variable> Choices::space(const Module& student) const {
  const auto predictors = student.predictors();
  std::vector<Variable> space;
  for (const PromptPart& part : parts)
    space.push_back({fmt::format("{}.{}", predictors[part.predictor]->name, part.name),
                     part.texts.size(), part.predictor, text_similarity(part.texts)});
  return space;
}

std::unique_ptr<Module> Choices::apply(const Module& student,
                                       const Combination& combination) const {
  require(combination.size() == parts.size(), "a combination has a choice of every variable");
  auto program = student.clone();
  const auto predictors = program->predictors();
  for (std::size_t v = 0; v < parts.size(); ++v)
    parts[v].apply(*predictors[parts[v].predictor], static_cast<std::size_t>(combination[v]));
  return program;
}

PromptPart instruction_part(std::size_t predictor, std::vector<std::string> instructions) {
  return {"instruction", predictor, instructions, [instructions](Predictor& p, std::size_t choice) {
            p.signature = p.signature.with_instructions(instructions.at(choice));
          }};
}

PromptPart demos_part(std::size_t predictor, std::vector<std::vector<Demo>> sets,
                      std::vector<NearestDemos> nearest) {
  std::vector<std::string> texts;
  for (const auto& demos : sets) texts.push_back(show(demos));
  for (const auto& demos : nearest)
    texts.push_back(
        fmt::format("the {} of {} examples most like the input", demos.k(), demos.pool().size()));
  return {"demos", predictor, std::move(texts),
          [sets = std::move(sets), nearest = std::move(nearest)](Predictor& p, std::size_t choice) {
            // Choice 0 is the student's own, with what it picks.
            if (choice > 0) p.nearest.reset();
            p.demos = choice < sets.size() ? sets[choice] : std::vector<Demo>();
            if (choice >= sets.size()) p.nearest = nearest.at(choice - sets.size());
          }};
}

}  // namespace theta
