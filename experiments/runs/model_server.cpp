#include "experiments/runs/model_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <future>
#include <utility>

#include "core/models/http/client.hpp"
#include "core/models/http/url.hpp"
#include "core/private_file.hpp"
#include "core/progress.hpp"
#include "core/sha256.hpp"
#include "core/visible.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kPause{20}, kPatience{10'000}, kBetweenAsking{200};
constexpr std::size_t kShownBytes = 300;
constexpr off_t kLastBytes = 8192;
constexpr const char* kPort = "{port}";

std::string shown(const ServerOptions& options) {
  std::string out;
  for (const Written& word : options.command) out += (out.empty() ? "" : " ") + word.shown;
  return out;
}

/// The last line of a file that holds more than blanks.
std::string last_line(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const off_t size = ::lseek(fd, 0, SEEK_END);
  std::string text(static_cast<std::size_t>(std::min(size, kLastBytes)), ' ');
  const ssize_t n = ::pread(fd, text.data(), text.size(), std::max<off_t>(0, size - kLastBytes));
  ::close(fd);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, n)));
  text = std::string(strip(text));
  return text.substr(text.find_last_of("\r\n") + 1);
}

/// In the child, between fork and exec: nothing that allocates or locks.
[[noreturn]] void become(char* const* arguments, int log, int null, int failed, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvp(arguments[0], arguments);
  const int error = errno;
  [[maybe_unused]] const auto told = ::write(failed, &error, sizeof error);
  ::_exit(1);
}

/// `http://host:port`
std::string origin_of(const std::string& base_url) {
  const Url url = parse_url(base_url);
  return (url.tls ? "https://" : "http://") + url.authority;
}

/// The status that a GET is answered with, or why it is not answered.
Result<int> status_of(HttpClient& client, const std::string& path, const std::stop_token& stop) {
  Result<int> status = Error{};
  const HttpBatch batch{.method = "GET",
                        .path = path,
                        .size = 1,
                        .body = [](std::size_t) { return std::string(); },
                        .read =
                            [&](std::size_t, int said, std::string_view) {
                              status = said;
                              return HttpReading{Response{}};
                            }};
  client.run(
      batch,
      [&](std::size_t, const Result<Response>& answer) {
        if (!answer) status = answer.error();
      },
      stop);
  return status;
}

/// Whether anything answers there.
bool is_answered(const std::string& base_url) {
  HttpOptions options;
  options.base_urls = {origin_of(base_url)};
  options.connect_timeout_s = options.read_timeout_s = options.total_timeout_s = 2;
  HttpClient client(options);
  return static_cast<bool>(status_of(client, "/", {}));
}

/// Two commands may serve models of one name.
fs::path log_of(const HttpOptions& options, const fs::path& logs) {
  std::string name = options.model;
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.') c = '_';
  const fs::path begin = logs.empty() ? fs::temp_directory_path() / "theta-server" : logs;
  return begin.string() + "-" + name + "-" + sha256(shown(*options.server)).substr(0, 6) + ".log";
}

}  // namespace

ModelServer::ModelServer(const ServerOptions& options, fs::path log, int port)
    : log_(std::move(log)), name_(shown(options)), secrets_([&] {
        std::vector<std::string> all;
        for (const Written& word : options.command)
          all.insert(all.end(), word.secrets.begin(), word.secrets.end());
        return all;
      }()) {
  std::promise<void> is_started;
  thread_ = std::jthread([&, this](const std::stop_token& stop) {
    try {
      start(options, port);
    } catch (...) {
      is_started.set_exception(std::current_exception());
      return;
    }
    is_started.set_value();
    watch(stop);
  });
  is_started.get_future().get();
}

ModelServer::~ModelServer() = default;

void ModelServer::start(const ServerOptions& options, int port) {
  std::vector<std::string> words;
  for (const Written& word : options.command)
    words.push_back(replace_all(word.sent, kPort, std::to_string(port)));
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> failed{};
  const int log = open_private_file(log_), null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::fcntl(log, F_SETFL, O_APPEND);
  if (null < 0 || ::pipe2(failed.data(), O_CLOEXEC) != 0)
    throw RunError(fmt::format("the server `{}` cannot be started: {}", name_, strerror(errno)));
  const pid_t parent = ::getpid(), child = ::fork();
  if (child == 0) become(arguments.data(), log, null, failed[1], parent);
  int error = child < 0 ? errno : 0;
  ::close(failed[1]);
  if (child > 0 && ::read(failed[0], &error, sizeof error) == sizeof error)
    ::waitpid(child, nullptr, 0);
  for (const int fd : {failed[0], log, null}) ::close(fd);
  if (error != 0)
    throw UserError(
        fmt::format("the server `{}` cannot be started: {}", name_, std::strerror(error)));
  pid_ = child;
}

