#include "core/records/kept_answers.hpp"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/json_text.hpp"
#include "core/records/request_json.hpp"
#include "core/records/response_json.hpp"
#include "core/records/sqlite.hpp"

namespace theta {
namespace {

/// A pattern of LIKE for texts that hold this one, as JSON writes it.
std::string pattern_of(std::string_view text) {
  if (text.empty()) return "%";
  std::string json;
  append_json_string(json, std::string(text));
  std::string out = "%";
  for (const char c : json.substr(1, json.size() - 2)) {
    if (c == '%' || c == '_' || c == '!') out += '!';
    out += c;
  }
  return out + "%";
}

KeptAnswer read(const Statement::Execution& row) {
  return {row.integer(0), row.text(1), request_of(row.text(2)),
          response_of(row.text(3), row.integer(4), row.integer(5))};
}

}  // namespace

struct KeptAnswers::Impl {
  explicit Impl(const std::filesystem::path& record) : database(record.string(), false) {}

  const Database database;
  Statement search{database,
                   "SELECT rowid, identity, request, response, prompt_tokens, generated_tokens"
                   " FROM answers WHERE rowid > ?1"
                   " AND (?2 = '%' OR request LIKE ?2 ESCAPE '!' OR response LIKE ?2 ESCAPE '!')"
                   " ORDER BY rowid LIMIT ?3"};
  Statement get{database,
                "SELECT rowid, identity, request, response, prompt_tokens, generated_tokens"
                " FROM answers WHERE rowid = ?"};
  Statement all_to{database,
                   "SELECT rowid, identity, request, response, prompt_tokens, generated_tokens"
                   " FROM answers WHERE request IN (SELECT value FROM json_each(?))"
                   " ORDER BY rowid"};
};

KeptAnswers::KeptAnswers(const std::filesystem::path& record)
    : impl_(std::make_unique<Impl>(record)) {}
KeptAnswers::~KeptAnswers() = default;

std::vector<KeptAnswer> KeptAnswers::find(std::string_view text, std::int64_t after,
                                          std::size_t most) {
  const std::string pattern = pattern_of(text);
  std::vector<KeptAnswer> all;
  for (auto row = impl_->search.use(after, std::string_view(pattern), std::int64_t(most));
       row.next();)
    all.push_back(read(row));
  return all;
}

std::optional<KeptAnswer> KeptAnswers::at(std::int64_t number) {
  auto row = impl_->get.use(number);
  return row.next() ? std::optional(read(row)) : std::nullopt;
}

std::vector<std::vector<KeptAnswer>> KeptAnswers::to(const std::vector<Request>& requests) {
  std::unordered_map<std::string, std::vector<std::size_t>> places;
  nlohmann::json texts = nlohmann::json::array();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    std::string text = canonical(requests[i]);
    auto& own = places[text];
    if (own.empty()) texts.push_back(std::move(text));
    own.push_back(i);
  }
  const std::string wanted = texts.dump();
  std::vector<std::vector<KeptAnswer>> answers(requests.size());
  for (auto row = impl_->all_to.use(std::string_view(wanted)); row.next();) {
    const KeptAnswer one = read(row);
    for (const std::size_t i : places.at(row.text(2))) answers[i].push_back(one);
  }
  return answers;
}

}  // namespace theta
