#include "core/records/adopt_answers.hpp"

#include "core/records/sqlite.hpp"

namespace theta {

std::int64_t adopt_answers(const std::filesystem::path& into, const std::filesystem::path& from) {
  const Database database(into.string(), true);
  const std::string other = from.string();
  Statement(database, "ATTACH ? AS earlier").run(std::string_view(other));
  const auto kept = [&] { return std::stoll(database.value("SELECT count(*) FROM answers")); };
  Transaction transaction(database);
  const std::int64_t before = kept();
  // Unit 0 is what came from a cache.
  database.run(
      "INSERT INTO main.answers SELECT key, place, identity, request, response, prompt_tokens,"
      " generated_tokens, 0 FROM earlier.answers"
      " WHERE key NOT IN (SELECT key FROM main.answers)");
  const std::int64_t added = kept() - before;
  transaction.commit();
  return added;
}

}  // namespace theta
