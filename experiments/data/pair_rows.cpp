#include "experiments/data/pair_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "core/json_value.hpp"
#include "core/python_literal.hpp"
#include "core/result.hpp"
#include "core/signature.hpp"
#include "experiments/data/preference_pairs.hpp"
#include "experiments/data/rows.hpp"
#include "experiments/data/text_file.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// Whether data read from a text can only be meant as messages, if badly made ones.
bool holds_messages(const Json& data) {
  if (data.is_array()) return std::ranges::any_of(data, holds_messages);
  return data.is_object() && (data.contains("role") || data.contains("content") ||
                              (data.contains("from") && data.contains("value")));
}

/// Reads the columns of one row.
class RowReader {
 public:
  RowReader(const std::string& where, const Json& row, Remarks& remarks)
      : where_(where), row_(row), remarks_(remarks) {}

  bool has(const char* key) const { return row_.contains(key) && !row_[key].is_null(); }
  /// has(), but in an empty cell of a table there is nothing.
  bool fills(const char* key) const { return has(key) && row_[key] != ""; }

  const Json& at(const char* key) const {
    if (!has(key)) fail(fmt::format("no `{}`; there are {}", key, key_list(row_)));
    const Json& value = row_[key];
    if (value.is_string() && !is_readable(value.get_ref<const std::string&>()))
      fail(fmt::format("column `{}` is not UTF-8", key));
    return value;
  }

  std::string text(const char* key) const {
    const Json& value = at(key);
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_number_integer() && !value.is_binary())
      fail(fmt::format("`{}` is {}, not text", key, value.type_name()));
    return to_text(value_of(value));
  }

  /// True or false, in a table also as data frames and people write it.
  bool flag(const char* key) const {
    const Json& value = at(key);
    const auto read = value.is_structured() ? Result<Value>(Error{}) : as(Type::Kind::kBool, value);
    if (!read) fail(fmt::format("`{}` is neither true nor false", key));
    return std::get<bool>(*read);
  }

  /// A whole number from 0.
  std::size_t count(const char* key) const {
    const Json& value = at(key);
    const bool other = value.is_structured() || value.is_boolean();
    const auto read = other ? Result<Value>(Error{}) : as(Type::Kind::kInt, value);
    const auto* number = read ? std::get_if<std::int64_t>(&*read) : nullptr;
    if (number == nullptr || *number < 0) fail(fmt::format("`{}` is no whole number", key));
    return static_cast<std::size_t>(*number);
  }

  /// What was said before the answers. A text that is a list of messages is read as one.
  Messages conversation(const char* key) const {
    const Json& value = at(key);
    if (!value.is_string()) return messages(key, value);
    const auto data = data_in(key, value);
    return data || value == "[]" ? messages(key, data ? *data : Json::array())
                                 : messages(key, value);
  }

  /// One of the answers: as a conversation, but `[]` is a text.
  Messages answer(const char* key) const {
    const Json& value = at(key);
    const auto data = value.is_string() ? data_in(key, value) : std::nullopt;
    return messages(key, data ? *data : value);
  }

  void remark(const std::string& kind, const std::string& line) const {
    remarks_.once(kind, where_, line);
  }
  [[noreturn]] void fail(const std::string& message) const {
    throw UserError(where_ + ": " + message);
  }
  const Json& json() const { return row_; }

 private:
  static Result<Value> as(Type::Kind kind, const Json& scalar) {
    return Type{kind, {}}.cast(to_text(value_of(scalar)));
  }

  /// The messages that a text holds; nullopt where it is no more than a text.
  std::optional<Json> data_in(const std::string& key, const Json& cell) const {
    const auto& text = cell.get_ref<const std::string&>();
    auto data = read_container(text);
    if (data && holds_messages(*data)) {
      remark(key + " messages",
             fmt::format("column `{}` holds messages as a text, which are read as messages", key));
      return data;
    }
    if (!data && looks_like_messages(text))
      fail(
          fmt::format("column `{}` begins like messages, and cannot be read as JSON or as Python "
                      "writes them",
                      key));
    if (data && !data->empty())
      remark(key + " data",
             fmt::format("column `{}` holds {} as a text, which is shown as it stands", key,
                         data->is_object() ? "an object" : "a list"));
    return std::nullopt;
  }

  Messages messages(const char* key, const Json& value) const {
    if (!value.is_array()) return {message(key, value)};
    Messages messages;
    for (const Json& item : value) messages.push_back(message(key, item));
    return messages;
  }

  Message message(const char* key, const Json& value) const {
    if (value.is_string()) return {"", value.get<std::string>()};
    const auto part = [&](const char* name) {
      if (!value.is_object() || !value.contains(name) || !value[name].is_string()) {
        fail(fmt::format("`{}` is no text, message {{role, content}} or list of messages", key));
      }
      return value[name].get<std::string>();
    };
    return {part("role"), part("content")};
  }

  const std::string& where_;
  const Json& row_;
  Remarks& remarks_;
};

std::optional<bool> said_split(const RowReader& row) {
  if (!row.fills("split")) return std::nullopt;
  const std::string split = row.text("split");
  if (split != "train" && split != "val" && split != "test") {
    row.fail("`split` is `" + split + "`, none of train, val and test");
  }
  return split == "test";
}

/// Whether the chosen text stood first.
std::optional<bool> said_flip(const RowReader& row) {
  if (row.fills("flip")) return row.flag("flip");
  if (!row.fills("winner_slot")) return std::nullopt;
  const std::string slot = row.text("winner_slot");
  if (slot != "a" && slot != "b") row.fail("`winner_slot` is `" + slot + "`, neither a nor b");
  return slot == "a";
}

/// What was asked, where no `context` holds it: others keep it under these names.
constexpr std::array kQuestions = {"prompt", "question", "instruction", "query", "input"};

