#include "experiments/data/raw_choices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "core/json_value.hpp"
#include "core/result.hpp"
#include "core/rng.hpp"
#include "experiments/data/pair_rows.hpp"
#include "experiments/data/rows.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What PRISM writes in place of a text that was left empty.
constexpr const char* kEmptyString = "EMPTY STRING";

/// One answer of a turn that was scored.
struct Answer {
  std::string text;
  int score = 0;
  bool chosen = false;
};
struct Turn {
  std::string prompt;
  std::vector<Answer> answers;
};
struct Conversation {
  std::string id, user, type;
  std::map<std::int64_t, Turn> turns;  ///< by number
};

/// A row or a part of one, whose members are read by type.
class Members {
 public:
  Members(const std::string& where, const Json& json) : where_(where), json_(json) {}

  std::string text(const char* key) const {
    const Json& value = at(key);
    if (!value.is_string()) fail(fmt::format("`{}` is {}, not text", key, value.type_name()));
    return value.get<std::string>();
  }
  std::int64_t integer(const char* key) const {
    const Json& value = at(key);
    if (!value.is_number_integer()) fail(fmt::format("`{}` is no whole number", key));
    return value.get<std::int64_t>();
  }
  bool flag(const char* key) const {
    const Json& value = at(key);
    if (!value.is_boolean()) fail(fmt::format("`{}` is neither true nor false", key));
    return value.get<bool>();
  }
  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }
  const Json& at(const char* key) const {
    if (!json_.is_object() || !has(key))
      fail(
          fmt::format("no `{}`{}", key, json_.is_object() ? "; there are " + key_list(json_) : ""));
    return json_[key];
  }
  [[noreturn]] void fail(const std::string& message) const {
    throw UserError(where_ + ": " + message);
  }

 private:
  const std::string& where_;
  const Json& json_;
};

/// Adds an answer to its turn, if it can be compared.
/// @param said  the member that holds its text
void add_answer(const Members& row, const char* said, Turn& turn, RawChoices& raw) {
  std::string text = row.text(said);
  if (text.empty() || text == kEmptyString) return raw.leave_out("answers without a text");
  const bool chosen = row.flag("if_chosen");
  if (!row.has("score")) return raw.leave_out("answers without a score");
  turn.answers.push_back({std::move(text), static_cast<int>(row.integer("score")), chosen});
}

using Conversations = std::vector<Conversation>;

/// conversations.jsonl: a conversation a row.
Conversations read_conversations(const fs::path& file, RawChoices& raw) {
  Conversations all;
  for_each_row(file, {}, [&](const std::string& where, const Json& json) {
    const Members row(where, json);
    Conversation& one = all.emplace_back(Conversation{
        row.text("conversation_id"), row.text("user_id"), row.text("conversation_type"), {}});
    const Json& history = row.at("conversation_history");
    if (!history.is_array()) row.fail("`conversation_history` is no list");
    for (const Json& part : history) {
      const Members item(where, part);
      Turn& turn = one.turns[item.integer("turn")];
      if (item.text("role") == "user") {
        turn.prompt = item.text("content");
        continue;
      }
      ++raw.rows;
      add_answer(item, "content", turn, raw);
    }
  });
  return all;
}

/// utterances.jsonl: an answer a row.
Conversations read_utterances(const fs::path& file, RawChoices& raw) {
  Conversations all;
  std::unordered_map<std::string, std::size_t> known;
  for_each_row(file, {}, [&](const std::string& where, const Json& json) {
    const Members row(where, json);
    const std::string id = row.text("conversation_id");
    const auto [at, is_new] = known.try_emplace(id, all.size());
    if (is_new) all.push_back({id, row.text("user_id"), row.text("conversation_type"), {}});
    Turn& turn = all[at->second].turns[row.integer("turn")];
    turn.prompt = row.text("user_prompt");
    ++raw.rows;
    add_answer(row, "model_response", turn, raw);
  });
  return all;
}

/// What PRISM's survey asked of who people are; lists of answers by their simplest form.
Json described(const Json& row) {
  Json out = Json::object();
  const auto keep = [&](const std::string& name, const std::string& path) {
    const Json* value = find_path(row, path);
    if (value != nullptr && value->is_string() && *value != kEmptyString) out[name] = *value;
  };
  for (const char* key :
       {"age", "gender", "education", "employment_status", "marital_status", "english_proficiency"})
    keep(key, key);
  keep("religion", "religion.simplified");
  keep("ethnicity", "ethnicity.simplified");
  keep("birth_country", "location.birth_country");
  keep("reside_country", "location.reside_country");
  return out;
}

std::unordered_map<std::string, std::string> read_survey(const fs::path& file) {
  std::unordered_map<std::string, std::string> demographics;
  if (file.empty()) return demographics;
  for_each_row(file, {}, [&](const std::string& where, const Json& json) {
    const Json known = described(json);
    if (!known.empty()) demographics[Members(where, json).text("user_id")] = write_json(known);
  });
  return demographics;
}