void ModelServer::watch(const std::stop_token& stop) {
  while (!stop.stop_requested() && !wait_for(kPause)) continue;
  if (over_) ended_.request_stop();
  if (!over_) ::kill(-pid_, SIGTERM);
  wait_for(kPatience);
  ::kill(-pid_, SIGKILL);  // of its children too
  while (!wait_for(kPatience)) continue;
}

bool ModelServer::wait_for(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!over_) {
    const pid_t pid = ::waitpid(pid_, &status_, WNOHANG);
    over_ = pid == pid_ || (pid < 0 && errno == ECHILD);
    if (over_ || std::chrono::steady_clock::now() > until) break;
    std::this_thread::sleep_for(kPause);
  }
  return over_;
}

std::string ModelServer::last_words() const {
  const std::string how = WIFSIGNALED(status_)
                              ? fmt::format("was ended by signal {} ({})", WTERMSIG(status_),
                                            strsignal(WTERMSIG(status_)))
                              : fmt::format("ended with exit code {}", WEXITSTATUS(status_));
  std::string line = last_line(log_);
  for (const std::string& secret : secrets_)
    if (!secret.empty()) line = replace_all(line, secret, "[key]");
  return fmt::format("the server `{}` {}: {} ({})", name_, how,
                     line.empty() ? "it said nothing" : shorten(line, kShownBytes), log_.string());
}

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool bound =
      socket >= 0 && ::bind(socket, any, size) == 0 && ::getsockname(socket, any, &size) == 0;
  const int error = errno;
  if (socket >= 0) ::close(socket);
  if (!bound) throw RunError(fmt::format("there is no free port: {}", std::strerror(error)));
  return ntohs(address.sin_port);
}

ServedModel::ServedModel(HttpOptions options, ModelHost host)
    : options_(std::move(options)), host_(std::move(host)), log_(log_of(options_, host_.logs)) {}

void ServedModel::note(const std::string& what) const {
  if (host_.note) host_.note(what);
}

HttpModel& ServedModel::started(const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  if (model_) return *model_;
  const bool any_port = options_.base_urls.front().find(kPort) != std::string::npos;
  const int port = any_port ? free_port() : 0;
  HttpOptions here = options_;
  here.base_urls.front() = replace_all(here.base_urls.front(), kPort, std::to_string(port));
  if (!any_port && is_answered(here.base_urls.front()))
    throw UserError(fmt::format(
        "there is a server at {} already: leave 'server' out to ask that one, or let a free port "
        "be found with {{port}}",
        here.base_urls.front()));
  server_ = std::make_unique<ModelServer>(*options_.server, log_, port);
  try {
    wait_until_ready(here, stop);
  } catch (...) {
    server_.reset();
    throw;
  }
  model_ = std::make_unique<HttpModel>(std::move(here), host_.on_trouble, host_.kept);
  return *model_;
}

void ServedModel::wait_until_ready(const HttpOptions& options, const std::stop_token& stop) const {
  HttpOptions asking = options;
  asking.base_urls = {origin_of(options.base_urls.front())};
  asking.retries = 0;
  asking.connect_timeout_s = asking.read_timeout_s = asking.total_timeout_s = 5;
  HttpClient client(asking);
  const auto began = Clock::now();
  for (;;) {
    note(fmt::format("starting the server of {}: {}", options.model,
                     clock_text(seconds_since(began))));
    const Result<int> status = status_of(client, options.server->ready, stop);
    if (server_->ended().stop_requested()) throw RunError(server_->last_words());
    if (status && *status == 200) break;
    if (seconds_since(began) > options.server->timeout_s)
      throw RunError(fmt::format(
          "the server of {} is not ready after {:.0f} s: {}; see {}", options.model,
          options.server->timeout_s,
          status ? fmt::format("status {}", *status) : status.error().message, log_.string()));
    std::this_thread::sleep_for(kBetweenAsking);
  }
  note("");
}

void ServedModel::complete(std::span<const Request> wave, const OnAnswer& on_answer,
                           std::stop_token stop) {
  HttpModel& model = started(stop);
  if (server_->ended().stop_requested()) throw RunError(server_->last_words());
  std::stop_source over;
  const auto ask_to_stop = [&over] { over.request_stop(); };
  const std::stop_callback by_person(stop, ask_to_stop);
  const std::stop_callback by_end(server_->ended(), ask_to_stop);
  try {
    model.complete(wave, on_answer, over.get_token());
  } catch (const Interrupted&) {
    if (stop.stop_requested()) throw;
    throw RunError(server_->last_words());
  }
}

HostCounters ServedModel::counters() const {
  const std::lock_guard lock(mutex_);
  return model_ ? model_->counters() : HostCounters{};
}

std::vector<std::string> ServedModel::lessons() const {
  const std::lock_guard lock(mutex_);
  return model_ ? model_->lessons() : std::vector<std::string>{};
}

}  // namespace theta
