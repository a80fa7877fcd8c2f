#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "core/clock.hpp"

namespace theta {

/// A process, as claims name it.
struct Holder {
  std::string host;     ///< for people
  std::string machine;  ///< tells machines apart whatever they are called: the kernel's boot id
  int pid = 0;

  /// This process.
  static Holder self();
  std::string name() const;  ///< `host:pid`; empty: not known
};

/// What the claims on a file say.
struct ClaimState {
  enum class State {
    kNone,
    kHeld,
    kGivenBack,  ///< or its holder has died, on this machine
    kEnded       ///< what it was taken for came to its end
  };
  State state = State::kNone;
  std::int64_t number = 0;  ///< of the latest; every one that is taken has the next
  Holder holder = {};
  std::string doing = {};  ///< what its holder last said
  /// Since its holder last said so, as far as clocks of several machines agree.
  double silent_s = 0;

  /// By a process of another machine: what it works with is not to be opened here.
  bool held_elsewhere() const;
};
ClaimState look_at_claim(const std::filesystem::path& file);

struct ClaimTimes {
  std::chrono::milliseconds beat{5'000};    ///< between two signs of life of a holder
  std::chrono::milliseconds lease{60'000};  ///< without one, others may take over
};

/// The right to work with a file, of one process at a time among all machines that share the file's
/// folder. SQLite's and other locks hold between the processes of a machine; claims need nothing of
/// the file system but that of several who create one name with O_EXCL one succeeds.
///
/// The claim numbered N is the file `FILE.claim.N`; the one with the highest number counts. To claim
/// is to create the next one. That is allowed where the latest was given back, ended, or lost its
/// holder: on this machine the holder's flock is gone; of another machine's the file did not change
/// for as long as the lease, by this machine's own clock, so that no two clocks are compared. A
/// holder writes into its file with every beat, and finds there that a higher one exists: it was
/// taken for dead, and its right is lost. Thread-safe.
class Claim {
 public:
  /// Gives it back, unless it ended or is lost.
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  std::int64_t number() const { return number_; }
  /// Is requested once another has taken over, or none of the beats could be written for as long as
  /// the lease.
  std::stop_token lost() const { return lost_.get_token(); }
  /// What others are told that the holder does, asked at every beat. Nothing: it tells no more.
  void tell(std::function<std::string()> doing);
  /// What it was taken for came to its end.
  /// @param for_good  nobody will claim the file again: nothing of the claims is left
  void end(bool for_good);

 private:
  friend class Claims;
  Claim(std::filesystem::path file, std::int64_t number, int fd, Holder self, ClaimTimes times);
  void write(const char* state);
  void beat();

  const std::filesystem::path file_;
  const std::int64_t number_;
  const int fd_;
  const Holder self_;
  const ClaimTimes times_;
  std::stop_source lost_;
  std::mutex mutex_;  // guards all below
  bool locked_ = false, over_ = false;
  std::int64_t beats_ = 0;
  Clock::time_point written_ = Clock::now();
  std::function<std::string()> doing_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses all of the above
};

/// Claims of one process. It remembers since when those of others have not moved. Thread-safe.
class Claims {
 public:
  explicit Claims(Holder self = Holder::self(), ClaimTimes times = {})
      : self_(std::move(self)), times_(times) {}

  /// The claim on a file, whose folder is there; nothing while another process, or another claim of
  /// this one, holds it. To take over from another machine it must be asked again and again.
  /// @throws RunError naming the claim's file if it cannot be made.
  std::unique_ptr<Claim> take(const std::filesystem::path& file);
  /// The same, once it can be had.   @throws Interrupted when stopped.
  std::unique_ptr<Claim> wait(const std::filesystem::path& file, const std::stop_token& stop);

 private:
  bool is_silent(const std::filesystem::path& file, const std::string& text);

  const Holder self_;
  const ClaimTimes times_;
  struct Seen {
    std::string text;
    Clock::time_point since;
  };
  std::mutex mutex_;
  std::map<std::filesystem::path, Seen> seen_;  ///< by the claim's file
};

}  // namespace theta
