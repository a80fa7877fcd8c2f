#include "core/llama_model.hpp"

#include <fmt/format.h>
#include <llama.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "core/llama_weights.hpp"
#include "core/result.hpp"
#include "core/rng.hpp"
#include "core/sha256.hpp"

namespace theta {
namespace {

// What llama.cpp warns of (a window larger than the cache) is as we want it, and its errors (an
// interrupted batch) come back as exceptions of our own: all of it is detail.
void log_to_spdlog(ggml_log_level, const char* text, void*) {
  std::string_view line = text;
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty()) spdlog::debug("llama.cpp: {}", line);
}

void start_llama() {
  static std::once_flag started;
  std::call_once(started, [] {
    llama_log_set(log_to_spdlog, nullptr);
    llama_backend_init();
  });
}

// A token cut off in the middle of a character leaves bytes that are no text.
std::string valid_utf8(const std::string& text) {
  using nlohmann::json;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace))
      .get<std::string>();
}

// log of the sum of exp(logits), in nats.
double log_normaliser(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - top);
  return top + std::log(sum);
}

struct FreeSampler {
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
};

// An answer as it is generated, token by token.
class Generation {
 public:
  Generation(const Request& request, const ChatTokenizer& tokenizer)
      : request_(request), tokenizer_(tokenizer), rng_(request.seed) {
    if (request.grammar.empty()) return;
    grammar_.reset(
        llama_sampler_init_grammar(tokenizer.vocabulary(), request.grammar.c_str(), "root"));
    if (!grammar_) {
      throw UserError(fmt::format("llama.cpp cannot read this grammar: {}", request.grammar));
    }
  }

  // Draws the next token; nothing when the answer has ended.
  std::optional<Token> next(std::span<const float> logits) {
    const Token token = draw(logits);
    ++response_.generated_tokens;
    if (tokenizer_.ends_turn(token)) return std::nullopt;
    if (grammar_) llama_sampler_accept(grammar_.get(), token);

    const std::size_t before = response_.text.size();
    response_.text += tokenizer_.piece(token);
    std::size_t end = std::string::npos;
    for (const std::string& stop : request_.stop) {
      const std::size_t from = before - std::min(before, stop.size() - 1);
      end = std::min(end, response_.text.find(stop, from));
    }
    if (end != std::string::npos) {
      response_.text.resize(end);
      return std::nullopt;
    }
    if (response_.generated_tokens >= request_.max_tokens) {
      response_.truncated = true;
      return std::nullopt;
    }
    return token;
  }

  Response response() && {
    response_.text = valid_utf8(response_.text);
    return std::move(response_);
  }

 private:
  Token draw(std::span<const float> logits) {
    const Token token = draw_freely(logits);
    if (!grammar_) return token;
    llama_token_data one{token, 0, 0};
    llama_token_data_array only{&one, 1, -1, false};
    llama_sampler_apply(grammar_.get(), &only);
    if (std::isfinite(one.logit)) return token;

    // Drawing again from what the grammar allows, only after a draw that it refuses, gives each
    // token its probability under the grammar, and mostly spares asking it about every token.
    std::vector<llama_token_data> all(logits.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = {static_cast<Token>(i), logits[i], 0};
    llama_token_data_array candidates{all.data(), all.size(), -1, false};
    llama_sampler_apply(grammar_.get(), &candidates);
    std::vector<float> allowed(logits.size(), -std::numeric_limits<float>::infinity());
    for (const llama_token_data& candidate : all) {
      allowed[static_cast<std::size_t>(candidate.id)] = candidate.logit;
    }
    if (std::none_of(allowed.begin(), allowed.end(), [](float l) { return std::isfinite(l); })) {
      throw UserError("no token of the model continues the grammar after: " + response_.text);
    }
    return draw_freely(allowed);
  }

  Token draw_freely(std::span<const float> logits) {
    const auto top = std::max_element(logits.begin(), logits.end());
    if (request_.temperature <= 0) return static_cast<Token>(top - logits.begin());
    std::vector<double> weights(logits.size());
    std::transform(logits.begin(), logits.end(), weights.begin(),
                   [&](float logit) { return std::exp((logit - *top) / request_.temperature); });
    if (request_.top_p < 1) keep_likeliest(weights, request_.top_p);
    std::vector<double> cumulative(weights.size());
    std::partial_sum(weights.begin(), weights.end(), cumulative.begin());
    const auto drawn =
        std::upper_bound(cumulative.begin(), cumulative.end(), rng_.uniform() * cumulative.back());
    return static_cast<Token>(std::min(drawn, cumulative.end() - 1) - cumulative.begin());
  }

  /// Nucleus sampling (Holtzman et al. 2020): sets all but the fewest of the largest weights that
  /// make up `share` of the sum to 0.
  static void keep_likeliest(std::vector<double>& weights, double share) {
    std::vector<double> sorted = weights;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    const double wanted = share * std::accumulate(sorted.begin(), sorted.end(), 0.0);
    double sum = 0, least = 0;
    for (std::size_t i = 0; i < sorted.size() && sum < wanted; ++i) sum += least = sorted[i];
    for (double& weight : weights) weight = weight < least ? 0 : weight;
  }

  const Request& request_;
  const ChatTokenizer& tokenizer_;
  Rng rng_;
  std::unique_ptr<llama_sampler, FreeSampler> grammar_;
  Response response_;
};

}  // namespace

