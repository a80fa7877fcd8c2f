#include "core/models/language_model.hpp"

namespace theta {

std::size_t prompt_bytes(const Request& request) {
  std::size_t bytes = request.answer_prefix.size();
  for (const Message& message : request.messages) bytes += message.content.size();
  return bytes;
}

std::vector<Result<Response>> ask(LanguageModel& model, std::span<const Request> wave,
                                  std::stop_token stop) {
  std::vector<std::optional<Result<Response>>> answers(wave.size());
  model.complete(
      wave, [&](std::size_t i, Result<Response> answer) { answers.at(i) = std::move(answer); },
      stop);
  std::vector<Result<Response>> out;
  out.reserve(wave.size());
  for (auto& answer : answers) {
    require(answer.has_value(), "a model answers every request of a wave");
    out.push_back(*std::move(answer));
  }
  return out;
}

}  // namespace theta