/// What the answers are answers to: the `context`, or the one column that plainly is the question.
/// What is not read is remarked.
Messages asked(const RowReader& row, const Messages& chosen, const Messages& rejected) {
  std::vector<const char*> questions;
  for (const char* key : kQuestions)
    if (row.fills(key)) questions.push_back(key);
  if (row.fills("context")) {
    Messages context = row.conversation("context");
    for (const char* key : questions)
      row.remark(key, fmt::format("column `{}` is not read: `context` holds what was asked", key));
    return context;
  }
  if (questions.size() == 1) {
    const char* key = questions.front();
    Messages question = row.conversation(key);
    const auto holds_it = [&](const Messages& answer) {
      return answer.size() > 1 && !question.empty() && answer[0].content == question[0].content;
    };
    if (holds_it(chosen) && holds_it(rejected)) return {};
    row.remark(key, fmt::format("no `context`: column `{}` is read as the context", key));
    return question;
  }
  constexpr std::array kRead = {"user_id",         "context",     "chosen",      "rejected",
                                "split",           "flip",        "winner_slot", "pair_id",
                                "conversation_id", "demographics"};
  std::vector<std::string> unread;
  for (const auto& [key, value] : row.json().items())
    if (std::ranges::find(kRead, key) == kRead.end()) unread.push_back(key);
  if (!unread.empty())
    row.remark("unread", fmt::format("no `context`: the answers stand alone; not read: `{}`",
                                     fmt::join(unread, "`, `")));
  return {};
}

/// PersonalRewardBench: the row says what was chosen.
Choice read_chosen(const RowReader& row) {
  Choice choice;
  if (!row.has("user_id"))
    row.fail(
        "no `user_id`: say whose the choices are with `columns: {user_id: COLUMN}`, or with "
        "`user: NAME` of all");
  choice.user = row.text("user_id");
  const Messages chosen = row.answer("chosen"), rejected = row.answer("rejected");
  choice.pair.context = render_conversation(asked(row, chosen, rejected));
  choice.pair.chosen = render_conversation(chosen);
  choice.pair.rejected = render_conversation(rejected);
  choice.is_test = said_split(row);
  choice.flip = said_flip(row);
  return choice;
}

/// Chatbot Arena: two conversations and a vote.   @return nullopt for a tie.
std::optional<Choice> read_vote(const RowReader& row) {
  const std::string winner = row.text("winner");
  if (winner.starts_with("tie")) return std::nullopt;
  if (winner != "model_a" && winner != "model_b") {
    row.fail("`winner` is `" + winner + "`, none of model_a, model_b and tie");
  }
  Messages a = row.conversation("conversation_a");
  Messages b = row.conversation("conversation_b");
  if (row.fills("turn")) {
    const std::size_t n_messages = 2 * row.count("turn");
    a.resize(std::min(a.size(), n_messages));
    b.resize(std::min(b.size(), n_messages));
  }
  const auto [a_rest, b_rest] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  std::string first = render_conversation({a_rest, a.end()});
  std::string second = render_conversation({b_rest, b.end()});
  Choice choice;
  choice.flip = winner == "model_a";
  if (!*choice.flip) std::swap(first, second);

  choice.user = row.text("judge");
  choice.pair.context = render_conversation({a.begin(), a_rest});
  choice.pair.chosen = std::move(first);
  choice.pair.rejected = std::move(second);
  return choice;
}

}  // namespace

std::vector<std::string> columns_of_pairs() {
  std::vector<std::string> columns = {
      "user_id",     "context", "chosen",          "rejected",       "split",          "flip",
      "winner_slot", "pair_id", "conversation_id", "conversation_a", "conversation_b", "winner",
      "judge",       "turn",    "demographics"};
  columns.insert(columns.end(), kQuestions.begin(), kQuestions.end());
  return columns;
}

bool is_needed(std::string_view column) {
  constexpr std::array kOptional = {"split",           "flip", "winner_slot", "pair_id", "context",
                                    "conversation_id", "turn", "demographics"};
  return std::ranges::find(kOptional, column) == kOptional.end();
}

std::optional<Choice> read_choice(const std::string& where, const Json& json, bool by_conversation,
                                  Remarks& remarks) {
  const RowReader row(where, json, remarks);
  std::optional<Choice> choice;
  if (row.has("chosen") && row.has("rejected")) {
    choice = read_chosen(row);
  } else if (row.has("conversation_a") && row.has("conversation_b")) {
    choice = read_vote(row);
  } else if (json.contains("chosen") && json.contains("rejected")) {
    row.fail("`chosen` or `rejected` holds nothing");
  } else {
    row.fail(
        "neither `chosen` and `rejected` nor `conversation_a` and `conversation_b`; there are " +
        key_list(json));
  }
  if (!choice) return std::nullopt;
  if (row.fills("pair_id")) choice->pair.id = row.text("pair_id");
  if (row.fills("demographics")) choice->demographics = row.text("demographics");
  if (by_conversation) choice->conversation = row.text("conversation_id");
  return choice;
}

std::vector<std::string> columns_of_open_pairs() {
  return {"pair_id", "context", "first", "second"};
}

PreferencePair read_open_pair(const std::string& where, const Json& json, Remarks& remarks) {
  const RowReader row(where, json, remarks);
  PreferencePair pair;
  if (row.fills("pair_id")) pair.id = row.text("pair_id");
  if (row.has("context")) pair.context = render_conversation(row.conversation("context"));
  pair.chosen = render_conversation(row.answer("first"));
  pair.rejected = render_conversation(row.answer("second"));
  if (pair.chosen == pair.rejected) row.fail("`first` and `second` are the same text");
  return pair;
}

}  // namespace theta
