#include "experiments/data/preference_pairs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/json_text.hpp"
#include "core/json_value.hpp"
#include "core/private_file.hpp"
#include "core/result.hpp"
#include "core/rng.hpp"
#include "experiments/data/pair_rows.hpp"
#include "experiments/data/rows.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// What a first look at the file keeps of a row: who chose, and where the pair goes.
struct Slot {
  std::uint32_t row;
  std::uint32_t conversation;  ///< by first appearance among all
  std::optional<bool> is_test;
};

/// The people of a file by what they chose, without a text.
struct Scan {
  std::vector<std::string> users;  ///< by first appearance
  std::vector<std::vector<Slot>> slots_of;
};

/// The row with its columns under the names that read_choice() knows.
Json renamed(const std::string& where, const Json& row, const PairsOptions& options) {
  Json out = row;
  for (const auto& [name, column] : options.columns) {
    Json made;
    const Json* cell = find_cell(row, column, made);
    if (cell == nullptr && is_needed(name))
      throw UserError(fmt::format("{}: no column `{}` for `{}`; there are {}", where, column, name,
                                  key_list(row)));
    out[name] = cell == nullptr ? Json() : *cell;
  }
  if (!options.user.empty()) out["user_id"] = out["judge"] = options.user;
  return out;
}

/// Calls `use` with the number of each row that holds a choice and its pair's id, which it has.
template <typename Use>
void for_each_choice(const PairsOptions& options, const RowFormat& given, Remarks& remarks,
                     const Use& use) {
  RowFormat format = given;
  format.read = columns_of_pairs();
  for (const auto& [name, column] : options.columns) format.read.push_back(column);
  const bool as_it_is = options.columns.empty() && options.user.empty();
  std::size_t number = 0;
  format.wanted = [&](std::size_t n) {
    number = n;
    return !given.wanted || given.wanted(n);
  };
  for_each_row(options.file, format, [&](const std::string& where, const Json& row) {
    std::optional<Choice> choice = read_choice(where, as_it_is ? row : renamed(where, row, options),
                                               options.by_conversation, remarks);
    if (choice) {
      std::string& id = choice->pair.id;
      if (id.empty()) id = fmt::format("row {}", number + 1);
      choice->pair.flip =
          choice->flip ? *choice->flip : Rng(derive_seed(options.seed, id)).below(2) == 0;
    }
    use(number, where, std::move(choice));
  });
}

/// Finds the second row of an id that two have, and tells it.
[[noreturn]] void name_second(const PairsOptions& options, std::size_t id_hash) {
  std::vector<std::string> unsaid;
  Remarks remarks(options.file, unsaid);
  std::unordered_set<std::string> ids;
  for_each_choice(options, {}, remarks,
                  [&](std::size_t, const std::string& where, std::optional<Choice> choice) {
                    if (!choice) return;
                    const std::string& id = choice->pair.id;
                    if (std::hash<std::string>{}(id) == id_hash && !ids.insert(id).second)
                      throw UserError(where + ": the pair `" + id + "` stands here again");
                  });
  throw UserError(options.file.string() + ": it changes while it is read");
}

/// Looks at every row, counting those without a choice.
Scan scan(const PairsOptions& options, LoadedPairs& counts, std::size_t first_bytes = 0) {
  Scan found;
  std::unordered_map<std::string, std::uint32_t> users, conversations;
  std::vector<std::size_t> id_hashes;
  std::optional<bool> has_split;
  Remarks remarks(options.file, counts.users.remarks);
  for_each_choice(
      options, {.first_bytes = first_bytes}, remarks,
      [&](std::size_t row, const std::string& where, const std::optional<Choice>& choice) {
        ++counts.n_rows;
        if (!choice) {
          ++counts.n_ties;
          return;
        }
        if (choice->pair.chosen == choice->pair.rejected) {
          ++counts.n_equal_texts;
          return;
        }
        if (has_split.value_or(choice->is_test.has_value()) != choice->is_test.has_value())
          throw UserError(where + ": either every row has a `split` or none");
        has_split = choice->is_test.has_value();
        id_hashes.push_back(std::hash<std::string>{}(choice->pair.id));
        const auto number_in = [](auto& names, const std::string& name) {
          return names.try_emplace(name, static_cast<std::uint32_t>(names.size())).first->second;
        };
        const std::uint32_t user = number_in(users, choice->user);
        if (user == found.users.size()) {
          found.users.push_back(choice->user);
          found.slots_of.emplace_back();
        }
        auto& slots = found.slots_of[user];
        if (options.max_pairs == 0 || slots.size() < options.max_pairs)
          slots.push_back({static_cast<std::uint32_t>(row),
                           number_in(conversations, choice->conversation), choice->is_test});
      });
  std::ranges::sort(id_hashes);
  const auto twice = std::ranges::adjacent_find(id_hashes);
  if (twice != id_hashes.end()) name_second(options, *twice);
  return found;
}

