#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "experiments/forget/traces.hpp"

namespace theta {

/// What was removed of a file: how many of what.
using Removed = std::map<std::string, std::size_t>;

/// Takes the items out of lists that tell of a person: texts, and objects with such a text. What
/// stands in no list stays.
/// @return how many items.
std::size_t scrub(nlohmann::ordered_json& json, const Traces& traces);

/// Whether a file is an SQLite database.
bool is_database(const std::filesystem::path& file);

/// The keys of the answers in a run's record whose request or response tells of a person.
std::set<std::string> keys_told(const std::filesystem::path& record, const Traces& traces);

/// Takes what tells of a person out of a run's record, a cache of answers or one of vectors, and
/// leaves no byte of it in free pages or the log. Of vectors it cannot be told whose they are, and
/// all are removed: they are computed again. Safe to be interrupted: the same call goes on.
/// @param keys  of answers to remove whatever they hold: keys_told() of the runs
/// @throws UserError while another process writes it.
Removed scrub_database(const std::filesystem::path& file, const Traces& traces,
                       const std::set<std::string>& keys);

/// `TABLE: what`: the first value of a database that tells of a person; empty: none does.
std::string told_in_database(const std::filesystem::path& file, const Traces& traces);

}  // namespace theta
