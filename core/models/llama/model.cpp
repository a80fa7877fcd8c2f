#include "core/models/llama/model.hpp"

#include <fmt/format.h>
#include <llama.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/clock.hpp"
#include "core/models/llama/gguf_file.hpp"
#include "core/models/llama/start.hpp"
#include "core/models/llama/stream.hpp"
#include "core/models/llama/weights.hpp"
#include "core/result.hpp"
#include "core/sha256.hpp"

namespace theta {
void LlamaModel::Free::operator()(llama_model* model) const { llama_model_free(model); }

LlamaModel::LlamaModel(LlamaOptions options) : options_(std::move(options)) {
  start_llama();
  if (options_.sequences == 0 || options_.sequences > llama_max_parallel_sequences()) {
    throw UserError(fmt::format("sequences must be 1 to {}, not {}", llama_max_parallel_sequences(),
                                options_.sequences));
  }
  if (options_.batch < options_.sequences) {
    throw UserError(fmt::format("batch must be at least sequences ({}), not {}", options_.sequences,
                                options_.batch));
  }
  if (options_.context < options_.sequences) {
    throw UserError(fmt::format("context must be at least sequences ({}), not {}",
                                options_.sequences, options_.context));
  }
  if (options_.unit == 0) throw UserError("unit must be at least 1");
  check_gpu(options_.path, options_.gpu_layers);
  check_gguf(options_.path, GgufKind::kModel);
  for (const LoraAdapter& lora : options_.lora) {
    try {
      check_gguf(lora.path, GgufKind::kAdapter);
    } catch (const UserError& e) {
      throw UserError(fmt::format("{}{}", lora.where.empty() ? "" : lora.where + ": ", e.what()));
    }
  }

  const std::filesystem::path weights =
      options_.convert.empty() || options_.vocab_only
          ? options_.path
          : converted_weights(options_.path, hash(), options_.convert, options_.converted,
                              options_.threads);
  model_.reset(load_weights(options_.path, weights, options_.gpu_layers, options_.vocab_only));
  if (llama_model_has_encoder(model_.get()) || llama_model_is_recurrent(model_.get()) ||
      llama_model_is_hybrid(model_.get())) {
    throw UserError(fmt::format(
        "{} is no plain decoder: its prompts cannot share prefixes; run it behind a server",
        options_.path.filename().string()));
  }
  tokenizer_.emplace(model_.get(), options_.path.filename().string(), options_.chat_template);
  if (options_.vocab_only) return;

  decoder_.emplace(options_, model_.get());
  if (options_.mode == LlamaMode::kThroughput) {
    stream_ = std::make_unique<LlamaStream>(*decoder_, options_,
                                            [this](const HostCounters& spent) { count(spent); });
  }
}

LlamaModel::~LlamaModel() = default;

const std::string& LlamaModel::hash() const {
  std::call_once(hashed_, [this] {
    hash_ = sha256_file(options_.path);
    for (const LoraAdapter& lora : options_.lora) {
      adapters_ += fmt::format(" lora {} scale {}", sha256_file(lora.path), lora.scale);
    }
  });
  return hash_;
}

std::string LlamaModel::identity() const {
  std::string text = fmt::format(
      "llama.cpp {} weights {} as '{}' template '{}' context {} batch {} sequences {} unit {} "
      "gpu_layers {} threads {}",
      THETA_LLAMA_VERSION, hash(), options_.convert, options_.chat_template, options_.context,
      options_.batch, options_.sequences, options_.unit, options_.gpu_layers, options_.threads);
  if (options_.mode == LlamaMode::kThroughput) text += " mode throughput";
  return text + adapters_;
}

std::optional<std::size_t> LlamaModel::count_tokens(const Request& request) const {
  return tokenizer_->tokens(request).size();
}

HostCounters LlamaModel::counters() const {
  const std::lock_guard lock(counting_);
  return counters_;
}

void LlamaModel::count(const HostCounters& spent) {
  const std::lock_guard lock(counting_);
  counters_ += spent;
}

std::size_t LlamaModel::window() const {
  return std::min(options_.context,
                  static_cast<std::size_t>(llama_model_n_ctx_train(model_.get())));
}

std::optional<std::string> LlamaModel::misfit(const LlamaJob& job) const {
  if (job.longest() <= window()) return std::nullopt;
  const std::string answer =
      job.scored() ? "" : fmt::format(" with an answer of up to {}", job.growth());
  return fmt::format(
      "prompt of {} tokens{} does not fit the window of {} tokens of {}: {}", job.prompt().size(),
      answer, window(), options_.path.filename().string(),
      job.longest() <= static_cast<std::size_t>(llama_model_n_ctx_train(model_.get()))
          ? fmt::format("set context to {} or more, or shorten the prompt", job.longest())
          : "shorten the prompt or take a model with a longer window");
}

void LlamaModel::check(std::span<const Request> wave) const {
  for (const Request& request : wave) {
    if (const auto why = misfit(LlamaJob(request, *tokenizer_))) throw UserError(*why);
  }
}

void LlamaModel::complete(std::span<const Request> wave, const OnAnswer& on_answer_of_wave,
                          std::stop_token stop) {
  require(decoder_.has_value(), "a model loaded for a dry run answers nothing");
  const auto asked = Clock::now();
  std::vector<LlamaJob> jobs;
  std::vector<std::size_t> places;  // of the jobs, in the wave
  std::string misfits;              // why the first of them is one
  jobs.reserve(wave.size());
  for (std::size_t i = 0; i < wave.size(); ++i) {
    LlamaJob job(wave[i], *tokenizer_);
    if (auto why = misfit(job)) {
      if (misfits.empty()) misfits = *why;
      on_answer_of_wave(i, Error{Fault::kRefused, *std::move(why)});
      continue;
    }
    jobs.push_back(std::move(job));
    places.push_back(i);
  }
  if (!misfits.empty()) {
    spdlog::warn("{} of {} prompts go unanswered, which scores nothing; the first: {}",
                 wave.size() - jobs.size(), wave.size(), misfits);
  }
  const OnAnswer on_answer = [&](std::size_t i, Result<Response> answer) {
    on_answer_of_wave(places[i], std::move(answer));
  };
  if (stream_) return stream_->complete(std::move(jobs), on_answer, stop);

  const std::lock_guard lock(computing_);
  for (std::size_t begin = 0; begin < jobs.size(); begin += options_.unit) {
    const auto unit = std::span(jobs).subspan(begin, std::min(options_.unit, jobs.size() - begin));
    count({.queue_seconds = seconds_since(asked) * static_cast<double>(unit.size())});
    compute(
        unit, [&](std::size_t i) { on_answer(begin + i, unit[i].answer()); }, stop);
  }
}

void LlamaModel::compute(std::span<LlamaJob> unit, const std::function<void(std::size_t)>& answered,
                         const std::stop_token& stop) {
  // What is to be read off the model's output at one node of the prefix tree.
  struct Probe {
    std::size_t sequence;
    std::size_t job;
    std::size_t option = 0;  // of a scored job
    Token token = 0;         // its next token
  };
  std::vector<BatchPlanner::Sequence> sequences;
  std::vector<std::size_t> job_of;
  std::vector<std::pair<std::size_t, Probe>> wishes;  // by position in the probe's sequence
  HostCounters spent;
  for (std::size_t i = 0; i < unit.size(); ++i) {
    const LlamaJob& job = unit[i];
    ++spent.attempts;
    spent.asked_tokens += static_cast<std::int64_t>(job.nodes());
    if (!job.scored()) {
      wishes.push_back({job.prompt().size() - 1, {sequences.size(), i}});
      sequences.push_back({job.prompt(), job.growth()});
      job_of.push_back(i);
      continue;
    }
    for (std::size_t option = 0; option < job.options().size(); ++option) {
      const std::vector<Token>& tokens = job.options()[option];
      for (std::size_t at = job.parting(); at < tokens.size(); ++at) {
        wishes.push_back({at - 1, {sequences.size(), i, option, tokens[at]}});
      }
      sequences.push_back({job.read(option), 0});
      job_of.push_back(i);
    }
  }

  BatchPlanner planner(std::move(sequences),
                       {options_.context, options_.sequences, options_.batch});
  std::map<std::pair<std::size_t, std::size_t>, std::vector<Probe>> probes;
  for (const auto& [position, probe] : wishes) {
    probes[{planner.bringer(probe.sequence, position), position}].push_back(probe);
  }
  const auto generated = [&](const BatchPlanner::Entry& entry) {
    const LlamaJob& job = unit[job_of[entry.sequence]];
    return !job.scored() && entry.position >= job.prompt().size();
  };
  const auto advance = [&](std::size_t sequence, std::span<const float> logits) {
    if (const std::optional<Token> token = unit[job_of[sequence]].advance(logits)) {
      planner.append(sequence, *token);
      return;
    }
    planner.finish(sequence);
    answered(job_of[sequence]);
  };

  decoder_->clear();
  while (true) {
    const auto [edits, entries] = planner.next();
    if (entries.empty()) break;
    std::vector<std::int8_t> wanted;
    for (const BatchPlanner::Entry& entry : entries) {
      wanted.push_back(generated(entry) || probes.contains({entry.sequence, entry.position}));
    }
    decoder_->edit(edits);
    const auto began = Clock::now();
    decoder_->decode(entries, wanted, stop);
    const auto drawn = std::count_if(entries.begin(), entries.end(), generated);
    spent.add_pass(seconds_since(began), std::ssize(entries) - drawn, drawn);

    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (wanted[i] == 0) continue;
      const std::span<const float> logits = decoder_->logits(i);
      if (generated(entries[i])) {
        advance(entries[i].sequence, logits);
        continue;
      }
      std::optional<double> normaliser;
      for (const Probe& probe : probes.at({entries[i].sequence, entries[i].position})) {
        LlamaJob& job = unit[probe.job];
        if (!job.scored()) {
          advance(probe.sequence, logits);
          continue;
        }
        if (!normaliser) normaliser = log_normaliser(logits);
        if (job.score(probe.option, probe.token, logits, *normaliser)) answered(probe.job);
      }
    }
  }
  spent.reused_tokens = spent.asked_tokens - spent.computed_tokens;
  count(spent);
}

}  // namespace theta
