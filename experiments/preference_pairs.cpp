#include "experiments/preference_pairs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "experiments/rows.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// A row's choice and what decides where it goes.
struct Choice {
  PreferencePair pair;
  std::string user;
  std::string conversation;
  std::optional<bool> is_test;  ///< where the row itself says
};

/// Reads the columns of one row.
class RowReader {
 public:
  RowReader(const std::string& where, const Json& row) : where_(where), row_(row) {}

  bool has(const char* key) const { return row_.contains(key) && !row_[key].is_null(); }

  const Json& at(const char* key) const {
    if (!has(key)) fail(fmt::format("no `{}`; there are {}", key, key_list(row_)));
    return row_[key];
  }

  std::string text(const char* key) const {
    const Json& value = at(key);
    if (value.is_number_integer()) return value.dump();
    if (!value.is_string()) fail(fmt::format("`{}` is {}, not text", key, value.type_name()));
    return value.get<std::string>();
  }

  Messages messages(const char* key) const {
    const Json& value = at(key);
    Messages messages;
    if (value.is_array()) {
      for (const Json& item : value) messages.push_back(message(key, item));
    } else {
      messages.push_back(message(key, value));
    }
    return messages;
  }

  [[noreturn]] void fail(const std::string& message) const {
    throw UserError(where_ + ": " + message);
  }

 private:
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
};

std::optional<bool> said_split(const RowReader& row) {
  if (!row.has("split")) return std::nullopt;
  const std::string split = row.text("split");
  if (split != "train" && split != "val" && split != "test") {
    row.fail("`split` is `" + split + "`, none of train, val and test");
  }
  return split == "test";
}

/// Whether the chosen text stood first.
std::optional<bool> said_flip(const RowReader& row) {
  if (row.has("flip")) {
    if (!row.at("flip").is_boolean()) row.fail("`flip` is neither true nor false");
    return row.at("flip").get<bool>();
  }
  if (row.has("winner_slot")) return row.text("winner_slot") == "a";
  return std::nullopt;
}

/// PersonalRewardBench: the row says what was chosen.
Choice read_chosen(const RowReader& row, std::optional<bool>& flip) {
  Choice choice;
  choice.user = row.text("user_id");
  if (row.has("context")) choice.pair.context = render_conversation(row.messages("context"));
  choice.pair.chosen = render_conversation(row.messages("chosen"));
  choice.pair.rejected = render_conversation(row.messages("rejected"));
  choice.is_test = said_split(row);
  flip = said_flip(row);
  return choice;
}

/// Chatbot Arena: two conversations and a vote.   @return nullopt for a tie.
std::optional<Choice> read_vote(const RowReader& row, std::optional<bool>& flip) {
  const std::string winner = row.text("winner");
  if (winner.starts_with("tie")) return std::nullopt;
  if (winner != "model_a" && winner != "model_b") {
    row.fail("`winner` is `" + winner + "`, none of model_a, model_b and tie");
  }
  Messages a = row.messages("conversation_a");
  Messages b = row.messages("conversation_b");
  if (row.has("turn")) {
    if (!row.at("turn").is_number_unsigned()) row.fail("`turn` is no whole number");
    const auto n_messages = 2 * row.at("turn").get<std::size_t>();
    a.resize(std::min(a.size(), n_messages));
    b.resize(std::min(b.size(), n_messages));
  }
  const auto [a_rest, b_rest] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  std::string first = render_conversation({a_rest, a.end()});
  std::string second = render_conversation({b_rest, b.end()});
  flip = winner == "model_a";
  if (!*flip) std::swap(first, second);

  Choice choice;
  choice.user = row.text("judge");
  choice.pair.context = render_conversation({a.begin(), a_rest});
  choice.pair.chosen = std::move(first);
  choice.pair.rejected = std::move(second);
  return choice;
}

