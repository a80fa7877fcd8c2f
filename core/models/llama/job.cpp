#include "core/models/llama/job.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/models/thoughts.hpp"
#include "core/result.hpp"
#include "core/rng.hpp"

namespace theta {
namespace {

// A token cut off in the middle of a character leaves bytes that are no text.
std::string valid_utf8(const std::string& text) {
  using nlohmann::json;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace))
      .get<std::string>();
}

struct FreeSampler {
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
};

}  // namespace

double log_normaliser(std::span<const float> logits) {
  const Eigen::Map<const Eigen::ArrayXf> all(logits.data(), std::ssize(logits));
  const float top = all.maxCoeff();
  return top + std::log((all - top).exp().cast<double>().sum());
}

// An answer as it is generated, token by token.
class LlamaJob::Generation {
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
    // A stop text does not end a thought, and is looked for behind it alone.
    Told told{response_.text};
    if (may_open_thought(response_.text)) told = behind_thought(response_.text);
    const auto answer = told.thought && !told.open
                            ? static_cast<std::size_t>(told.answer.data() - response_.text.data())
                            : 0;
    std::size_t end = std::string::npos;
    for (const std::string& stop : request_.stop) {
      if (told.open) break;
      const std::size_t from = std::max(answer, before - std::min(before, stop.size() - 1));
      end = std::min(end, response_.text.find(stop, from));
    }
    if (end != std::string::npos) {
      response_.text.resize(end);
      return std::nullopt;
    }
    if (grammar_ && grammar_ended()) return std::nullopt;
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

  // Whether the text is whole and nothing can follow it. The first question is cheap and mostly
  // settles it.
  bool grammar_ended() const {
    llama_token_data end{tokenizer_.end_of_turn(), 0, 0};
    llama_token_data_array only{&end, 1, -1, false};
    llama_sampler_apply(grammar_.get(), &only);
    if (!std::isfinite(end.logit)) return false;
    std::vector<llama_token_data> all;
    for (Token token = 0; token < llama_vocab_n_tokens(tokenizer_.vocabulary()); ++token) {
      if (!tokenizer_.ends_turn(token)) all.push_back({token, 0, 0});
    }
    llama_token_data_array rest{all.data(), all.size(), -1, false};
    llama_sampler_apply(grammar_.get(), &rest);
    return std::none_of(all.begin(), all.end(),
                        [](const llama_token_data& one) { return std::isfinite(one.logit); });
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

LlamaJob::LlamaJob(const Request& request, const ChatTokenizer& tokenizer)
    : request_(&request), prompt_(tokenizer.tokens(request)) {
  response_.prompt_tokens = static_cast<std::int64_t>(prompt_.size());
  if (request.options.empty()) {
    require(request.max_tokens > 0, "an answer has a token or more");
    generation_ = std::make_unique<Generation>(request, tokenizer);
    return;
  }

  for (const std::string& option : request.options) {
    options_.push_back(tokenizer.tokens(request, option));
  }
  std::vector<std::vector<Token>> sorted = options_;
  std::sort(sorted.begin(), sorted.end());
  const bool nested =
      std::adjacent_find(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
        return common_prefix(a, b) == a.size();
      }) != sorted.end();
  parting_ = prompt_.size();
  for (const std::vector<Token>& option : options_) {
    parting_ = std::min(parting_, common_prefix(prompt_, option));
  }
  require(parting_ > 0, "a chat template begins every prompt alike");
  for (std::vector<Token>& option : options_) {
    if (nested || option.size() == parting_) option.push_back(tokenizer.end_of_turn());
    missing_ += option.size() - parting_;
  }
  response_.option_logprobs.assign(options_.size(), 0.0);
}

LlamaJob::LlamaJob(LlamaJob&&) noexcept = default;
LlamaJob::~LlamaJob() = default;

std::vector<Token> LlamaJob::read(std::size_t option) const {
  return {options_[option].begin(), options_[option].end() - 1};
}

std::size_t LlamaJob::growth() const {
  return generation_ ? static_cast<std::size_t>(request_->max_tokens) : 0;
}

std::size_t LlamaJob::longest() const {
  std::size_t longest = prompt_.size() + growth();
  for (const std::vector<Token>& option : options_) longest = std::max(longest, option.size());
  return longest;
}

std::size_t LlamaJob::nodes() const {
  if (!scored()) return prompt_.size();
  std::vector<std::vector<Token>> reads;
  for (std::size_t option = 0; option < options_.size(); ++option) reads.push_back(read(option));
  return prefix_tree_nodes(std::move(reads));
}

std::optional<Token> LlamaJob::advance(std::span<const float> logits) {
  // Counted, as looking for the first cannot be vectorised.
  not_a_number_ = std::ranges::count_if(logits, [](float l) { return std::isnan(l); }) > 0;
  if (not_a_number_) return std::nullopt;
  if (const std::optional<Token> token = generation_->next(logits)) return token;
  const std::int64_t prompt_tokens = response_.prompt_tokens;
  response_ = std::move(*generation_).response();
  response_.prompt_tokens = prompt_tokens;
  return std::nullopt;
}

bool LlamaJob::score(std::size_t option, Token token, std::span<const float> logits,
                     double normaliser) {
  std::vector<double>& scores = response_.option_logprobs;
  scores[option] += logits[static_cast<std::size_t>(token)] - normaliser;
  not_a_number_ = not_a_number_ || std::isnan(scores[option]);
  if (--missing_ > 0) return false;
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  response_.text = request_->options[static_cast<std::size_t>(best)];
  return true;
}

Result<Response> LlamaJob::answer() {
  if (not_a_number_) return Error{Fault::kService, "the model's output is not a number"};
  if (!generation_) return std::move(response_);
  const Told told = behind_thought(response_.text);
  if (told.thought && told.answer.empty()) {
    return Error{Fault::kPrompt,
                 no_answer_behind_thought(response_.truncated, request_->max_tokens),
                 {},
                 response_.prompt_tokens,
                 response_.generated_tokens};
  }
  if (told.thought) {
    response_.text = std::string(told.answer);
    response_.note = kThoughtDropped;
  }
  return std::move(response_);
}

}  // namespace theta
