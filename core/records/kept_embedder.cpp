#include "core/records/kept_embedder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <mutex>
#include <optional>

#include "core/private_file.hpp"
#include "core/records/sqlite.hpp"
#include "core/result.hpp"
#include "core/sha256.hpp"

namespace theta {
namespace {

constexpr std::size_t kAtOnce = 16;  ///< texts that a crash may cost
constexpr std::size_t kDigits = 8;   ///< of a float in hexadecimal, bit by bit

Database open_vectors(const std::filesystem::path& file) {
  if (file.has_parent_path()) make_private_folder(file.parent_path());
  Database database(file.string(), /*write=*/true);
  const std::string tables = database.value("SELECT count(*) FROM sqlite_schema");
  if (tables != "0" &&
      database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'vectors'") == "0")
    throw UserError(file.string() + " holds no vectors of an embedder: name another file");
  database.run(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
      "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector TEXT NOT NULL) "
      "WITHOUT ROWID");
  return database;
}

std::string hex(const std::vector<float>& vector) {
  std::string out;
  for (const float x : vector) out += fmt::format("{:08x}", std::bit_cast<std::uint32_t>(x));
  return out;
}

std::optional<std::vector<float>> floats(const std::string& text) {
  std::vector<float> out;
  for (std::size_t at = 0; at + kDigits <= text.size(); at += kDigits) {
    std::uint32_t bits = 0;
    const char *first = text.data() + at, *last = first + kDigits;
    if (std::from_chars(first, last, bits, 16).ptr != last) return std::nullopt;
    out.push_back(std::bit_cast<float>(bits));
  }
  if (out.empty() || text.size() % kDigits != 0) return std::nullopt;
  return out;
}

}  // namespace

struct KeptEmbedder::File {
  explicit File(const std::filesystem::path& file) : database(open_vectors(file)) {}

  const Database database;
  std::mutex mutex;  // held while the statements are used
  Statement get{database, "SELECT vector FROM vectors WHERE key = ?"};
  Statement put{database, "INSERT OR IGNORE INTO vectors VALUES (?, ?)"};
};

KeptEmbedder::KeptEmbedder(Embedder& inner, const std::filesystem::path& file)
    : inner_(inner), model_(sha256(inner.identity())), file_(std::make_unique<File>(file)) {}

KeptEmbedder::~KeptEmbedder() = default;

std::vector<std::vector<float>> KeptEmbedder::embed(std::span<const std::string> texts,
                                                    std::stop_token stop) {
  std::vector<std::vector<float>> out(texts.size());
  std::vector<std::string> keys;
  std::vector<std::size_t> missing;
  {
    const std::lock_guard lock(file_->mutex);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      keys.push_back(sha256(model_ + texts[i]));
      auto row = file_->get.use(keys[i]);
      if (!row.next()) {
        missing.push_back(i);
        continue;
      }
      auto vector = floats(row.text(0));
      if (!vector) file_->database.damaged("a kept vector is none");
      out[i] = *std::move(vector);
    }
  }
  for (std::size_t from = 0; from < missing.size(); from += kAtOnce) {
    std::vector<std::string> some;
    const std::size_t to = std::min(missing.size(), from + kAtOnce);
    for (std::size_t i = from; i < to; ++i) some.push_back(texts[missing[i]]);
    auto vectors = inner_.embed(some, stop);
    const std::lock_guard lock(file_->mutex);
    Transaction transaction(file_->database);
    for (std::size_t i = from; i < to; ++i) {
      const std::string kept = hex(vectors[i - from]);
      file_->put.run(keys[missing[i]], kept);
      out[missing[i]] = std::move(vectors[i - from]);
    }
    transaction.commit();
  }
  return out;
}

}  // namespace theta