// One request on its way through a unit.
struct LlamaModel::Job {
  const Request* request = nullptr;
  std::size_t index = 0;  // in the wave
  std::vector<Token> prompt;
  std::vector<std::vector<Token>> options;  // each with the prompt in front
  std::size_t parting = 0;                  // tokens that the prompt and all options share
  std::size_t missing = 0;                  // option tokens not yet scored
  std::optional<Generation> generation;
  Response response;
};

void LlamaModel::Free::operator()(llama_model* model) const { llama_model_free(model); }
void LlamaModel::Free::operator()(llama_context* context) const { llama_free(context); }

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
  if (options_.unit == 0) throw UserError("unit must be at least 1");
  if (!std::filesystem::is_regular_file(options_.path)) {
    throw UserError(fmt::format("no model file {}", options_.path.string()));
  }

  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = options_.gpu_layers;
  // Mapped weights are page cache: a host short of memory drops them and reads them anew each
  // token.
  model_params.load_mode = LLAMA_LOAD_MODE_NONE;
  model_params.vocab_only = options_.vocab_only;
  const std::filesystem::path weights =
      options_.convert.empty() || options_.vocab_only
          ? options_.path
          : converted_weights(options_.path, hash(), options_.convert, options_.converted,
                              options_.threads);
  model_.reset(llama_model_load_from_file(weights.c_str(), model_params));
  if (!model_) {
    throw UserError(
        fmt::format("{} is not a model that llama.cpp can load (the log at level debug says why)",
                    options_.path.string()));
  }
  if (llama_model_has_encoder(model_.get()) || llama_model_is_recurrent(model_.get()) ||
      llama_model_is_hybrid(model_.get())) {
    throw UserError(fmt::format(
        "{} is no plain decoder: its prompts cannot share prefixes; run it behind a server",
        options_.path.filename().string()));
  }
  tokenizer_.emplace(model_.get(), options_.path.filename().string(), options_.chat_template);
  if (options_.vocab_only) return;

  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(options_.context);
  params.n_batch = static_cast<std::uint32_t>(options_.batch);
  params.n_ubatch = params.n_batch;
  params.n_seq_max = static_cast<std::uint32_t>(options_.sequences);
  params.n_threads = options_.threads;
  params.n_threads_batch = options_.threads;
  params.kv_unified = true;
  context_.reset(llama_init_from_model(model_.get(), params));
  if (!context_) {
    throw UserError(
        fmt::format("{} does not fit this machine's memory with a context of {}: lower context",
                    options_.path.filename().string(), options_.context));
  }
}

LlamaModel::~LlamaModel() = default;

const std::string& LlamaModel::hash() const {
  std::call_once(hashed_, [this] { hash_ = sha256_file(options_.path); });
  return hash_;
}

std::string LlamaModel::identity() const {
  return fmt::format(
      "llama.cpp {} weights {} as '{}' template '{}' context {} batch {} sequences {} unit {} "
      "gpu_layers {}",
      THETA_LLAMA_VERSION, hash(), options_.convert, options_.chat_template, options_.context,
      options_.batch, options_.sequences, options_.unit, options_.gpu_layers);
}

std::optional<std::size_t> LlamaModel::count_tokens(const Request& request) const {
  return tokenizer_->tokens(request).size();
}

HostCounters LlamaModel::counters() const {
  const std::lock_guard lock(counting_);
  return counters_;
}

LlamaModel::Job LlamaModel::prepare(const Request& request) const {
  Job job;
  job.request = &request;
  job.prompt = tokenizer_->tokens(request);
  job.response.prompt_tokens = static_cast<std::int64_t>(job.prompt.size());
  if (request.options.empty()) {
    require(request.max_tokens > 0, "an answer has a token or more");
    job.generation.emplace(request, *tokenizer_);
    return job;
  }

  for (const std::string& option : request.options) {
    job.options.push_back(tokenizer_->tokens(request, option));
  }
  std::vector<std::vector<Token>> sorted = job.options;
  std::sort(sorted.begin(), sorted.end());
  const bool nested =
      std::adjacent_find(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
        return common_prefix(a, b) == a.size();
      }) != sorted.end();
  job.parting = job.prompt.size();
  for (const std::vector<Token>& option : job.options) {
    job.parting = std::min(job.parting, common_prefix(job.prompt, option));
  }
  require(job.parting > 0, "a chat template begins every prompt alike");
  for (std::vector<Token>& option : job.options) {
    if (nested || option.size() == job.parting) option.push_back(tokenizer_->end_of_turn());
    job.missing += option.size() - job.parting;
  }
  job.response.option_logprobs.assign(job.options.size(), 0.0);
  return job;
}

