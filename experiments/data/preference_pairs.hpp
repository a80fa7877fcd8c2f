#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/models/language_model.hpp"
#include "experiments/data/split.hpp"
#include "modules/preference.hpp"

namespace theta {

/// Which pairs of a file are used, and for what.
struct PairsOptions {
  std::filesystem::path file;
  /// Of a name that read_pairs() knows, the file's column: a dotted path.
  std::vector<std::pair<std::string, std::string>> columns = {};
  std::string user = {};          ///< whose all choices are; empty: rows say it
  std::size_t min_pairs = 4;      ///< users with fewer pairs are left out
  std::size_t max_pairs = 0;      ///< only a user's first so many pairs count; 0: all
  double context_ratio = 0.7;     ///< share of a user's pairs, in given order, that are context;
                                  ///< SynthesizeMe's train_val_ratio
  bool by_conversation = false;   ///< the ratio counts conversations, and none is on both sides
  std::size_t context_pairs = 0;  ///< of the context only a user's first so many count; 0: all
  SplitSizes users = {};  ///< drawn by the seed; test 0: all whom train and validation leave
  std::uint64_t seed = 0;
};

struct LoadedPairs {
  Users users;
  std::size_t n_rows = 0;
  std::size_t n_ties = 0;          ///< rows left out: no winner
  std::size_t n_equal_texts = 0;   ///< rows left out: nothing to choose between
  std::size_t n_small_users = 0;   ///< users left out: too few pairs, or none on one side
  std::size_t n_shared_pairs = 0;  ///< test pairs whose context and texts a train or validation
                                   ///< user also judged
};

/// Reads the choices of real people. A row's shape is told by its keys:
///
/// - `context`, `chosen`, `rejected` and `user_id` (PersonalRewardBench and everything derived from
///   it), each a message {role, content}, a list of messages or a text. `split` (`train`, `val`,
///   `test`), where rows have it, says which pairs are context (train and val) instead of the
///   ratio. Without `context` the one column `prompt`, `question`, `instruction`, `query` or `input`
///   stands for it.
/// - `conversation_a`, `conversation_b`, `winner` and `judge` (Chatbot Arena, MT-bench). The vote
///   is on everything from the first turn that differs, up to `turn` where it is given.
///
/// User::demographics is what the first of a user's rows that has `demographics` says there, a text
/// or an object as JSON. PreferencePair::flip is the row's `flip`, else whether the winner stood in slot a, else drawn.
/// A text that is messages, in JSON or as Python and its data frames print them, as CSV files have
/// it, is read as messages; a flag may be True, 1 or yes. What was so decided, other data in texts and
/// columns that may hold what was asked and are not read are in the users' remarks. The file is read
/// twice: of the users that are not drawn no text is held.
/// @throws UserError `file:line: message`, also for what looks like messages and cannot be read.
LoadedPairs read_pairs(const PairsOptions& options);

/// Reads the rows in so many bytes of the file, see for_each_row(), and nothing of how many users
/// they are of.   @throws UserError `file:line: message`.
void read_first_pairs(const PairsOptions& options, std::size_t first_bytes);

/// All the choices of one of the file's people as context, but those that their rows keep for tests.
/// @param user  whose; empty: the file is of one person
/// @throws UserError also for nobody of that id, and for fewer than PairsOptions::min_pairs pairs.
User read_person(const std::filesystem::path& file, const std::string& user,
                 std::vector<std::string>& remarks);

/// Calls `visit` with whose each choice of a file is, and the choice, as read_pairs() reads it.
/// @throws UserError likewise.
void visit_choices(
    const std::filesystem::path& file,
    const std::function<void(const std::string& user, const PreferencePair& pair)>& visit);

/// Pairs that nobody has chosen between yet, rows of `first`, `second` and, where there are any,
/// `context` and `pair_id`; texts as in read_pairs(). PreferencePair::chosen is the first.
/// @param file  `-`: JSON lines of the standard input
/// @throws UserError `file:line: message`, also for a file without any.
std::vector<PreferencePair> read_open_pairs(const std::filesystem::path& file,
                                            std::vector<std::string>& remarks);

/// What was chosen between: the context and both texts, alike for all whatever they chose.
std::string content_of(const PreferencePair& pair);

/// Messages as SynthesizeMe shows them: `[role]: content`, joined by blank lines; a message without
/// a role is its content.
std::string render_conversation(std::span<const Message> messages);

}  // namespace theta
