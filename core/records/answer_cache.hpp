#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/models/language_model.hpp"

namespace theta {

enum class CacheMode {
  kOff,     ///< nothing is kept; identical requests in flight share one call all the same
  kRecord,  ///< answers are taken from the file, and new ones added
  kReplay   ///< answers are taken from the file; one that it does not hold is an error
};

struct CacheOptions {
  std::filesystem::path path;
  CacheMode mode = CacheMode::kOff;
};

/// Answers that runs share: an SQLite file, and the calls under way in this process.
///
/// An entry holds the answers of what is asked as one: a request, or a unit whose answers depend on
/// one another. Its key says all that decides them. Whoever claims a key that has no entry leads:
/// it asks and publishes, and others who claim the key meanwhile wait for that. What is published
/// is kept before anyone is given it; an entry that holds a service's fault goes to those who wait
/// and is not kept. Several processes may share a file. Thread-safe.
class AnswerCache {
 public:
  using Answers = std::vector<Result<Response>>;
  struct Flight;
  using FlightPtr = std::shared_ptr<Flight>;

  /// Off.
  AnswerCache();
  /// @throws RunError if the file is damaged or no cache.
  /// @throws UserError for kReplay if there is no file.
  explicit AnswerCache(const CacheOptions& options);
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  CacheMode mode() const;
  const std::filesystem::path& file() const;

  /// With neither, the caller leads.
  struct Claim {
    std::optional<Answers> known;
    FlightPtr other;  ///< somebody else's call, to wait() for
  };
  struct Entry {
    std::string_view key;
    std::span<const Result<Response>> answers;
    std::vector<std::string_view> requests;  ///< canonical JSON of each
  };

  /// The keys that one caller leads; those not published when this goes are free to be claimed.
  class Leads {
   public:
    explicit Leads(AnswerCache& cache) : cache_(cache) {}
    ~Leads();
    Leads(const Leads&) = delete;
    Leads& operator=(const Leads&) = delete;

    Claim claim(const std::string& key);
    /// Frees a key that it leads and will not ask.
    void give_up(const std::string& key);
    /// Keeps the entries in one transaction and hands them to those who wait.
    void publish(std::string_view identity, const std::vector<Entry>& entries);

   private:
    AnswerCache& cache_;
    std::vector<FlightPtr> flights_;
  };

  /// The answers that the call brings; nullopt if whoever led gave up: claim again.
  /// @throws Interrupted when `stop` is requested.
  std::optional<Answers> wait(const FlightPtr& flight, std::stop_token stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace theta
