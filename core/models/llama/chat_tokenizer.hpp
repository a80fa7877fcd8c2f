#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/models/language_model.hpp"
#include "core/models/llama/batch_planner.hpp"

struct llama_model;
struct llama_vocab;

namespace theta {

/// Turns requests into the tokens of one model, by the chat template and vocabulary of its file.
///
/// Only the template's own text can become control tokens (`<|im_start|>`): the same text inside a
/// message, an answer prefix or an option stays text, so data cannot open a turn of its own.
/// Thread-safe.
class ChatTokenizer {
 public:
  /// @param model          outlives this
  /// @param name           of the model in messages
  /// @param chat_template  a name that llama.cpp knows; empty: the template in the model's file
  /// @throws UserError if llama.cpp cannot render the template.
  ChatTokenizer(const llama_model* model, std::string name, const std::string& chat_template);

  /// The conversation up to where the answer begins, then answer_prefix and `option`. A last
  /// message of the assistant is not closed: the answer continues it.
  std::vector<Token> tokens(const Request& request, std::string_view option = "") const;

  /// A text that is no conversation.
  std::vector<Token> text_tokens(std::string_view text) const;

  /// The bytes that a token adds to an answer; none for a control token.
  std::string piece(Token token) const;

  /// Whether the model ends its turn with it.
  bool ends_turn(Token token) const;
  /// The token that ends a turn.
  Token end_of_turn() const;

  const llama_vocab* vocabulary() const { return vocabulary_; }

 private:
  struct Span {
    std::string text;
    bool from_template;
  };

  std::vector<Span> render(const Request& request) const;
  void add_text(std::string_view text, std::vector<Token>& out) const;

  std::string name_;
  std::string template_;
  const llama_vocab* vocabulary_;
  std::vector<std::pair<std::string, Token>> special_;  // longest first
};

}  // namespace theta
