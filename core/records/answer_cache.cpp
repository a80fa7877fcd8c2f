#include "core/records/answer_cache.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "core/private_file.hpp"
#include "core/records/answer_table.hpp"
#include "core/records/response_json.hpp"
#include "core/records/sqlite.hpp"

namespace theta {
namespace {

void check_cache(const Database& database) {
  if (database.value("SELECT (SELECT count(*) FROM sqlite_schema WHERE name = 'answers') = 1 AND"
                     " (SELECT count(*) FROM sqlite_schema WHERE name = 'meta') = 0") == "0")
    throw RunError(database.file() + " is no cache of answers: choose another cache.path");
  if (database.value("SELECT count(*) FROM pragma_table_info('answers') WHERE name = 'unit'") ==
      "0")
    throw RunError(database.file() +
                   " is a cache of an earlier version: delete it, or choose another cache.path");
}

Database open_cache(const CacheOptions& options) {
  // What another program wrote is not opened to be changed, which SQLite does on its own.
  std::error_code none;
  if (std::filesystem::file_size(options.path, none) > 0 && !none) {
    const Database looked_at(options.path.string(), false);
    if (looked_at.value("SELECT count(*) FROM sqlite_schema") != "0") check_cache(looked_at);
  }
  Database database(options.path.string(), options.mode == CacheMode::kRecord);
  if (options.mode == CacheMode::kRecord) {
    // A power failure may cost the last answers: the stores of the runs still have them.
    database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    Transaction transaction(database);
    if (database.value("SELECT count(*) FROM sqlite_schema") == "0")
      AnswerTable::create(database, AnswerTable::Index::kInFile);
    transaction.commit();
  }
  check_cache(database);
  return database;
}

/// The open file.
struct File {
  /// @param mutex  held by whoever uses it
  File(const CacheOptions& options, std::mutex& mutex) : database(open_cache(options)) {
    if (options.mode == CacheMode::kRecord) checkpoints.emplace(database, mutex);
  }

  const Database database;
  std::optional<Checkpoints> checkpoints;
  AnswerTable answers{database, AnswerTable::Index::kInFile};
};

bool keepable(const AnswerCache::Entry& entry) {
  for (const auto& answer : entry.answers) {
    if (!answer && answer.error().fault == Fault::kService) return false;
  }
  return true;
}

}  // namespace

struct AnswerCache::Flight {
  const std::string key;
  bool over = false;
  std::optional<Answers> answers = {};  // none when it is over: given up

  explicit Flight(std::string k) : key(std::move(k)) {}
};

struct AnswerCache::Impl {
  CacheOptions options;
  std::mutex mutex;  // guards all below
  std::condition_variable_any landed;
  std::unordered_map<std::string_view, FlightPtr> flights;  // by their keys
  std::unique_ptr<File> file;
};

AnswerCache::AnswerCache() : impl_(std::make_unique<Impl>()) {}

AnswerCache::AnswerCache(const CacheOptions& options) : AnswerCache() {
  impl_->options = options;
  if (options.mode == CacheMode::kOff) return;
  if (options.mode == CacheMode::kReplay && !std::filesystem::exists(options.path)) {
    throw UserError("there is no cache " + options.path.string() +
                    " to replay: run once with mode: record");
  }
  if (options.path.has_parent_path()) make_private_folder(options.path.parent_path());
  impl_->file = std::make_unique<File>(options, impl_->mutex);
}

AnswerCache::~AnswerCache() = default;

CacheMode AnswerCache::mode() const { return impl_->options.mode; }
const std::filesystem::path& AnswerCache::file() const { return impl_->options.path; }

AnswerCache::Claim AnswerCache::Leads::claim(const std::string& key) {
  Impl& impl = *cache_.impl_;
  const std::lock_guard lock(impl.mutex);
  if (const auto found = impl.flights.find(key); found != impl.flights.end()) {
    return {std::nullopt, found->second};
  }
  if (impl.file) {
    Answers known;
    for (const auto& kept : impl.file->answers.find(key)) known.push_back(kept.answer());
    if (!known.empty()) return {std::move(known), nullptr};
  }
  flights_.push_back(std::make_shared<Flight>(key));
  impl.flights.emplace(flights_.back()->key, flights_.back());
  return {};
}

void AnswerCache::Leads::publish(std::string_view identity, const std::vector<Entry>& entries) {
  Impl& impl = *cache_.impl_;
  const std::lock_guard lock(impl.mutex);
  if (impl.file) {
    Transaction transaction(impl.file->database);
    for (const auto& entry : entries) {
      if (!keepable(entry)) continue;
      for (std::size_t place = 0; place < entry.answers.size(); ++place) {
        const auto& answer = entry.answers[place];
        const std::string json = response_json(answer);
        impl.file->answers.put({.key = entry.key,
                                .place = static_cast<std::int64_t>(place),
                                .identity = identity,
                                .request = entry.requests.at(place),
                                .json = json,
                                .usage = usage_of(answer)});
      }
    }
    transaction.commit();
  }
  for (const auto& entry : entries) {
    const auto found = impl.flights.find(entry.key);
    require(found != impl.flights.end(), "what is published was claimed");
    found->second->over = true;
    if (found->second.use_count() > 2) {  // of the map and of ourselves: somebody waits
      found->second->answers.emplace(entry.answers.begin(), entry.answers.end());
    }
    impl.flights.erase(found);
  }
  impl.landed.notify_all();
}

void AnswerCache::Leads::give_up(const std::string& key) {
  Impl& impl = *cache_.impl_;
  const std::lock_guard lock(impl.mutex);
  const auto found = impl.flights.find(key);
  require(found != impl.flights.end(), "what is given up was claimed");
  found->second->over = true;
  impl.flights.erase(found);
  impl.landed.notify_all();
}

AnswerCache::Leads::~Leads() {
  Impl& impl = *cache_.impl_;
  const std::lock_guard lock(impl.mutex);
  for (const auto& flight : flights_) {
    if (flight->over) continue;
    flight->over = true;
    impl.flights.erase(flight->key);
  }
  impl.landed.notify_all();
}

std::optional<AnswerCache::Answers> AnswerCache::wait(const FlightPtr& flight,
                                                      std::stop_token stop) {
  std::unique_lock lock(impl_->mutex);
  if (!impl_->landed.wait(lock, stop, [&] { return flight->over; })) {
    throw Interrupted("interrupted while waiting for the same request of another run");
  }
  return flight->answers;
}

}  // namespace theta
