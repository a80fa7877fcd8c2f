#pragma once

#include <memory>
#include <string>

#include "modules/adapter.hpp"
#include "modules/module.hpp"

namespace theta {

/// How Predict gets its last output.
enum class Answering {
  kGenerate,  ///< the model writes the whole answer
  kScore      ///< the last output's options are scored behind what was generated before it
};

struct PredictOptions {
  Answering answering = Answering::kGenerate;
  bool grammar = true;     ///< constrain generation to parsable answers where the model can
  bool calibrate = false;  ///< subtract the options' scores for a content-free input (`N/A`):
                           ///< removes label bias. Zhao et al. 2021 (arXiv 2102.09690)
  int max_tokens = 256;
  double temperature = 0;
};

/// One signature, one call. ChainOfThought is Predict on chain_of_thought(signature).
class Predict final : public Module {
 public:
  /// @throws UserError if kScore is asked for an output without options.
  Predict(Signature signature, std::shared_ptr<const Adapter> adapter, PredictOptions options = {},
          std::string name = "predict");

  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override;
  std::vector<Predictor*> predictors() override { return {&predictor_}; }
  std::unique_ptr<Module> clone() const override;

  const Signature& signature() const { return predictor_.signature; }
  /// The messages that `inputs` would be asked with: for export and for token counts.
  std::vector<Message> messages(const Record& inputs) const;

 private:
  Predictor predictor_;
  std::shared_ptr<const Adapter> adapter_;
  PredictOptions options_;
};

}  // namespace theta