void LlamaModel::check_window(const Job& job) const {
  const auto trained = static_cast<std::size_t>(llama_model_n_ctx_train(model_.get()));
  const std::size_t window = std::min(options_.context, trained);
  std::size_t needed = job.prompt.size();
  std::string answer;
  if (job.generation) {
    needed += static_cast<std::size_t>(job.request->max_tokens);
    answer = fmt::format(" with an answer of up to {}", job.request->max_tokens);
  }
  for (const std::vector<Token>& option : job.options) needed = std::max(needed, option.size());
  if (needed <= window) return;
  throw UserError(fmt::format(
      "prompt of {} tokens{} does not fit the window of {} tokens of {}: {}", job.prompt.size(),
      answer, window, options_.path.filename().string(),
      needed <= trained ? fmt::format("set context to {} or more, or shorten the prompt", needed)
                        : "shorten the prompt or take a model with a longer window"));
}

void LlamaModel::check(std::span<const Request> wave) const {
  for (const Request& request : wave) check_window(prepare(request));
}

void LlamaModel::complete(std::span<const Request> wave, const OnAnswer& on_answer,
                          std::stop_token stop) {
  require(context_ != nullptr, "a model loaded for a dry run answers nothing");
  std::vector<Job> jobs;
  jobs.reserve(wave.size());
  for (std::size_t i = 0; i < wave.size(); ++i) {
    jobs.push_back(prepare(wave[i]));
    jobs.back().index = i;
    check_window(jobs.back());
  }

  const std::lock_guard lock(computing_);
  for (std::size_t begin = 0; begin < jobs.size(); begin += options_.unit) {
    const std::size_t size = std::min(options_.unit, jobs.size() - begin);
    compute(
        std::span(jobs).subspan(begin, size),
        [&](Job& job) { on_answer(job.index, std::move(job.response)); }, stop);
  }
}

