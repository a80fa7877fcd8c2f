#include "core/records/claim.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using State = ClaimState::State;

/// Every claim has this many bytes, so that one write replaces another whole.
constexpr std::size_t kBytes = 1024;
constexpr std::size_t kLongestText = 200;  // of what a holder does

constexpr const char* kHeld = "held";
constexpr const char* kGivenBack = "given back";
constexpr const char* kEnded = "ended";

fs::path claim_file(const fs::path& file, std::int64_t number) {
  return file.string() + ".claim." + std::to_string(number);
}

/// The numbers of a file's claims.
std::vector<std::int64_t> numbers_of(const fs::path& file) {
  std::vector<std::int64_t> numbers;
  const std::string begin = file.filename().string() + ".claim.";
  std::error_code none;  // where the folder is not there, there is no claim
  for (const auto& entry :
       fs::directory_iterator(file.has_parent_path() ? file.parent_path() : ".", none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(begin)) continue;
    std::int64_t number = 0;
    const auto* const last = name.data() + name.size();
    const auto [end, error] = std::from_chars(name.data() + begin.size(), last, number);
    if (error == std::errc() && end == last) numbers.push_back(number);
  }
  return numbers;
}

std::int64_t latest_of(const fs::path& file) {
  std::int64_t latest = 0;
  for (const std::int64_t number : numbers_of(file)) latest = std::max(latest, number);
  return latest;
}

/// What stands in a claim's file.
struct Said {
  std::string state = kHeld;  // of one that cannot be read, as it is being written
  Holder holder = {};
  std::string doing = {};
  bool locked = false;
};

Said read_claim(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    return {json.at("state"),
            {json.at("host"), json.at("machine"), json.at("pid")},
            json.at("doing"),
            json.at("locked")};
  } catch (const Json::exception&) {
    return {};
  }
}

/// An open claim of somebody's.
class OpenClaim {
 public:
  explicit OpenClaim(const fs::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) {
    std::array<char, kBytes> bytes;
    const ssize_t n = fd_ < 0 ? 0 : ::read(fd_, bytes.data(), bytes.size());
    if (n > 0) text_.assign(bytes.data(), static_cast<std::size_t>(n));
    said_ = read_claim(text_);
  }
  ~OpenClaim() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenClaim(const OpenClaim&) = delete;
  OpenClaim& operator=(const OpenClaim&) = delete;

  const std::string& text() const { return text_; }

  /// @param machine  this one
  ClaimState state(std::int64_t number, const std::string& machine) const {
    State state = said_.state == kEnded ? State::kEnded : State::kGivenBack;
    if (said_.state == kHeld && (is_out_of_sight(machine) || is_locked())) state = State::kHeld;
    return {state, number, said_.holder, said_.doing, age_s()};
  }

  /// Nothing on this machine tells whether its holder lives.
  bool is_out_of_sight(const std::string& machine) const {
    return said_.holder.machine != machine || !said_.locked;
  }

 private:
  bool is_locked() const {
    if (::flock(fd_, LOCK_SH | LOCK_NB) != 0) return true;
    ::flock(fd_, LOCK_UN);
    return false;
  }
  double age_s() const {
    struct stat found {};
    if (::fstat(fd_, &found) != 0) return 0;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const double then = static_cast<double>(found.st_mtim.tv_sec) +
                        1e-9 * static_cast<double>(found.st_mtim.tv_nsec);
    return std::max(0.0, std::chrono::duration<double>(now).count() - then);
  }

  const int fd_;
  std::string text_;
  Said said_;
};

}  // namespace

Holder Holder::self() {
  static const Holder self = [] {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    Holder made{host.data(), "", static_cast<int>(::getpid())};
    if (!(std::ifstream("/proc/sys/kernel/random/boot_id") >> made.machine))
      made.machine = made.host;
    return made;
  }();
  return self;
}

std::string Holder::name() const { return host.empty() ? "" : fmt::format("{}:{}", host, pid); }

bool ClaimState::held_elsewhere() const {
  return state == State::kHeld && holder.machine != Holder::self().machine;
}

