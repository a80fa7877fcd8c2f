#pragma once

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "core/models/language_model.hpp"
#include "core/signature.hpp"
#include "modules/format.hpp"
#include "modules/nearest_demos.hpp"

namespace theta {

/// The tunable part of one language-model call in a program: what an optimiser may rewrite.
struct Predictor {
  std::string name;  ///< DSPy's attribute path: `predict`, `judge.predict`
  Signature signature;
  std::vector<Demo> demos;
  std::optional<Format> format = {};  ///< nothing: it is for its module to say how it is asked
  std::optional<NearestDemos> nearest = {};  ///< stand behind `demos`; where there is a format
  bool operator==(const Predictor&) const = default;
};

/// The format of a predictor that has one, and whether it reasons.
std::string form_text(const Predictor& predictor);

/// One predictor's call inside a program's run.
struct Step {
  std::size_t predictor = 0;  ///< index into Module::predictors()
  Record inputs;
  Record outputs;
};

/// What a program made of one input.
struct Prediction {
  Record fields;
  std::vector<Step> trace;              ///< every predictor call, in order: raw material of demos
  std::vector<double> option_logprobs;  ///< of the last scored output, in the order of its options
  Usage usage = {};                     ///< of its own calls, without those that calibrate
  bool truncated = false;               ///< the text that was generated last reached max_tokens
  bool named = false;     ///< the last output was named where it was to be scored (Response::named)
  std::string note = {};  ///< how the last answer was got (Response::note)
};

/// What a run may use. Nothing is global.
struct Call {
  LanguageModel& model;
  std::stop_token stop = {};
  std::uint64_t rollout = 0;  ///< makes sampled calls distinct; no effect at temperature 0
  double temperature = -1;    ///< overrides every predictor's own where >= 0
};

/// What a prediction took, also one that failed.
Usage usage_of(const Result<Prediction>& answer);
void set_usage(Result<Prediction>& answer, const Usage& usage);

/// A prompt program. It runs on a whole batch at a time, so that each of its steps is one wave.
class Module {
 public:
  virtual ~Module() = default;

  /// Runs every input.
  /// @return one Result an input, in order: a service's fault, an answer that could not be parsed,
  ///   or the prediction.
  /// @throws UserError if an input field is missing.
  virtual std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                              const Call& call) const = 0;

  /// The predictors in the order of their calls; pointers live as long as this.
  virtual std::vector<Predictor*> predictors() = 0;
  std::vector<const Predictor*> predictors() const;

  virtual std::unique_ptr<Module> clone() const = 0;

  /// Whether it is what DSPy keeps as one Predict: its saved state has no name at the root, and in
  /// a program the name of its step alone.
  virtual bool is_bare() const { return false; }
};

/// Looks that every step of a trace names a predictor that reads what the step read: else what a
/// search learns from a trace went to another predictor.
/// @throws UserError naming the predictor and what to do.
void check_trace(std::span<const Predictor* const> predictors, std::span<const Step> trace);

}  // namespace theta
