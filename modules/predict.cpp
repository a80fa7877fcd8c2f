#include "modules/predict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/rng.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

constexpr std::size_t kShownBytes = 300;  ///< of an answer that cannot be parsed

/// The answer as the adapter reads it: behind the prefix that it was made to begin with, unless the
/// model began anew, as servers do that cannot continue an answer. A model that continues an answer
/// breaks the line before it opens a further field; what it leaves empty counts where other wanted
/// fields follow.
std::string whole(const Adapter& adapter, const Signature& wanted, const std::string& prefix,
                  const std::string& text) {
  if (strip(text).starts_with(strip(prefix))) return text;
  const bool at_once = !text.empty() && text.front() != '\n';
  const bool anew = adapter.opens_field(wanted, text) && (at_once || wanted.outputs.size() == 1);
  return anew ? text : prefix + text;
}

/// log softmax: the log-probabilities of the options among themselves.
std::vector<double> normalised(std::vector<double> logprobs) {
  const double highest = std::ranges::max(logprobs);
  require(std::isfinite(highest), "a scored option has a finite log-probability");
  double sum = 0;
  for (const double x : logprobs) sum += std::exp(x - highest);
  for (double& x : logprobs) x -= highest + std::log(sum);
  return logprobs;
}

/// The request once more: behind it the answer that could not be read, and why.
Request shown_its_fault(Request request, std::string answer, const Error& fault) {
  request.messages.push_back({"assistant", std::move(answer)});
  request.messages.push_back(
      {"user", "This answer cannot be read: " +
                   fault.message.substr(0, fault.message.find("; the answer: ")) +
                   ". Answer once more, in exactly the form that was asked for."});
  return request;
}

Record content_free(const Signature& signature) {
  Record inputs;
  for (const Field& field : signature.inputs) inputs.set(field.name, "N/A");
  return inputs;
}

/// The fields of `record` that are inputs of the signature.
Record inputs_of(const Signature& signature, const Record& record) {
  Record inputs;
  for (const Field& field : signature.inputs) inputs.set(field.name, record.at(field.name));
  return inputs;
}

}  // namespace

Predict::Predict(Signature signature, std::shared_ptr<const Adapter> adapter,
                 PredictOptions options, std::string name)
    : predictor_{std::move(name), std::move(signature), {}},
      adapter_(std::move(adapter)),
      options_(options) {
  const bool scores = options_.answering == Answering::kScore;
  const Field& last = predictor_.signature.outputs.at(predictor_.signature.outputs.size() - 1);
  if (scores && last.type.options().empty()) {
    throw UserError(
        fmt::format("the output `{}: {}` has no options to score; make it a Literal or a bool, or "
                    "let it be generated",
                    last.name, last.type.name()));
  }
  if (options_.calibrate && !scores) {
    throw UserError("only scored outputs can be calibrated: set the answering to score");
  }
  if (options_.calibrate) calibration_ = {content_free(predictor_.signature)};
}

Predict::Predict(std::string_view signature, PredictOptions options)
    : Predict(Signature::parse(signature), make_chat_adapter(), std::move(options)) {}

Predict ChainOfThought(const Signature& signature, std::shared_ptr<const Adapter> adapter,
                       PredictOptions options) {
  return {chain_of_thought(signature), std::move(adapter), std::move(options)};
}

Predict ChainOfThought(std::string_view signature, PredictOptions options) {
  return ChainOfThought(Signature::parse(signature), make_chat_adapter(), std::move(options));
}

void Predict::calibrate_on(std::vector<Record> inputs) {
  require(options_.answering == Answering::kScore, "only scored outputs are calibrated");
  calibration_ = std::move(inputs);
}

std::unique_ptr<Module> Predict::clone() const { return std::make_unique<Predict>(*this); }

Messages Predict::messages(const Record& inputs) const {
  return adapter_->format(predictor_.signature, predictor_.demos, inputs);
}

