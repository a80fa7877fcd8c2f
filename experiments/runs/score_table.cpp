#include "experiments/runs/score_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "core/config.hpp"
#include "core/json_text.hpp"
#include "core/result.hpp"
#include "experiments/files.hpp"
#include "optimizers/text_kernel.hpp"

namespace theta {
namespace {

using Json = nlohmann::json;

/// Reads a table's parts and says where in the text a bad one stands.
class TableReader {
 public:
  TableReader(std::string file, std::string text)
      : file_(std::move(file)), text_(std::move(text)) {}

  ScoreTable read() {
    const Json root = parse();
    if (!root.is_object()) fail(0, "a table is an object with 'predictors', 'examples', 'scores'");
    ScoreTable table;
    for (const Json& predictor : part(root, 0, "predictors", Json::value_t::array))
      table.predictors.push_back({texts(predictor, "instructions"), texts(predictor, "demos")});
    if (table.predictors.empty()) fail(place("predictors"), "a table has at least one predictor");
    const Json& examples = part(root, 0, "examples", Json::value_t::number_unsigned);
    table.examples = examples.get<std::size_t>();
    if (table.examples == 0) fail(place("examples"), "a table has at least one example");
    const Json& scores = part(root, 0, "scores", Json::value_t::object);
    const std::size_t from = place("scores");
    table.name = position(from);
    const auto space = table.space();
    for (const auto& [key, row] : scores.items()) {
      const std::size_t at = place(key, from);
      table.scores[combination(key, space, at)] = scores_of(key, row, table.examples, at);
    }
    return table;
  }

 private:
  [[noreturn]] void fail(std::size_t at, const std::string& message) const {
    throw UserError(position(at) + ": " + message);
  }

  std::string position(std::size_t at) const { return position_in(file_, text_, at).text(); }

  /// Where a key stands.
  std::size_t place(const std::string& key, std::size_t from = 0) const {
    const auto at = text_.find(Json(key).dump(), from);
    return at == std::string::npos ? from : at;
  }

  Json parse() const {
    std::set<std::string> keys;
    const auto unique = [&](int depth, Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::key && depth == 2 &&
          !keys.insert(parsed.get<std::string>()).second)
        fail(place(parsed.get<std::string>()),
             fmt::format("\"{}\" stands here twice", parsed.get<std::string>()));
      return true;
    };
    try {
      return Json::parse(text_, unique);
    } catch (const Json::exception& e) {
      const auto [at, why] = json_fault(text_, e);
      fail(at, why);
    }
  }

  const Json& part(const Json& object, std::size_t at, const char* key, Json::value_t type) const {
    const auto found = object.find(key);
    if (found == object.end()) fail(at, fmt::format("'{}' is missing here", key));
    if (found->type() != type)
      fail(place(key), fmt::format("'{}' must be {}, not {}", key,
                                   type == Json::value_t::array    ? "a list"
                                   : type == Json::value_t::object ? "an object"
                                                                   : "a whole number",
                                   found->type_name()));
    return *found;
  }

  std::vector<std::string> texts(const Json& predictor, const char* key) const {
    const std::size_t at = place("predictors");
    if (!predictor.is_object()) fail(at, "a predictor is an object with 'instructions', 'demos'");
    std::vector<std::string> list;
    for (const Json& text : part(predictor, at, key, Json::value_t::array)) {
      if (!text.is_string()) fail(at, fmt::format("'{}' holds texts, not {}", key, text.dump()));
      list.push_back(text.get<std::string>());
    }
    if (list.empty()) fail(at, fmt::format("'{}' is empty in a predictor", key));
    return list;
  }

  Combination combination(const std::string& key, const std::vector<Variable>& space,
                          std::size_t at) const {
    Combination combination;
    const char* next = key.data();
    const char* const end = next + key.size();
    for (std::size_t v = 0; v < space.size(); ++v) {
      int choice = -1;
      const auto [after, error] = std::from_chars(next, end, choice);
      const bool last = v + 1 == space.size();
      if (error != std::errc() || choice < 0 ||
          (last ? after != end : after == end || *after != ','))
        fail(at, fmt::format("the key \"{}\" is not {} indices with commas between them", key,
                             space.size()));
      if (static_cast<std::size_t>(choice) >= space[v].choices)
        fail(at, fmt::format("the key \"{}\" names {} {}, and there are {}", key, space[v].name,
                             choice, space[v].choices));
      combination.push_back(choice);
      next = last ? after : after + 1;
    }
    return combination;
  }

  std::vector<double> scores_of(const std::string& key, const Json& row, std::size_t examples,
                                std::size_t at) const {
    if (!row.is_array() || row.size() != examples)
      fail(at, fmt::format("\"{}\" has {} scores, not one for each of the {} examples", key,
                           row.is_array() ? row.size() : 0, examples));
    std::vector<double> scores;
    for (const Json& score : row) {
      if (!score.is_number() || score < 0 || score > 1)
        fail(at, fmt::format("score {} of \"{}\" is not in 0..1: {}", scores.size(), key,
                             score.dump()));
      scores.push_back(score.get<double>());
    }
    return scores;
  }

  const std::string file_, text_;
};

}  // namespace

std::string key_of(const Combination& combination) {
  return fmt::format("{}", fmt::join(combination, ","));
}

std::vector<Variable> ScoreTable::space() const {
  std::vector<Variable> variables;
  for (std::size_t p = 0; p < predictors.size(); ++p) {
    const auto called = [&](const char* what) {
      return predictors.size() == 1 ? std::string(what) : fmt::format("predictor {}'s {}", p, what);
    };
    const auto& [instructions, demos] = predictors[p];
    variables.push_back(
        {called("instruction"), instructions.size(), p, text_similarity(instructions)});
    variables.push_back({called("demo set"), demos.size(), p, text_similarity(demos)});
  }
  return variables;
}

const std::vector<double>& ScoreTable::row(const Combination& combination) const {
  const auto found = scores.find(combination);
  if (found == scores.end())
    throw UserError(fmt::format("{}: there is no \"{}\" in these scores, which was asked for", name,
                                key_of(combination)));
  return found->second;
}

ScoreTable read_score_table(const std::filesystem::path& file) {
  return TableReader(file.string(), read_whole(file)).read();
}

void write_score_table(const ScoreTable& table, const std::filesystem::path& file) {
  nlohmann::ordered_json json;
  for (const auto& predictor : table.predictors)
    json["predictors"].push_back(
        {{"instructions", predictor.instructions}, {"demos", predictor.demos}});
  json["examples"] = table.examples;
  // A row a line, so that a reader can find one.
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  std::string text = json.dump(-1, ' ', false, replace);
  text.pop_back();
  text += ",\n \"scores\": {";
  const char* separator = "\n";
  for (const auto& [combination, scores] : table.scores) {
    text += fmt::format("{}  \"{}\": {}", separator, key_of(combination), Json(scores).dump());
    separator = ",\n";
  }
  write_whole(file, text + "}}\n");
}

}  // namespace theta