void LlamaModel::compute(std::span<Job> unit, const std::function<void(Job&)>& answered,
                         const std::stop_token& stop) {
  // What is to be read off the model's output at one node of the prefix tree.
  struct Probe {
    std::size_t sequence;
    Job* job;
    std::size_t option = 0;  // of a scored job
    Token token = 0;         // its next token
  };
  std::vector<BatchPlanner::Sequence> sequences;
  std::vector<Job*> job_of;
  std::vector<std::pair<std::size_t, Probe>> wishes;  // by position in the probe's sequence
  std::size_t asked = 0;
  for (Job& job : unit) {
    if (job.generation) {
      wishes.push_back({job.prompt.size() - 1, {sequences.size(), &job}});
      sequences.push_back({job.prompt, static_cast<std::size_t>(job.request->max_tokens)});
      job_of.push_back(&job);
      asked += job.prompt.size();
      continue;
    }
    std::vector<std::vector<Token>> read;
    for (std::size_t option = 0; option < job.options.size(); ++option) {
      const std::vector<Token>& tokens = job.options[option];
      for (std::size_t at = job.parting; at < tokens.size(); ++at) {
        wishes.push_back({at - 1, {sequences.size(), &job, option, tokens[at]}});
      }
      read.emplace_back(tokens.begin(), tokens.end() - 1);
      sequences.push_back({read.back(), 0});
      job_of.push_back(&job);
    }
    asked += prefix_tree_nodes(std::move(read));
  }

  BatchPlanner planner(std::move(sequences),
                       {options_.context, options_.sequences, options_.batch});
  std::map<std::pair<std::size_t, std::size_t>, std::vector<Probe>> probes;
  for (const auto& [position, probe] : wishes) {
    probes[{planner.bringer(probe.sequence, position), position}].push_back(probe);
  }
  const auto generated = [&](const BatchPlanner::Entry& entry) {
    const Job& job = *job_of[entry.sequence];
    return job.generation && entry.position >= job.prompt.size();
  };
  const auto advance = [&](std::size_t sequence, std::span<const float> logits) {
    Job& job = *job_of[sequence];
    if (const std::optional<Token> token = job.generation->next(logits)) {
      planner.append(sequence, *token);
      return;
    }
    planner.finish(sequence);
    const std::int64_t prompt_tokens = job.response.prompt_tokens;
    job.response = std::move(*job.generation).response();
    job.response.prompt_tokens = prompt_tokens;
    answered(job);
  };

  llama_memory_clear(llama_get_memory(context_.get()), false);
  HostCounters spent;
  spent.attempts = static_cast<std::int64_t>(unit.size());
  while (true) {
    const auto [edits, entries] = planner.next();
    if (entries.empty()) break;
    std::vector<std::int8_t> wanted;
    for (const BatchPlanner::Entry& entry : entries) {
      wanted.push_back(generated(entry) || probes.contains({entry.sequence, entry.position}));
    }
    edit_cache(edits);
    const auto began = std::chrono::steady_clock::now();
    decode(entries, wanted, stop);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const auto drawn = std::count_if(entries.begin(), entries.end(), generated);
    const auto total = static_cast<std::int64_t>(entries.size());
    const double drawn_share = static_cast<double>(drawn) / static_cast<double>(total);
    spent.computed_tokens += total - drawn;
    spent.generated_tokens += drawn;
    spent.prompt_seconds += seconds * (1 - drawn_share);
    spent.decode_seconds += seconds * drawn_share;

    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (wanted[i] == 0) continue;
      const std::span<const float> logits(
          llama_get_logits_ith(context_.get(), static_cast<std::int32_t>(i)),
          static_cast<std::size_t>(llama_vocab_n_tokens(tokenizer_->vocabulary())));
      if (generated(entries[i])) {
        advance(entries[i].sequence, logits);
        continue;
      }
      const double normaliser = log_normaliser(logits);
      for (const Probe& probe : probes.at({entries[i].sequence, entries[i].position})) {
        if (probe.job->generation) {
          advance(probe.sequence, logits);
          continue;
        }
        std::vector<double>& scores = probe.job->response.option_logprobs;
        scores[probe.option] += logits[static_cast<std::size_t>(probe.token)] - normaliser;
        if (--probe.job->missing == 0) {
          const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
          probe.job->response.text = probe.job->request->options[static_cast<std::size_t>(best)];
          answered(*probe.job);
        }
      }
    }
  }
  spent.reused_tokens = static_cast<std::int64_t>(asked) - spent.computed_tokens;

  const std::lock_guard lock(counting_);
  counters_ += spent;
}

void LlamaModel::edit_cache(const std::vector<BatchPlanner::Edit>& edits) {
  llama_memory_t memory = llama_get_memory(context_.get());
  for (const BatchPlanner::Edit& edit : edits) {
    const auto from = static_cast<llama_seq_id>(edit.from);
    const auto slot = static_cast<llama_seq_id>(edit.slot);
    const auto length = static_cast<llama_pos>(edit.length);
    if (from == slot) {
      require(llama_memory_seq_rm(memory, slot, length, -1), "the cache can be cut");
    } else {
      llama_memory_seq_cp(memory, from, slot, 0, length);
    }
  }
}

void LlamaModel::decode(const std::vector<BatchPlanner::Entry>& entries,
                        std::vector<std::int8_t> wanted, const std::stop_token& stop) {
  if (stop.stop_requested()) throw Interrupted("interrupted");
  const std::size_t n = entries.size();
  std::vector<llama_token> tokens(n);
  std::vector<llama_pos> positions(n);
  std::vector<std::int32_t> slot_counts(n);
  std::vector<std::vector<llama_seq_id>> slots(n);
  std::vector<llama_seq_id*> slot_lists(n);
  for (std::size_t i = 0; i < n; ++i) {
    tokens[i] = entries[i].token;
    positions[i] = static_cast<llama_pos>(entries[i].position);
    for (const std::size_t slot : entries[i].slots) {
      slots[i].push_back(static_cast<llama_seq_id>(slot));
    }
    slot_counts[i] = static_cast<std::int32_t>(slots[i].size());
    slot_lists[i] = slots[i].data();
  }
  const llama_batch batch{
      static_cast<std::int32_t>(n), tokens.data(),     nullptr,      positions.data(),
      slot_counts.data(),           slot_lists.data(), wanted.data()};

  llama_set_abort_callback(
      context_.get(),
      [](void* token) { return static_cast<const std::stop_token*>(token)->stop_requested(); },
      const_cast<std::stop_token*>(&stop));
  const std::int32_t status = llama_decode(context_.get(), batch);
  llama_set_abort_callback(context_.get(), nullptr, nullptr);
  if (status == 2) throw Interrupted("interrupted");
  require(status != 1, "the planner keeps within the cache");
  if (status != 0) {
    throw RunError(fmt::format("llama.cpp could not compute a batch of {} tokens of {} (code {})",
                               n, options_.path.filename().string(), status));
  }
}

}  // namespace theta
