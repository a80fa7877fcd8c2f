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

/// How Predict gets its last output.
enum class Answering {
  kGenerate,  ///< the model writes the whole answer
  kScore      ///< the last output's options are scored behind what was generated before it
};

struct PredictOptions {
  Answering answering = Answering::kGenerate;
  bool grammar = true;       ///< constrain generation to parsable answers where the model can
  bool calibrate = false;    ///< subtract the options' scores for a content-free input (`N/A`):
                             ///< removes label bias. Zhao et al. 2021 (arXiv 2102.09690)
  std::string opening = {};  ///< words that the first generated output is made to begin with
  int max_tokens = 256;
  int retry_unparsable = 0;  ///< how often an answer that cannot be read is asked for once more,
                             ///< shown beside what is wrong with it
  double temperature = 0;
  double top_p = 1;
};

/// One signature, one wave: a request an input, in order. With kScore and more than one output, a
/// first wave writes the outputs before the last, and a second scores the last behind them. With
/// `calibrate` each wave ends with one more request, the content-free one; option_logprobs are then
/// differences of log-probabilities normalised over the options. An error has the tokens of the input's calls.
class Predict final : public Module {
 public:
  /// @throws UserError if kScore is asked for an output without options, or `calibrate` without
  ///   kScore.
  Predict(Signature signature, std::shared_ptr<const Adapter> adapter = make_chat_adapter(),
          PredictOptions options = {}, std::string name = "predict");
  /// Of a signature as text, asked in DSPy's chat format: `Predict("review -> notes: list[str]")`.
  /// @throws UserError also as Signature::parse().
  explicit Predict(std::string_view signature, PredictOptions options = {});

  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override {
    return run(inputs, call, {});
  }
  /// The same, where what is sampled for input i has seeds[i], whatever is asked beside it.
  /// @param seeds  (n), or empty: derived from Call::rollout and the input's place
  std::vector<Result<Prediction>> run(std::span<const Record> inputs, const Call& call,
                                      std::span<const std::uint64_t> seeds) const;
  std::vector<Predictor*> predictors() override { return {&predictor_}; }
  std::unique_ptr<Module> clone() const override;
  /// ChainOfThought is a module of DSPy's that holds a Predict.
  bool is_bare() const override { return signature().outputs.front().name != "reasoning"; }

  /// Calibrates on these inputs, whose answers nobody needs to know, instead of the content-free
  /// one: the mean score of each option over them is subtracted. Batch calibration, Zhou et al.
  /// 2023 (arXiv 2309.17249).
  void calibrate_on(std::vector<Record> inputs);
  const std::vector<Record>& calibration() const { return calibration_; }

  const Signature& signature() const { return predictor_.signature; }
  /// The messages that `inputs` would be asked with: for export and for token counts.
  Messages messages(const Record& inputs) const;

 private:
  /// How the answers to one prompt came.
  struct Origin {
    Usage usage;
    bool truncated = false, named = false;  ///< the last
    std::string note = {};                  ///< of the last
  };

  /// Asks for the first `count` outputs of every prompt in one wave, and in a further one for those
  /// that cannot be read. Takes the prompts unless a second wave is to score.
  std::vector<Result<Record>> generate(std::span<Messages> prompts, std::size_t count,
                                       const Call& call, std::span<const std::uint64_t> seeds,
                                       std::span<Origin> origins) const;
  /// The outputs in an answer; a prompt's fault that shows it.
  Result<Record> read(const Response& answer, const Signature& wanted,
                      const std::string& prefix) const;
  /// Log-probabilities of the last output's options behind the outputs before it, in one wave.
  /// Takes the prompts.
  std::vector<Result<std::vector<double>>> score(std::span<Messages> prompts,
                                                 std::span<const Result<Record>> before,
                                                 const Call& call, std::span<Origin> origins) const;

  /// Subtracts what the last answers, those of calibration_, say on average, and drops them. What
  /// was named has no probabilities: it is neither calibrated nor calibrates.
  void calibrate(std::vector<Result<std::vector<double>>>& logprobs,
                 std::span<Origin> origins) const;

  Predictor predictor_;
  std::shared_ptr<const Adapter> adapter_;
  PredictOptions options_;
  std::vector<Record> calibration_;  ///< empty unless calibrated
};

/// DSPy's ChainOfThought, and therefore its name: Predict with `reasoning` before the outputs.
// NOLINTBEGIN(readability-identifier-naming)
Predict ChainOfThought(const Signature& signature,
                       std::shared_ptr<const Adapter> adapter = make_chat_adapter(),
                       PredictOptions options = {});
Predict ChainOfThought(std::string_view signature, PredictOptions options = {});
// NOLINTEND(readability-identifier-naming)

}  // namespace theta