std::vector<Result<Prediction>> Predict::run(std::span<const Record> inputs, const Call& call,
                                             std::span<const std::uint64_t> seeds) const {
  require(seeds.empty() || seeds.size() == inputs.size(), "a seed for every input");
  if (inputs.empty()) return {};
  const Signature& signature = predictor_.signature;
  std::vector<Messages> prompts = adapter_->format(signature, predictor_.demos, inputs);
  if (!calibration_.empty()) {
    for (auto& prompt : adapter_->format(signature, predictor_.demos, calibration_)) {
      prompts.push_back(std::move(prompt));
    }
  }

  const bool scores = options_.answering == Answering::kScore;
  const std::size_t generated = signature.outputs.size() - (scores ? 1 : 0);
  std::vector<Result<Record>> outputs(prompts.size(), Record{});
  std::vector<Origin> origins(prompts.size());
  if (generated > 0) outputs = generate(prompts, generated, call, seeds, origins);
  std::vector<Result<std::vector<double>>> logprobs(prompts.size(), std::vector<double>{});
  if (scores) logprobs = score(prompts, outputs, call, origins);

  std::vector<Result<Prediction>> predictions;
  predictions.reserve(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Origin& origin = origins[i];
    if (!outputs[i] || !logprobs[i]) {
      Error error = std::move(!outputs[i] ? outputs[i].error() : logprobs[i].error());
      error.prompt_tokens = origin.usage.prompt_tokens;
      error.generated_tokens = origin.usage.generated_tokens;
      predictions.emplace_back(std::move(error));
      continue;
    }
    Prediction prediction{.fields = std::move(*outputs[i]),
                          .trace = {},
                          .option_logprobs = std::move(*logprobs[i]),
                          .usage = origin.usage,
                          .truncated = origin.truncated,
                          .named = origin.named,
                          .note = std::move(origin.note)};
    if (scores) {
      const Field& last = signature.outputs.back();
      const auto best = std::ranges::max_element(prediction.option_logprobs);
      const auto index = static_cast<std::size_t>(best - prediction.option_logprobs.begin());
      prediction.fields.set(last.name, *last.type.cast(last.type.options().at(index)));
    }
    prediction.trace.push_back(
        {.predictor = 0, .inputs = inputs_of(signature, inputs[i]), .outputs = prediction.fields});
    predictions.emplace_back(std::move(prediction));
  }
  return predictions;
}

std::vector<Result<Record>> Predict::generate(std::span<Messages> prompts, std::size_t count,
                                              const Call& call,
                                              std::span<const std::uint64_t> seeds,
                                              std::span<Origin> origins) const {
  const bool scores = options_.answering == Answering::kScore;
  const Signature& signature = predictor_.signature;
  const double temperature = call.temperature >= 0 ? call.temperature : options_.temperature;
  std::string prefix = adapter_->answer_prefix(signature, {}, 0);
  if (!options_.opening.empty()) {
    if (!prefix.ends_with('\n')) prefix += ' ';
    prefix += options_.opening;
  }
  const std::string grammar = options_.grammar ? adapter_->grammar(signature, count) : "";
  const std::vector<std::string> stop = adapter_->stop(signature, count);
  std::vector<Request> wave;
  wave.reserve(prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    wave.push_back({.messages = scores ? prompts[i] : std::move(prompts[i]),
                    .answer_prefix = prefix,
                    .options = {},
                    .grammar = grammar,
                    .stop = stop,
                    .max_tokens = options_.max_tokens,
                    .temperature = temperature,
                    .top_p = options_.top_p,
                    .seed = temperature <= 0   ? 0
                            : i < seeds.size() ? seeds[i]
                                               : derive_seed(call.rollout, i)});
  }
  Signature wanted = signature;
  wanted.outputs.resize(count);
  std::vector<Result<Record>> outputs(prompts.size(), Record{});
  std::vector<std::size_t> asked(prompts.size());
  std::iota(asked.begin(), asked.end(), 0);
  for (int attempt = 0; !asked.empty(); ++attempt) {
    const auto answers = ask(call.model, wave, call.stop);
    std::vector<std::size_t> again;
    std::vector<Request> next;
    for (std::size_t k = 0; k < asked.size(); ++k) {
      const Result<Response>& answer = answers[k];
      Origin& origin = origins[asked[k]];
      origin.usage += usage_of(answer);
      outputs[asked[k]] = answer ? read(*answer, wanted, prefix) : answer.error();
      if (!answer) continue;
      origin.truncated = answer->truncated;
      origin.note = answer->note;
      if (outputs[asked[k]] || attempt == options_.retry_unparsable) continue;
      again.push_back(asked[k]);
      next.push_back(shown_its_fault(std::move(wave[k]),
                                     whole(*adapter_, wanted, prefix, answer->text),
                                     outputs[asked[k]].error()));
    }
    asked = std::move(again);
    wave = std::move(next);
  }
  return outputs;
}

