#include "experiments/runs/counting_model.hpp"

namespace theta {

CountingModel::CountingModel(std::unique_ptr<LanguageModel> tokenizer, std::string name)
    : tokenizer_(std::move(tokenizer)), name_(std::move(name)) {}

std::optional<std::size_t> CountingModel::count_tokens(const Request& request) const {
  if (tokenizer_) return tokenizer_->count_tokens(request);
  return prompt_bytes(request) / kBytesPerToken + 1;
}

void CountingModel::complete(std::span<const Request> wave, const OnAnswer& on_answer,
                             std::stop_token stop) {
  for (std::size_t i = 0; i < wave.size(); ++i) {
    if (stop.stop_requested()) throw Interrupted("stopped");
    const Request& request = wave[i];
    Response response;
    response.prompt_tokens = static_cast<std::int64_t>(*count_tokens(request));
    if (request.options.empty()) {
      response.text = "answer " + std::to_string(request.seed);
      response.generated_tokens = request.max_tokens;
    } else {
      response.text = request.options.front();
      response.option_logprobs.assign(request.options.size(), -1.0);
    }
    on_answer(i, std::move(response));
  }
}

}  // namespace theta
