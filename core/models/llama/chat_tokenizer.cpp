#include "core/models/llama/chat_tokenizer.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>

#include "core/ascii.hpp"
#include "core/result.hpp"

namespace theta {
namespace {

// What stands for message `i` while the template is rendered. A vertical tab at both ends shows
// afterwards whether the template trims its messages.
std::string mark(std::size_t i) { return fmt::format("\v\x01{}\x01\v", i); }

std::string apply_template(const std::string& chat_template,
                           const std::vector<llama_chat_message>& chat) {
  std::string text(4096, '\0');
  while (true) {
    const std::int32_t size =
        llama_chat_apply_template(chat_template.c_str(), chat.data(), chat.size(), true,
                                  text.data(), static_cast<std::int32_t>(text.size()));
    require(size >= 0, "a chat template that was rendered once is rendered again");
    const bool fits = static_cast<std::size_t>(size) <= text.size();
    text.resize(static_cast<std::size_t>(size));
    if (fits) return text;
  }
}

}  // namespace

ChatTokenizer::ChatTokenizer(const llama_model* model, std::string name,
                             const std::string& chat_template)
    : name_(std::move(name)), template_(chat_template), vocabulary_(llama_model_get_vocab(model)) {
  if (template_.empty()) {
    const char* own = llama_model_chat_template(model, nullptr);
    if (own == nullptr) {
      throw UserError(fmt::format(
          "{} has no chat template: take an instruction-tuned model, or name a template with "
          "chat_template",
          name_));
    }
    template_ = own;
  }
  const llama_chat_message probe{"user", "x"};
  if (llama_chat_apply_template(template_.c_str(), &probe, 1, true, nullptr, 0) < 0) {
    throw UserError(
        chat_template.empty()
            ? fmt::format("the chat template of {} is not one that llama.cpp renders: name the "
                          "nearest with chat_template (chatml, llama3, gemma, ...)",
                          name_)
            : fmt::format("llama.cpp knows no chat template '{}'", chat_template));
  }

  constexpr auto kSpecial = LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN;
  for (Token token = 0; token < llama_vocab_n_tokens(vocabulary_); ++token) {
    if ((llama_vocab_get_attr(vocabulary_, token) & kSpecial) != 0) {
      special_.emplace_back(llama_vocab_get_text(vocabulary_, token), token);
    }
  }
  std::erase_if(special_, [](const auto& entry) { return entry.first.empty(); });
  std::stable_sort(special_.begin(), special_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

std::vector<ChatTokenizer::Span> ChatTokenizer::render(const Request& request) const {
  Messages messages = request.messages;
  std::string answer = request.answer_prefix;
  if (!messages.empty() && messages.back().role == "assistant") {
    answer = messages.back().content + answer;
    messages.pop_back();
  }

  std::vector<std::string> marks;
  for (std::size_t i = 0; i < messages.size(); ++i) marks.push_back(mark(i));
  std::vector<llama_chat_message> chat;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    chat.push_back({messages[i].role.c_str(), marks[i].c_str()});
  }
  const std::string text = apply_template(template_, chat);

  std::vector<Span> spans;
  std::size_t end = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    std::string_view found = marks[i];
    std::size_t at = text.find(found, end);
    const bool trims = at == std::string::npos;
    if (trims) {
      found = found.substr(1, found.size() - 2);
      at = text.find(found, end);
    }
    if (at == std::string::npos) {
      throw UserError(fmt::format("the chat template of {} has no place for a message of role '{}'",
                                  name_, messages[i].role));
    }
    spans.push_back({text.substr(end, at - end), true});
    spans.push_back(
        {trims ? std::string(ascii::trim(messages[i].content, ascii::kBlank)) : messages[i].content,
         false});
    end = at + found.size();
  }
  spans.push_back({text.substr(end), true});
  spans.push_back({std::move(answer), false});
  return spans;
}

void ChatTokenizer::add_text(std::string_view text, std::vector<Token>& out) const {
  if (text.empty()) return;
  const std::size_t before = out.size();
  out.resize(before + text.size() + 1);  // a token has a byte or more; one may be a space in front
  const std::int32_t count = llama_tokenize(
      vocabulary_, text.data(), static_cast<std::int32_t>(text.size()), out.data() + before,
      static_cast<std::int32_t>(text.size() + 1), /*add_special=*/false, /*parse_special=*/false);
  require(count >= 0, "a text has no more tokens than bytes");
  out.resize(before + static_cast<std::size_t>(count));
}

std::vector<Token> ChatTokenizer::tokens(const Request& request, std::string_view option) const {
  std::vector<Span> spans = render(request);
  spans.back().text += option;

  std::vector<Token> out;
  if (llama_vocab_get_add_bos(vocabulary_)) out.push_back(llama_vocab_bos(vocabulary_));
  // Text between two control tokens is tokenised in one piece, across the seams of template and
  // messages, as if the whole prompt had been.
  std::string text;
  for (const Span& span : spans) {
    if (!span.from_template) {
      text += span.text;
      continue;
    }
    for (std::size_t at = 0; at < span.text.size();) {
      const auto special = std::find_if(special_.begin(), special_.end(), [&](const auto& entry) {
        return span.text.compare(at, entry.first.size(), entry.first) == 0;
      });
      if (special == special_.end()) {
        text += span.text[at++];
        continue;
      }
      add_text(text, out);
      text.clear();
      out.push_back(special->second);
      at += special->first.size();
    }
  }
  add_text(text, out);
  return out;
}

std::vector<Token> ChatTokenizer::text_tokens(std::string_view text) const {
  std::vector<Token> out;
  if (llama_vocab_get_add_bos(vocabulary_)) out.push_back(llama_vocab_bos(vocabulary_));
  add_text(text, out);
  return out;
}

std::string ChatTokenizer::piece(Token token) const {
  std::string text(64, '\0');
  while (true) {
    const std::int32_t size =
        llama_token_to_piece(vocabulary_, token, text.data(),
                             static_cast<std::int32_t>(text.size()), 0, /*special=*/false);
    if (size >= 0) {
      text.resize(static_cast<std::size_t>(size));
      return text;
    }
    text.resize(static_cast<std::size_t>(-size));
  }
}

bool ChatTokenizer::ends_turn(Token token) const { return llama_vocab_is_eog(vocabulary_, token); }

Token ChatTokenizer::end_of_turn() const {
  const Token token = llama_vocab_eot(vocabulary_);
  return token != LLAMA_TOKEN_NULL ? token : llama_vocab_eos(vocabulary_);
}

}  // namespace theta
