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

/// The inputs that a format calibrates on.   @throws UserError for kTrain without any.
std::vector<Record> calibrating(const Format& format, const Signature& signature) {
  if (format.calibration == Calibration::kNone) return {};
  if (format.calibration == Calibration::kContentFree) return {content_free(signature)};
  if (format.calibrated_on.empty())
    throw UserError("a step is calibrated on training inputs, and has none");
  return format.calibrated_on;
}

/// The fields of `record` that are inputs of the signature.
Record inputs_of(const Signature& signature, const Record& record) {
  Record inputs;
  for (const Field& field : signature.inputs) inputs.set(field.name, record.at(field.name));
  return inputs;
}

/// How the answers to one prompt came.
struct Origin {
  Usage usage;
  bool truncated = false, named = false;  ///< the last
  std::string note = {};                  ///< of the last
};

/// What came back, by prompt.
struct Answers {
  std::vector<Result<Record>> outputs;                ///< those that are generated
  std::vector<Result<std::vector<double>>> logprobs;  ///< of the last output's options, if scored
  std::vector<Origin> origins;

  void append(Answers more) {
    std::ranges::move(more.outputs, std::back_inserter(outputs));
    std::ranges::move(more.logprobs, std::back_inserter(logprobs));
    std::ranges::move(more.origins, std::back_inserter(origins));
  }
};

/// A predictor as it is asked. What it refers to outlives it.
struct Form {
  const Format& format;
  const PredictOptions& options;
  const Signature& declared;
  const std::vector<Demo>& demos;
  const std::optional<NearestDemos>& nearest;
  std::shared_ptr<const Adapter> adapter = make_adapter(format);
  Signature signature = in_order(declared, format.label_order);  ///< as prompts show it

  Form(const Predictor& predictor, const PredictOptions& asked)
      : format(*predictor.format),
        options(asked),
        declared(predictor.signature),
        demos(predictor.demos),
        nearest(predictor.nearest) {}

  std::vector<Messages> prompts(std::span<const Record> inputs) const {
    if (!nearest) return adapter->format(signature, demos, inputs);
    std::vector<Messages> all;
    const auto picked = nearest->pick(declared, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      std::vector<Demo> shown = demos;
      shown.insert(shown.end(), picked[i].begin(), picked[i].end());
      all.push_back(adapter->format(signature, shown, inputs[i]));
    }
    return all;
  }
  /// What the model makes of the prompts: a wave, and a second where the last of several outputs is
  /// scored.
  Answers ask(std::vector<Messages> prompts, const Call& call,
              std::span<const std::uint64_t> seeds) const;

 private:
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
};

Answers Form::ask(std::vector<Messages> prompts, const Call& call,
                  std::span<const std::uint64_t> seeds) const {
  const bool scores = format.answering == Answering::kScore;
  const std::size_t generated = signature.outputs.size() - (scores ? 1 : 0);
  const std::size_t n = prompts.size();
  Answers answers{std::vector<Result<Record>>(n, Record{}),
                  std::vector<Result<std::vector<double>>>(n, std::vector<double>{}),
                  std::vector<Origin>(n)};
  auto& [outputs, logprobs, origins] = answers;
  if (generated > 0) outputs = generate(prompts, generated, call, seeds, origins);
  if (scores) logprobs = score(prompts, outputs, call, origins);
  return answers;
}

