// A chat server that gives every request the same answer, so that what is timed is the client: one
// thread, HTTP/1.1 kept alive. It looks through a request's body to the end of its JSON object, and
// does nothing else with it.
//
// usage: mock_server [LATENCY_MS]      prints the port it listens on, and serves until it is killed

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kBody =
    R"({"id":"1","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,)"
    R"("finish_reason":"stop","message":{"role":"assistant","content":"[[ ## reasoning ## ]]\n)"
    R"(The first answers in fewer words, as this reader likes.\n\n[[ ## preference ## ]]\nFirst)"
    R"(\n\n[[ ## completed ## ]]"}}],"usage":{"prompt_tokens":500,"completion_tokens":30,)"
    R"("total_tokens":530}})";

constexpr std::string_view kEnd = "\r\n\r\n";  // of a request's head

struct Connection {
  std::uint64_t number = 0;  // tells apart those that had the same descriptor
  std::string held;          // of a request that has not come whole
};

struct Due {
  Clock::time_point time;
  int descriptor;
  std::uint64_t connection;
};

class Server {
 public:
  explicit Server(int latency_ms) : latency_(latency_ms) {
    reply_ = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
             std::to_string(kBody.size()) + "\r\n\r\n" + std::string(kBody);
    refusal_ = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    poll_ = ::epoll_create1(EPOLL_CLOEXEC);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, SOMAXCONN) != 0 ||
        ::getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error(std::strerror(errno));
    }
    watch(listener_);
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
  }

  [[noreturn]] void serve() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int n = ::epoll_wait(poll_, events.data(), events.size(), milliseconds_to_wait());
      for (int i = 0; i < n; ++i) {
        const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
        descriptor == listener_ ? accept() : receive(descriptor);
      }
      for (const auto now = Clock::now(); !due_.empty() && due_.front().time <= now;) {
        const Due due = due_.front();
        due_.pop_front();
        if (at(due.descriptor).number == due.connection) send(due.descriptor, reply_);
      }
    }
  }

 private:
  Connection& at(int descriptor) { return connections_[static_cast<std::size_t>(descriptor)]; }

  void watch(int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  int milliseconds_to_wait() const {
    if (due_.empty()) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(due_.front().time - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, left.count()));
  }

  void accept() {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connections_.size() <= static_cast<std::size_t>(descriptor)) {
      connections_.resize(static_cast<std::size_t>(descriptor) + 1);
    }
    at(descriptor) = {++accepted_, {}};
    watch(descriptor);
  }

  void close(int descriptor) {
    at(descriptor) = {};
    ::close(descriptor);
  }

  void receive(int descriptor) {
    const auto n = ::recv(descriptor, buffer_.data(), buffer_.size(), 0);
    if (n <= 0) return close(descriptor);
    std::string& held = at(descriptor).held;
    std::string_view bytes(buffer_.data(), static_cast<std::size_t>(n));
    if (!held.empty()) bytes = held.append(bytes);
    std::size_t used = 0;
    while (const std::size_t size = request_size(bytes.substr(used))) {
      const auto request = bytes.substr(used, size);
      used += size;
      if (!is_object(request.substr(request.find(kEnd) + kEnd.size()))) {
        send(descriptor, refusal_);
      } else if (latency_.count() == 0) {
        send(descriptor, reply_);
      } else {
        due_.push_back({Clock::now() + latency_, descriptor, at(descriptor).number});
      }
    }
    held = std::string(bytes.substr(used));
  }

  /// Whether the body is one JSON object, as far as its brackets and strings tell.
  static bool is_object(std::string_view body) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < body.size(); ++i) {
      const char c = body[i];
      if (quoted && c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (!quoted && (c == '{' || c == '[')) {
        ++depth;
      } else if (!quoted && (c == '}' || c == ']') && --depth == 0) {
        return i + 1 == body.size();
      }
    }
    return false;
  }

  /// Bytes of the request at the beginning; 0: it is not there whole.
  static std::size_t request_size(std::string_view bytes) {
    const auto end = bytes.find(kEnd);
    if (end == bytes.npos) return 0;
    std::size_t size = end + kEnd.size();
    constexpr std::string_view kLength = "\r\nContent-Length:";
    for (std::size_t line = bytes.find("\r\n"); line < end; line = bytes.find("\r\n", line + 2)) {
      if (::strncasecmp(bytes.data() + line, kLength.data(), kLength.size()) == 0) {
        size += std::strtoull(bytes.data() + line + kLength.size(), nullptr, 10);
      }
    }
    return size <= bytes.size() ? size : 0;
  }

  static void send(int descriptor, const std::string& answer) {
    // A client that does not read its answers is no part of the benchmark.
    [[maybe_unused]] const auto sent =
        ::send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  const std::chrono::milliseconds latency_;
  std::string reply_, refusal_;
  int listener_ = -1;
  int poll_ = -1;
  std::uint64_t accepted_ = 0;
  std::vector<Connection> connections_;  // by descriptor
  std::deque<Due> due_;
  std::array<char, 65536> buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    Server(argc > 1 ? std::atoi(argv[1]) : 0).serve();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "mock_server: %s\n", e.what());
    return 1;
  }
}
