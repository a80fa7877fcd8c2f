#pragma once

#include <string>
#include <utility>
#include <vector>

#include "modules/predict.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {

/// Asks one question.
inline Predict question() {
  return {Signature::parse("question -> answer"), {.adapter = "terse"}, {.grammar = false}};
}

inline const std::vector<Record> kOne = {{{"question", "q"}}};

/// Gives these answers in turn; an empty one times out.
inline ScriptedModel answering(std::vector<std::string> answers) {
  return ScriptedModel([answers = std::move(answers),
                        next = std::size_t{0}](const Request&) mutable -> Result<Response> {
    const std::string& answer = answers.at(next++);
    if (answer.empty()) return Error{Fault::kService, "timed out"};
    return say(" " + answer);
  });
}

}  // namespace theta