std::vector<Result<Record>> Form::generate(std::span<Messages> prompts, std::size_t count,
                                           const Call& call, std::span<const std::uint64_t> seeds,
                                           std::span<Origin> origins) const {
  const bool scores = format.answering == Answering::kScore;
  const double temperature = call.temperature >= 0 ? call.temperature : options.temperature;
  std::string prefix = adapter->answer_prefix(signature, {}, 0);
  if (!format.opening.empty()) {
    if (!prefix.ends_with('\n')) prefix += ' ';
    prefix += format.opening;
  }
  const std::string grammar = options.grammar ? adapter->grammar(signature, count) : "";
  const std::string schema = options.grammar ? adapter->schema(signature, count) : "";
  const std::vector<std::string> stop = adapter->stop(signature, count);
  std::vector<Request> wave;
  wave.reserve(prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    wave.push_back({.messages = scores ? prompts[i] : std::move(prompts[i]),
                    .answer_prefix = prefix,
                    .options = {},
                    .grammar = grammar,
                    .schema = schema,
                    .stop = stop,
                    .max_tokens = options.max_tokens,
                    .temperature = temperature,
                    .top_p = options.top_p,
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
    const auto answers = theta::ask(call.model, wave, call.stop);
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
      if (outputs[asked[k]] || attempt == options.retry_unparsable) continue;
      again.push_back(asked[k]);
      next.push_back(shown_its_fault(std::move(wave[k]),
                                     whole(*adapter, wanted, prefix, answer->text),
                                     outputs[asked[k]].error()));
    }
    asked = std::move(again);
    wave = std::move(next);
  }
  return outputs;
}

Result<Record> Form::read(const Response& answer, const Signature& wanted,
                          const std::string& prefix) const {
  const std::string text = whole(*adapter, wanted, prefix, answer.text);
  // What is written before scored options may be left empty; an answer may not.
  Result<Record> parsed = strip(answer.text).empty() && format.answering == Answering::kGenerate
                              ? Error{Fault::kPrompt, "the answer is empty"}
                              : adapter->parse(wanted, text);
  if (parsed) return parsed;
  return Error{
      Fault::kPrompt,
      fmt::format("{}{}; the answer: {}", parsed.error().message,
                  answer.truncated ? fmt::format(" (cut after {} tokens)", options.max_tokens) : "",
                  shorten(text, kShownBytes))};
}

std::vector<Result<std::vector<double>>> Form::score(std::span<Messages> prompts,
                                                     std::span<const Result<Record>> before,
                                                     const Call& call,
                                                     std::span<Origin> origins) const {
  const std::size_t last = signature.outputs.size() - 1;
  const std::vector<std::string> texts = adapter->options(declared, last);
  std::vector<Request> wave;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (!before[i]) continue;
    Request request;
    request.messages = std::move(prompts[i]);
    request.answer_prefix = adapter->answer_prefix(signature, *before[i], last);
    request.options = texts;
    wave.push_back(std::move(request));
  }
  const auto answers = theta::ask(call.model, wave, call.stop);

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
    require(scored->option_logprobs.size() == texts.size(), "a model scores every option");
    logprobs.emplace_back(scored->option_logprobs);
    origin.truncated = scored->truncated;
    origin.named = scored->named;
    origin.note = scored->note;
  }
  return logprobs;
}

/// Subtracts from the answers what those behind the first `inputs`, which calibrate, say on average.
/// What was named has no probabilities: it is neither calibrated nor calibrates.
void calibrate(Answers& answers, std::size_t inputs) {
  auto& [outputs, logprobs, origins] = answers;
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
}

/// Puts in place of each answer what a map makes of it, but of what was named.
void map_options(const OptionMap& map, Answers& answers) {
  for (std::size_t i = 0; i < answers.logprobs.size(); ++i)
    if (answers.logprobs[i] && !answers.origins[i].named)
      *answers.logprobs[i] = map.apply(*answers.logprobs[i]);
}