Result<Record> Predict::read(const Response& answer, const Signature& wanted,
                             const std::string& prefix) const {
  const std::string text = whole(*adapter_, wanted, prefix, answer.text);
  // What is written before scored options may be left empty; an answer may not.
  Result<Record> parsed = strip(answer.text).empty() && options_.answering == Answering::kGenerate
                              ? Error{Fault::kPrompt, "the answer is empty"}
                              : adapter_->parse(wanted, text);
  if (parsed) return parsed;
  return Error{Fault::kPrompt, fmt::format("{}{}; the answer: {}", parsed.error().message,
                                           answer.truncated ? fmt::format(" (cut after {} tokens)",
                                                                          options_.max_tokens)
                                                            : "",
                                           shorten(text, kShownBytes))};
}

std::vector<Result<std::vector<double>>> Predict::score(std::span<Messages> prompts,
                                                        std::span<const Result<Record>> before,
                                                        const Call& call,
                                                        std::span<Origin> origins) const {
  const Signature& signature = predictor_.signature;
  const std::size_t last = signature.outputs.size() - 1;
  const std::vector<std::string> options = adapter_->options(signature, last);
  std::vector<Request> wave;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (!before[i]) continue;
    Request request;
    request.messages = std::move(prompts[i]);
    request.answer_prefix = adapter_->answer_prefix(signature, *before[i], last);
    request.options = options;
    wave.push_back(std::move(request));
  }
  const auto answers = ask(call.model, wave, call.stop);

  std::vector<Result<std::vector<double>>> logprobs;
  auto answer = answers.begin();
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!before[i]) {
      logprobs.emplace_back(before[i].error());
      continue;
    }
    const Result<Response>& scored = *answer++;
    Origin& origin = origins[i];
    origin.usage += usage_of(scored);
    if (!scored) {
      logprobs.emplace_back(scored.error());
      continue;
    }
    require(scored->option_logprobs.size() == options.size(), "a model scores every option");
    logprobs.emplace_back(scored->option_logprobs);
    origin.truncated = scored->truncated;
    origin.named = scored->named;
    origin.note = scored->note;
  }
  if (!calibration_.empty()) calibrate(logprobs, origins);
  return logprobs;
}

void Predict::calibrate(std::vector<Result<std::vector<double>>>& logprobs,
                        std::span<Origin> origins) const {
  const auto inputs = logprobs.size() - calibration_.size();
  std::vector<double> bias;
  double counted = 0;
  bool named = false;
  const Error* failure = nullptr;
  for (std::size_t i = inputs; i < logprobs.size(); ++i) {
    if (!logprobs[i]) {
      failure = &logprobs[i].error();
      continue;
    }
    if (origins[i].named) {
      named = true;
      continue;
    }
    const auto scored = normalised(*logprobs[i]);
    bias.resize(scored.size());
    for (std::size_t k = 0; k < scored.size(); ++k) bias[k] += scored[k];
    ++counted;
  }
  for (std::size_t i = 0; i < inputs; ++i) {
    if (!logprobs[i] || origins[i].named) continue;
    if (counted == 0 && named) {
      std::string& note = origins[i].note;
      note += note.empty() ? kNotCalibrated : fmt::format("; {}", kNotCalibrated);
      continue;
    }
    if (counted == 0) {
      logprobs[i] = Error{failure->fault, "calibrating: " + failure->message};
      continue;
    }
    *logprobs[i] = normalised(std::move(*logprobs[i]));
    for (std::size_t k = 0; k < bias.size(); ++k) (*logprobs[i])[k] -= bias[k] / counted;
  }
  logprobs.resize(inputs, Error{});
}

}  // namespace theta
