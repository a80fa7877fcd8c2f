#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/models/language_model.hpp"
#include "core/models/llama/chat_tokenizer.hpp"

namespace theta {

/// One request on its way through the model: its tokens, and the answer that its logits make.
///
/// An option's log-probability counts every token from where the options part from the prompt
/// itself. Where one option's tokens begin another's, each option is closed by the end of the turn.
class LlamaJob {
 public:
  /// Both outlive this.   @throws UserError if llama.cpp cannot read the grammar.
  LlamaJob(const Request& request, const ChatTokenizer& tokenizer);
  LlamaJob(LlamaJob&&) noexcept;
  ~LlamaJob();

  const std::vector<Token>& prompt() const { return prompt_; }
  /// Whether options are scored; else an answer is generated.
  bool scored() const { return !options_.empty(); }
  /// The options' tokens, each with the prompt in front.
  const std::vector<std::vector<Token>>& options() const { return options_; }
  /// How many tokens the prompt and all options share. What the model says at the token before is
  /// the first that counts.
  std::size_t parting() const { return parting_; }
  /// An option as it is read: nothing is asked of its last token.
  std::vector<Token> read(std::size_t option) const;
  /// How many tokens an answer may have.
  std::size_t growth() const;
  /// Tokens of the cache that the request may come to need at once.
  std::size_t longest() const;
  /// Nodes of the prefix tree of what is read: the tokens it would take alone.
  std::size_t nodes() const;

  /// Draws the next token of the answer; nothing when it has ended and answer() is whole.
  std::optional<Token> advance(std::span<const float> logits);
  /// Counts one token of an option.
  /// @param normaliser  log_normaliser(logits)
  /// @return whether that was the last one missing and answer() is whole.
  bool score(std::size_t option, Token token, std::span<const float> logits, double normaliser);

  /// The whole answer, once, without a thought before it: an error where there is nothing behind
  /// one, or where the model's output was not a number.
  Result<Response> answer();

 private:
  class Generation;

  const Request* request_;
  std::vector<Token> prompt_;
  std::vector<std::vector<Token>> options_;
  std::size_t parting_ = 0;
  std::size_t missing_ = 0;  // option tokens not yet scored
  bool not_a_number_ = false;
  std::unique_ptr<Generation> generation_;
  Response response_;
};

/// log of the sum of exp(logits), in nats.
double log_normaliser(std::span<const float> logits);

}  // namespace theta
