#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/example.hpp"
#include "experiments/runs/saved_prompt.hpp"

namespace theta {

/// A saved prompt as others ask it: messages to send and how to read what comes back, without what
/// Theta alone does (log-probabilities of options, calibration).
class AskedPrompt {
 public:
  /// A step of the program.
  struct Step {
    std::string name;
    Predictor predictor;
    PredictOptions predict;
    std::string model;  ///< what its server or file calls it
  };

  /// @throws UserError as load_state().
  explicit AskedPrompt(const SavedPrompt& saved);

  const std::vector<Step>& steps() const { return steps_; }
  /// What a step is sent. `{{name}}` stands where the inputs have no field of that name.
  Messages messages(const Step& step, const Record& inputs) const;
  /// What it would answer rightly, as its adapter writes it.
  /// @param row  with the step's inputs and outputs
  std::string answer(const Step& step, const Record& row) const;
  /// What is Theta's own in how it is asked, and so is left out; a line each.
  std::vector<std::string> left_out() const;

 private:
  std::vector<Step> steps_;
};

/// How it is asked, in words: `generated, at most 256 tokens`.
std::string how_asked(const AskedPrompt::Step& step);

/// A form that a prompt leaves Theta in.
struct ExportForm {
  std::string_view name;
  bool of_rows;  ///< a line for each row of a file
  std::string (*write)(const AskedPrompt& prompt, std::span<const Example> rows);
};

/// Those there are:
///   text       the messages to read
///   messages   the body of a request to an OpenAI-compatible server; of several steps a list
///   anthropic, gemini  that of theirs, by their documentation of 2025
///   python     a script that needs nothing but Python: asks a server, reads the answer, runs the
///              steps
///   batch      OpenAI's batch input (JSONL), a request for each row
///   sft        TRL's conversational prompt-completion rows (JSONL), for each labelled row
std::span<const ExportForm> export_forms();

}  // namespace theta
