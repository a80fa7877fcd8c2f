// Any bytes as all that a server sends: every request is answered or refused in one printable line,
// and an answer is fit to be kept.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/models/http/model.hpp"
#include "core/records/response_json.hpp"
#include "core/utf8.hpp"

namespace {

using namespace theta;
namespace net = boost::asio;
namespace http = boost::beast::http;
using net::ip::tcp;

/// Sends the same bytes to every request and closes the connection.
class Sender {
 public:
  Sender() : thread_([this] { serve(); }) {}
  ~Sender() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    boost::system::error_code ignored;
    net::io_context io;
    tcp::socket(io).connect(acceptor_.local_endpoint(), ignored);  // wakes it
  }

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  void set(std::string bytes) {
    const std::lock_guard lock(mutex_);
    bytes_ = std::move(bytes);
  }

 private:
  void serve() {
    for (;;) {
      tcp::socket socket = acceptor_.accept();
      boost::system::error_code gone;
      boost::beast::flat_buffer buffer;
      http::request<http::string_body> request;
      std::string bytes;
      {
        const std::lock_guard lock(mutex_);
        if (closing_) return;
        bytes = bytes_;
      }
      http::read(socket, buffer, request, gone);
      if (!gone) net::write(socket, net::buffer(bytes), gone);
    }
  }

  net::io_context io_;
  tcp::acceptor acceptor_{io_, {net::ip::address_v4::loopback(), 0}};
  std::mutex mutex_;
  std::string bytes_;
  bool closing_ = false;
  std::jthread thread_;
};

HttpOptions options(const std::string& url) {
  HttpOptions made;
  made.base_urls = {url};
  made.model = "any";
  made.dialect = Dialect::kOpenAi;
  made.retries = 0;
  made.read_timeout_s = 1;
  made.max_response_bytes = 1 << 16;
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Sender sender;
  static HttpModel model(options(sender.url()));
  sender.set(std::string(reinterpret_cast<const char*>(data), size));
  std::vector<Request> wave(2);
  for (Request& request : wave) request.messages = {{"user", "Which?"}};
  wave[1].options = {"First", "Second"};
  for (const auto& answer : ask(model, wave, {})) {
    if (answer) {
      const auto kept = response_of(response_json(answer), 0, 0);
      require(kept && kept->text == answer->text, "an answer is read back as it was kept");
      continue;
    }
    const std::string& message = answer.error().message;
    require(is_utf8(message) && message.size() < 2000, "a message can be printed");
    require(std::ranges::count(message, '\n') == 0, "a message is one line");
  }
  return 0;
}