/// Adds the choices of a turn behind what was said before it.
void add_choices(const Conversation& of, std::int64_t number, const Messages& context,
                 const RawChoice& common, int min_gap, std::uint64_t seed, RawChoices& raw) {
  const std::vector<Answer>& answers = of.turns.at(number).answers;
  for (std::size_t i = 0; i < answers.size(); ++i)
    for (std::size_t j = i + 1; j < answers.size(); ++j) {
      const bool first = answers[i].score > answers[j].score;
      const Answer& better = first ? answers[i] : answers[j];
      const Answer& worse = first ? answers[j] : answers[i];
      if (better.text == worse.text) {
        raw.leave_out("pairs of equal texts");
        continue;
      }
      if (better.score - worse.score < std::max(1, min_gap)) {
        raw.leave_out("pairs with too small a difference of scores");
        continue;
      }
      RawChoice choice = common;
      choice.id = fmt::format("{}.{}.{}.{}", of.id, number, i, j);
      choice.context = context;
      choice.chosen = {"model", better.text};
      choice.rejected = {"model", worse.text};
      choice.flip = Rng(derive_seed(seed, choice.id)).below(2) == 0;
      raw.choices.push_back(std::move(choice));
    }
}

void add_choices(const Conversation& of, const std::string& demographics, int min_gap,
                 std::uint64_t seed, RawChoices& raw) {
  RawChoice common;
  common.user = of.user;
  common.conversation = of.id;
  common.type = of.type;
  common.demographics = demographics;
  Messages context;
  for (const auto& [number, turn] : of.turns) {
    if (turn.prompt.empty() || turn.prompt == kEmptyString) {
      raw.leave_out("conversations cut at a turn without a prompt");
      return;
    }
    if (common.opening.empty()) common.opening = turn.prompt;
    context.push_back({"user", turn.prompt});
    add_choices(of, number, context, common, min_gap, seed, raw);
    // Two answers of one text may both be marked.
    const auto chosen = std::ranges::find(turn.answers, true, &Answer::chosen);
    if (chosen == turn.answers.end()) return;
    context.push_back({"model", chosen->text});
  }
}

/// What a conversation in a row of pairs begins with, where its messages stand there one by one.
std::optional<std::string> first_message(const Json& row) {
  for (const char* key : {"context", "conversation_a"}) {
    if (!row.contains(key) || !row[key].is_array() || row[key].empty()) continue;
    const Json& first = row[key][0];
    if (first.is_object() && first.contains("content") && first["content"].is_string())
      return first["content"].get<std::string>();
  }
  return std::nullopt;
}

}  // namespace

void RawChoices::leave_out(const std::string& why) {
  const auto known = std::ranges::find(left_out, why, [](const auto& one) { return one.first; });
  if (known == left_out.end())
    left_out.emplace_back(why, 1);
  else
    ++known->second;
}

RawChoices read_raw_pairs(const fs::path& file, std::uint64_t seed) {
  RawChoices raw;
  std::vector<std::string> unsaid;
  Remarks remarks(file, unsaid);
  for_each_row(file, {.read = columns_of_pairs()}, [&](const std::string& where, const Json& row) {
    ++raw.rows;
    auto read = read_choice(where, row, false, remarks);
    if (!read) return raw.leave_out("ties");
    PreferencePair& pair = read->pair;
    if (pair.chosen == pair.rejected) return raw.leave_out("pairs of equal texts");
    RawChoice choice;
    choice.id = pair.id.empty() ? fmt::format("row {}", raw.rows) : pair.id;
    choice.user = read->user;
    choice.demographics = read->demographics;
    choice.opening = first_message(row).value_or(pair.context);
    if (row.contains("conversation_id") && row["conversation_id"].is_string())
      choice.conversation = row["conversation_id"];
    if (!pair.context.empty()) choice.context = {{"", std::move(pair.context)}};
    choice.chosen = {"", std::move(pair.chosen)};
    choice.rejected = {"", std::move(pair.rejected)};
    choice.flip = read->flip.value_or(Rng(derive_seed(seed, choice.id)).below(2) == 0);
    raw.choices.push_back(std::move(choice));
  });
  return raw;
}

RawChoices read_prism(const PrismFiles& files, int min_gap, std::uint64_t seed) {
  RawChoices raw;
  const Conversations all = files.conversations.empty()
                                ? read_utterances(files.utterances, raw)
                                : read_conversations(files.conversations, raw);
  const auto demographics = read_survey(files.survey);
  for (const Conversation& one : all) {
    const auto known = demographics.find(one.user);
    add_choices(one, known == demographics.end() ? "" : known->second, min_gap, seed, raw);
  }
  return raw;
}

}  // namespace theta
