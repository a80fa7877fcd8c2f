#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modules/adapter.hpp"
#include "modules/module.hpp"

namespace theta {

/// In Prediction::note: the inputs that calibrate were named where they were to be scored.
inline constexpr const char* kNotCalibrated = "not calibrated: what calibrates was named";

struct PredictOptions {
  bool grammar = true;  ///< constrain generation to parsable answers where the model can
  int max_tokens = 256;
  int retry_unparsable = 0;  ///< how often an answer that cannot be read is asked for once more,
                             ///< shown beside what is wrong with it
  double temperature = 0;
  double top_p = 1;
};

/// One signature, one wave: a request an input, in order. With kScore and more than one output, a
/// first wave writes the outputs before the last, and a second scores the last behind them. Where
/// the format calibrates, each wave ends with the requests of the inputs that calibrate, which go in
/// a wave of their own where what is asked together is kept together (LanguageModel::unit()): it is
/// then asked once, whatever inputs come. option_logprobs are differences of log-probabilities
/// normalised over the options. An error has the tokens of the input's calls.
///
/// Its predictor's Format is what it is asked in, from one run to the next.
class Predict final : public Module {
 public:
  /// @throws UserError as check_format().
  Predict(Signature signature, Format format = {}, PredictOptions options = {},
          std::string name = "predict");
  /// Of a signature as text: `Predict("review -> notes: list[str]")`.
  /// @throws UserError also as Signature::parse().
  explicit Predict(std::string_view signature, Format format = {}, PredictOptions options = {});

  /// @throws UserError also as check_format(), and for kTrain without inputs.
  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override {
    return run(inputs, call, {});
  }
  /// The same, where what is sampled for input i has seeds[i], whatever is asked beside it.
  /// @param seeds  (n), or empty: derived from Call::rollout and the input's place
  std::vector<Result<Prediction>> run(std::span<const Record> inputs, const Call& call,
                                      std::span<const std::uint64_t> seeds) const;
  /// The same, where input i is asked under the instructions and demos of `as[i]`: a wave of several
  /// prompts.
  /// @param as  (n), each with this signature's outputs
  std::vector<Result<Prediction>> run_as(std::span<const Predictor* const> as,
                                         std::span<const Record> inputs, const Call& call) const;
  std::vector<Predictor*> predictors() override { return {&predictor_}; }
  std::unique_ptr<Module> clone() const override;
  /// ChainOfThought is a module of DSPy's that holds a Predict.
  bool is_bare() const override { return !reasons(signature()); }

  const Signature& signature() const { return predictor_.signature; }
  /// The messages that `inputs` would be asked with: for export and for token counts.
  Messages messages(const Record& inputs) const;

 private:
  Predictor predictor_;
  PredictOptions options_;
};

/// DSPy's ChainOfThought, and therefore its name: Predict with `reasoning` before the outputs.
// NOLINTBEGIN(readability-identifier-naming)
Predict ChainOfThought(const Signature& signature, Format format = {}, PredictOptions options = {});
Predict ChainOfThought(std::string_view signature, Format format = {}, PredictOptions options = {});
// NOLINTEND(readability-identifier-naming)

}  // namespace theta