/// Which of one user's choices, in their order, are tested; the others are context.
std::vector<bool> divide(const std::vector<Slot>& slots, const PairsOptions& options) {
  std::unordered_map<std::uint32_t, std::size_t> conversations;  // by first appearance
  for (const Slot& slot : slots) conversations.emplace(slot.conversation, conversations.size());
  const std::size_t n_units = options.by_conversation ? conversations.size() : slots.size();
  const auto n_context =
      static_cast<std::size_t>(options.context_ratio * static_cast<double>(n_units));
  std::vector<bool> is_test;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::size_t unit = options.by_conversation ? conversations.at(slots[i].conversation) : i;
    is_test.push_back(slots[i].is_test.value_or(unit >= n_context));
  }
  return is_test;
}

/// Where the pair of a row goes.
struct Place {
  User* user;
  bool is_test;
};

/// Reads the texts of the rows that have a place.
void read_texts(const PairsOptions& options, const std::unordered_map<std::size_t, Place>& places) {
  std::vector<std::string> said_before;
  Remarks remarks(options.file, said_before);
  const RowFormat format{.wanted = [&](std::size_t row) { return places.contains(row); }};
  for_each_choice(options, format, remarks,
                  [&](std::size_t row, const std::string&, std::optional<Choice> choice) {
                    const auto& [user, is_test] = places.at(row);
                    if (user->demographics.empty()) user->demographics = choice->demographics;
                    (is_test ? user->test : user->context).push_back(std::move(choice->pair));
                  });
}

/// The JSON lines of the standard input, which can be read but once.
void for_each_line_of_input(const VisitRow& visit) {
  constexpr std::size_t kMost = 256UL << 20;
  std::istringstream lines(read_bounded("/dev/stdin", kMost));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("stdin:{}", number);
    Json row;
    try {
      row = parse_json(line);
    } catch (const Json::exception& e) {
      throw UserError(fmt::format("{}: no JSON: {}", where, json_fault(line, e).why));
    }
    if (!row.is_object()) throw UserError(where + ": this is no JSON object");
    visit(where, row);
  }
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
  const Scan found = scan(options, loaded);
  std::vector<std::pair<std::size_t, std::vector<bool>>> kept;  // of `found`, with what is tested
  for (std::size_t i = 0; i < found.users.size(); ++i) {
    std::vector<bool> is_test = divide(found.slots_of[i], options);
    const auto n_test = std::ranges::count(is_test, true);
    if (is_test.size() < options.min_pairs || n_test == 0 || n_test == std::ssize(is_test))
      ++loaded.n_small_users;
    else
      kept.emplace_back(i, std::move(is_test));
  }
  SplitSizes sizes = options.users;
  if (sizes.test == 0) sizes.test = kept.size() - std::min(kept.size(), sizes.total());
  std::vector<Split> splits;
  try {
    splits = draw_split(kept.size(), sizes, derive_seed(options.seed, "users"), "users");
  } catch (const UserError& e) {
    throw UserError(fmt::format("{}: {} ({} more have too few pairs)", options.file.string(),
                                e.what(), loaded.n_small_users));
  }
  std::vector<User> users(kept.size());
  std::unordered_map<std::size_t, Place> places;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    if (splits[k] == Split::kUnused) continue;
    const auto& [i, is_test] = kept[k];
    users[k].id = found.users[i];
    std::size_t n_context = 0;
    for (std::size_t n = 0; n < is_test.size(); ++n)
      if (is_test[n] || options.context_pairs == 0 || n_context++ < options.context_pairs)
        places.emplace(found.slots_of[i][n].row, Place{&users[k], is_test[n]});
  }
  read_texts(options, places);
  for (std::size_t k = 0; k < kept.size(); ++k)
    if (splits[k] != Split::kUnused)
      split_of(loaded.users, splits[k]).push_back(std::move(users[k]));
  loaded.n_shared_pairs = count_shared_pairs(loaded.users);
  return loaded;
}