/// @param logprobs  empty unless the last output was scored
Result<Prediction> prediction_of(const Signature& signature, const Record& inputs,
                                 Result<Record> outputs, Result<std::vector<double>> logprobs,
                                 Origin origin) {
  if (!outputs || !logprobs) {
    Error error = std::move(!outputs ? outputs.error() : logprobs.error());
    error.prompt_tokens = origin.usage.prompt_tokens;
    error.generated_tokens = origin.usage.generated_tokens;
    return error;
  }
  Prediction prediction{.fields = std::move(*outputs),
                        .trace = {},
                        .option_logprobs = std::move(*logprobs),
                        .usage = origin.usage,
                        .truncated = origin.truncated,
                        .named = origin.named,
                        .note = std::move(origin.note)};
  if (!prediction.option_logprobs.empty()) {
    const Field& last = signature.outputs.back();
    const auto best = std::ranges::max_element(prediction.option_logprobs);
    const auto index = static_cast<std::size_t>(best - prediction.option_logprobs.begin());
    prediction.fields.set(last.name, *last.type.cast(last.type.options().at(index)));
  }
  prediction.trace.push_back(
      {.predictor = 0, .inputs = inputs_of(signature, inputs), .outputs = prediction.fields});
  return prediction;
}

/// Asks the prompts, and what calibrates behind them.
std::vector<Result<Prediction>> answered(const Form& form, std::vector<Messages> prompts,
                                         std::span<const Record> inputs, const Call& call,
                                         std::span<const std::uint64_t> seeds) {
  const Signature& signature = form.declared;
  std::vector<Messages> behind = form.prompts(calibrating(form.format, signature));
  const bool calibrated = !behind.empty(), apart = call.model.unit() > 1;
  if (!apart) std::ranges::move(behind, std::back_inserter(prompts));
  Answers answers = form.ask(std::move(prompts), call, seeds);
  if (calibrated && apart) answers.append(form.ask(std::move(behind), call, {}));
  if (calibrated) calibrate(answers, inputs.size());
  if (form.format.option_map) map_options(*form.format.option_map, answers);

  std::vector<Result<Prediction>> predictions;
  predictions.reserve(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    predictions.push_back(prediction_of(signature, inputs[i], std::move(answers.outputs[i]),
                                        std::move(answers.logprobs[i]),
                                        std::move(answers.origins[i])));
  return predictions;
}

}  // namespace

Predict::Predict(Signature signature, Format format, PredictOptions options, std::string name)
    : predictor_{std::move(name), std::move(signature), {}, std::move(format)}, options_(options) {
  check_format(*predictor_.format, predictor_.signature);
}

Predict::Predict(std::string_view signature, Format format, PredictOptions options)
    : Predict(Signature::parse(signature), std::move(format), options) {}

Predict ChainOfThought(const Signature& signature, Format format, PredictOptions options) {
  return {chain_of_thought(signature), std::move(format), options};
}

Predict ChainOfThought(std::string_view signature, Format format, PredictOptions options) {
  return ChainOfThought(Signature::parse(signature), std::move(format), options);
}

std::unique_ptr<Module> Predict::clone() const { return std::make_unique<Predict>(*this); }

Messages Predict::messages(const Record& inputs) const {
  return Form(predictor_, options_).prompts({&inputs, 1}).front();
}

std::vector<Result<Prediction>> Predict::run(std::span<const Record> inputs, const Call& call,
                                             std::span<const std::uint64_t> seeds) const {
  require(seeds.empty() || seeds.size() == inputs.size(), "a seed for every input");
  require(predictor_.format.has_value(), "a Predict has a format");
  if (inputs.empty()) return {};
  check_format(*predictor_.format, predictor_.signature);
  const Form form(predictor_, options_);
  return answered(form, form.prompts(inputs), inputs, call, seeds);
}

std::vector<Result<Prediction>> Predict::run_as(std::span<const Predictor* const> as,
                                                std::span<const Record> inputs,
                                                const Call& call) const {
  require(as.size() == inputs.size(), "a prompt for every input");
  require(predictor_.format.has_value(), "a Predict has a format");
  if (inputs.empty()) return {};
  check_format(*predictor_.format, predictor_.signature);
  const Form form(predictor_, options_);
  std::vector<Messages> prompts;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    prompts.push_back(form.adapter->format(in_order(as[i]->signature, form.format.label_order),
                                           as[i]->demos, inputs[i]));
  return answered(form, std::move(prompts), inputs, call, {});
}

}  // namespace theta
