#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/models/http/options.hpp"
#include "core/models/language_model.hpp"

namespace theta {

/// What a complete HTTP answer amounts to.
struct HttpReading {
  Result<Response> answer;
  bool retry = false;                       ///< `answer` is an error that may pass
  std::optional<std::int64_t> tokens = {};  ///< what it took of tokens_per_minute, where it says
  int status = 0;                           ///< that an error inside of a 200 stands for; 0: HTTP's
  std::optional<double> retry_after_s = {};  ///< when the body says to come back
};

/// Requests that are sent together. `body` and `read` run on the client's thread, one call at a
/// time.
struct HttpBatch {
  std::string method = "POST";
  std::string path;  ///< appended to base_url: `/chat/completions`
  std::size_t size = 0;
  std::function<std::string(std::size_t index)> body;
  std::function<HttpReading(std::size_t index, int status, std::string_view body)> read;
  /// What the request will take of tokens_per_minute, until `read` knows better; empty: nothing.
  std::function<double(std::size_t index, const std::string& body)> tokens = {};
  int retries = 0;
};

/// Keeps up to `in_flight` requests to the servers of one model under way.
///
/// One thread of its own runs coroutines that each take the next request of a batch, send it, read
/// the answer and repeat until nothing is left; batches are sent in the order in which they came,
/// the next filling the places that the end of one leaves. Connections are kept between requests
/// and batches. One that the server has closed in the meantime shows at the next request, which is
/// then sent again on a new one without counting as a retry.
///
/// A request goes to the server with the fewest outstanding, once requests_per_minute and
/// tokens_per_minute allow it and the server is well and ready: see ServerHealth.
///
/// Refused, broken and late connections and whatever `read` calls passing are tried again after a
/// wait with full jitter (Brooker 2015) of 30 s at most, or, where no other server is left, when the
/// server says to come back if that is later; a wait that would end after total_timeout_s ends the
/// request instead. Two sorts of attempts do not count as retries (where there are any): those at a
/// server that answered before and now cannot be reached or answers 502 to 504, while no server
/// answers anyone and for total_timeout_s at most since it was last heard of; and those that are
/// answered 429 by a server that has taken requests within total_timeout_s.
///
/// Certificates and host names are verified. Servers are reached through the proxies of the
/// environment (proxy_for). Redirects are followed on the server itself and nowhere else: the key
/// belongs to the servers named. `[key]` stands wherever a server repeats a key, or another secret of
/// the config, of 8 characters or more, before `read` sees it. Every attempt that brought no answer
/// is listed in `failed` of what is delivered. Thread-safe.
class HttpClient {
 public:
  /// Reads the key.
  /// @throws UserError for a malformed base_url, a key that cannot be read or an authority file
  ///   that cannot be used.
  explicit HttpClient(const HttpOptions& options, OnTrouble on_trouble = {});
  /// No run() may be under way.
  ~HttpClient();

  /// Calls `on_answer` on this thread for every request as its answer comes; errors begin with the
  /// server's address.
  /// @throws Interrupted when `stop` is requested, whatever `body`, `read` and `on_answer` throw.
  void run(const HttpBatch& batch, const LanguageModel::OnAnswer& on_answer, std::stop_token stop);

  std::int64_t attempts() const;  ///< requests tried, retries included

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace theta