/// Reads every choice of the file, counting the rows without one.
std::vector<Choice> read_choices(const PairsOptions& options, LoadedPairs& counts) {
  std::vector<Choice> choices;
  std::unordered_set<std::string> ids;
  for_each_row(options.file, "", [&](const std::string& where, const Json& json) {
    const RowReader row(where, json);
    ++counts.n_rows;
    std::optional<bool> flip;
    std::optional<Choice> choice;
    if (row.has("chosen") && row.has("rejected")) {
      choice = read_chosen(row, flip);
    } else if (row.has("conversation_a") && row.has("conversation_b")) {
      choice = read_vote(row, flip);
    } else {
      row.fail(
          "neither `chosen` and `rejected` nor `conversation_a` and `conversation_b`; there are " +
          key_list(json));
    }
    if (!choice) {
      ++counts.n_ties;
      return;
    }
    if (choice->pair.chosen == choice->pair.rejected) {
      ++counts.n_equal_texts;
      return;
    }
    if (!choices.empty() && choice->is_test.has_value() != choices[0].is_test.has_value()) {
      row.fail("either every row has a `split` or none");
    }
    std::string& id = choice->pair.id;
    id = row.has("pair_id") ? row.text("pair_id") : fmt::format("row {}", counts.n_rows);
    if (!ids.insert(id).second) row.fail("the pair `" + id + "` stands here again");
    if (options.by_conversation) choice->conversation = row.text("conversation_id");
    choice->pair.flip = flip ? *flip : Rng(derive_seed(options.seed, id)).below(2) == 0;
    choices.push_back(*std::move(choice));
  });
  return choices;
}

/// Divides the choices of one user, in their order, into context and test.
User make_user(const std::string& id, const std::vector<Choice>& choices,
               const PairsOptions& options) {
  std::unordered_map<std::string, std::size_t> conversations;  // by first appearance
  for (const Choice& choice : choices) {
    conversations.emplace(choice.conversation, conversations.size());
  }
  const std::size_t n_units = options.by_conversation ? conversations.size() : choices.size();
  const auto n_context =
      static_cast<std::size_t>(options.context_ratio * static_cast<double>(n_units));

  User user;
  user.id = id;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const Choice& choice = choices[i];
    const std::size_t unit = options.by_conversation ? conversations.at(choice.conversation) : i;
    const bool is_test = choice.is_test.value_or(unit >= n_context);
    (is_test ? user.test : user.context).push_back(choice.pair);
  }
  return user;
}

std::string content_of(const PreferencePair& pair) {
  const auto& [low, high] = std::minmax(pair.chosen, pair.rejected);
  return fmt::format("{}:{}{}:{}{}", pair.context.size(), pair.context, low.size(), low, high);
}

std::size_t count_shared_pairs(const Users& users) {
  std::unordered_set<std::string> seen;
  for (const auto* others : {&users.train, &users.validation}) {
    for (const User& user : *others) {
      for (const PreferencePair& pair : user.context) seen.insert(content_of(pair));
      for (const PreferencePair& pair : user.test) seen.insert(content_of(pair));
    }
  }
  std::size_t n_shared = 0;
  for (const User& user : users.test) {
    n_shared += static_cast<std::size_t>(std::count_if(
        user.test.begin(), user.test.end(),
        [&](const PreferencePair& pair) { return seen.count(content_of(pair)) > 0; }));
  }
  return n_shared;
}

}  // namespace

LoadedPairs read_pairs(const PairsOptions& options) {
  LoadedPairs loaded;
  std::vector<std::string> order;
  std::unordered_map<std::string, std::vector<Choice>> by_user;
  for (Choice& choice : read_choices(options, loaded)) {
    std::vector<Choice>& mine = by_user[choice.user];
    if (mine.empty()) order.push_back(choice.user);
    if (options.max_pairs == 0 || mine.size() < options.max_pairs)
      mine.push_back(std::move(choice));
  }
  std::vector<User> users;
  for (const std::string& id : order) {
    const std::vector<Choice>& choices = by_user.at(id);
    User user = make_user(id, choices, options);
    if (choices.size() < options.min_pairs || user.context.empty() || user.test.empty()) {
      ++loaded.n_small_users;
    } else {
      users.push_back(std::move(user));
    }
  }
  std::vector<Split> splits(users.size(), Split::kTest);
  try {
    if (options.users.total() > 0)
      splits = draw_split(users.size(), options.users, derive_seed(options.seed, "users"), "users");
  } catch (const UserError& e) {
    throw UserError(fmt::format("{}: {} ({} more have too few pairs)", options.file.string(),
                                e.what(), loaded.n_small_users));
  }
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (splits[i] == Split::kUnused) continue;
    split_of(loaded.users, splits[i]).push_back(std::move(users[i]));
  }
  loaded.n_shared_pairs = count_shared_pairs(loaded.users);
  return loaded;
}

std::string render_conversation(std::span<const Message> messages) {
  std::string text;
  for (const Message& message : messages) {
    if (!text.empty()) text += "\n\n";
    text += message.role.empty() ? message.content
                                 : fmt::format("[{}]: {}", message.role, message.content);
  }
  return text;
}

}  // namespace theta