User read_person(const std::filesystem::path& path, const std::string& user,
                 std::vector<std::string>& remarks) {
  const PairsOptions options{.file = path, .context_ratio = 1};
  const std::string file = path.string();
  LoadedPairs counts;
  const Scan found = scan(options, counts);
  if (found.users.empty()) throw UserError(file + ": it holds no choice");
  if (user.empty() && found.users.size() > 1)
    throw UserError(fmt::format("{}: it holds the choices of {} people: say whose with --user, {}",
                                file, found.users.size(), name_list(found.users)));
  const auto one = user.empty() ? found.users.begin() : std::ranges::find(found.users, user);
  if (one == found.users.end())
    throw UserError(fmt::format("{}: it holds no choice of `{}`; there are {}", file, user,
                                name_list(found.users)));
  const auto& slots = found.slots_of[static_cast<std::size_t>(one - found.users.begin())];
  User person;
  person.id = *one;
  std::unordered_map<std::size_t, Place> places;
  const std::vector<bool> is_test = divide(slots, options);
  for (std::size_t n = 0; n < slots.size(); ++n)
    if (!is_test[n]) places.emplace(slots[n].row, Place{&person, false});
  if (places.size() < options.min_pairs)
    throw UserError(
        fmt::format("{}: `{}` chose between {} pairs, and a persona needs {} or more{}", file,
                    person.id, places.size(), options.min_pairs,
                    places.size() < slots.size() ? " that are not kept for tests" : ""));
  read_texts(options, places);
  remarks = std::move(counts.users.remarks);
  if (places.size() < slots.size())
    remarks.push_back(fmt::format("{}: {} pairs of `{}` are kept for tests, as their rows say",
                                  file, slots.size() - places.size(), person.id));
  return person;
}

void visit_choices(
    const std::filesystem::path& file,
    const std::function<void(const std::string& user, const PreferencePair& pair)>& visit) {
  std::vector<std::string> unsaid;
  Remarks remarks(file, unsaid);
  for_each_choice({.file = file}, {}, remarks,
                  [&](std::size_t, const std::string&, std::optional<Choice> choice) {
                    if (choice) visit(choice->user, choice->pair);
                  });
}

std::vector<PreferencePair> read_open_pairs(const std::filesystem::path& file,
                                            std::vector<std::string>& remarks) {
  std::vector<PreferencePair> pairs;
  Remarks said(file, remarks);
  std::unordered_set<std::string> ids;
  const auto add = [&](const std::string& where, const Json& row) {
    PreferencePair pair = read_open_pair(where, row, said);
    if (pair.id.empty()) pair.id = fmt::format("row {}", pairs.size() + 1);
    if (!ids.insert(pair.id).second)
      throw UserError(where + ": the pair `" + pair.id + "` stands here again");
    pairs.push_back(std::move(pair));
  };
  if (file == "-")
    for_each_line_of_input(add);
  else
    for_each_row(file, {.read = columns_of_open_pairs()}, add);
  if (pairs.empty()) throw UserError(file.string() + ": it holds no pair");
  return pairs;
}

void read_first_pairs(const PairsOptions& options, std::size_t first_bytes) {
  LoadedPairs counts;
  (void)scan(options, counts, first_bytes);
}

std::string content_of(const PreferencePair& pair) {
  const auto& [low, high] = std::minmax(pair.chosen, pair.rejected);
  return fmt::format("{}:{}{}:{}{}", pair.context.size(), pair.context, low.size(), low, high);
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