ClaimState look_at_claim(const fs::path& file) {
  const std::int64_t number = latest_of(file);
  if (number == 0) return {};
  return OpenClaim(claim_file(file, number)).state(number, Holder::self().machine);
}

Claim::Claim(fs::path file, std::int64_t number, int fd, Holder self, ClaimTimes times)
    : file_(std::move(file)), number_(number), fd_(fd), self_(std::move(self)), times_(times) {
  locked_ = ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
  write(kHeld);
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, stop, times_.beat, [&] { return over_; }) &&
           !stop.stop_requested() && !lost_.stop_requested())
      beat();
  });
}

Claim::~Claim() {
  thread_.request_stop();
  thread_.join();
  if (!over_ && !lost_.stop_requested()) write(kGivenBack);
  ::close(fd_);
}

void Claim::tell(std::function<std::string()> doing) {
  const std::lock_guard lock(mutex_);
  doing_ = std::move(doing);
}

void Claim::end(bool for_good) {
  const std::lock_guard lock(mutex_);
  over_ = true;
  wake_.notify_all();
  if (lost_.stop_requested()) return;
  write(kEnded);
  if (!for_good) return;
  for (const std::int64_t number : numbers_of(file_))
    if (number <= number_) ::unlink(claim_file(file_, number).c_str());
}

void Claim::write(const char* state) {
  const std::string doing = doing_ ? doing_().substr(0, kLongestText) : "";
  Json json = {{"host", self_.host}, {"pid", self_.pid}, {"state", state},
               {"beats", beats_++},  {"doing", doing},   {"machine", self_.machine},
               {"locked", locked_}};
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() >= kBytes) {  // each byte of a text may take six
    json["doing"] = "";
    text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  }
  text.resize(kBytes - 1, ' ');
  text += '\n';
  // To the disk, which is where other machines see it.
  const bool written = ::pwrite(fd_, text.data(), text.size(), 0) == std::ssize(text);
  if (written && ::fsync(fd_) == 0) written_ = Clock::now();
}

void Claim::beat() {
  if (latest_of(file_) <= number_) write(kHeld);
  if (latest_of(file_) > number_ || Clock::now() - written_ > times_.lease) lost_.request_stop();
}

std::unique_ptr<Claim> Claims::take(const fs::path& file) {
  const std::int64_t latest = latest_of(file);
  if (latest > 0) {
    const fs::path path = claim_file(file, latest);
    const OpenClaim claim(path);
    if (claim.state(latest, self_.machine).state == State::kHeld &&
        !(claim.is_out_of_sight(self_.machine) && is_silent(path, claim.text())))
      return nullptr;
  }
  const fs::path path = claim_file(file, latest + 1);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 && errno == EEXIST) return nullptr;  // another was quicker
  if (fd < 0) throw RunError(path.string() + ": cannot be made: " + std::strerror(errno));
  std::unique_ptr<Claim> mine(new Claim(file, latest + 1, fd, self_, times_));
  // Several may have taken over since the latest was looked for, and have removed what they found:
  // the highest counts.
  if (latest_of(file) > mine->number()) {
    mine->end(true);
    return nullptr;
  }
  for (const std::int64_t number : numbers_of(file))
    if (number < mine->number()) ::unlink(claim_file(file, number).c_str());
  return mine;
}

std::unique_ptr<Claim> Claims::wait(const fs::path& file, const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kLook{100};
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any wake;
  for (;;) {
    if (auto claim = take(file)) return claim;
    wake.wait_for(lock, stop, kLook, [] { return false; });
    if (stop.stop_requested()) throw Interrupted("stopped");
  }
}

bool Claims::is_silent(const fs::path& file, const std::string& text) {
  const std::lock_guard lock(mutex_);
  auto [seen, is_new] = seen_.try_emplace(file, text, Clock::now());
  if (is_new || seen->second.text != text) {
    seen->second = {text, Clock::now()};
    return false;
  }
  return Clock::now() - seen->second.since >= times_.lease;
}

}  // namespace theta
