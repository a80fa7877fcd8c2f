#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "optimizers/choices.hpp"
#include "optimizers/writer.hpp"

namespace theta {

/// What an instruction may be given beside its own words: told by many small questions, each of
/// which a small model can answer, or read off the training rows without any model.
struct GlossaryOptions {
  /// Glossaries of the labels that the proposer writes, each from other rows; 0: none is asked for.
  std::size_t written = 2;
  bool read_off = true;  ///< parts that need no model: words that mark a label, forms of answers
  std::size_t rows = 6;  ///< training rows that a question shows
  std::size_t most_labels = 30;  ///< beyond that there is no glossary
};

/// The parts `glossary`, for predictors whose last output is one of some labels, and `form`, for
/// those that write a text. A glossary says of each label what its training rows have in common: as
/// the proposer writes it, one question a label, all predictors and glossaries in one wave; or by
/// the words that are frequent in its rows and not in others'. The form says what right answers
/// look like: how long they are, their case, their pattern. Choice 0 of either says nothing.
///
/// Predictors without training rows, or with `open[p]` false, have neither. What the proposer
/// answers is screened as whole instructions are, and counted so; a label without a usable answer
/// stands in the glossary by its name alone, and a glossary of names alone is dropped.
/// @param open  (predictors) whether the instruction may be changed
/// @throws RunError if the service failed every question.
Choices glossary_parts(const Module& student, std::span<const Example> train,
                       const std::vector<bool>& open, const Call& proposer,
                       const WriterOptions& writer, const GlossaryOptions& options, Rng& rng);

/// What right answers look like, as sentences; empty if they have nothing in common.
std::string form_of(std::span<const std::string> answers);

/// Words that stand in many rows of one label and in few of the others, per label, most telling
/// first.   @param of  indices into `texts` by label
std::vector<std::vector<std::string>> marking_words(std::span<const std::string> texts,
                                                    const std::vector<std::vector<std::size_t>>& of,
                                                    std::size_t most);

}  // namespace theta
