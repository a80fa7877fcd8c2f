#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/models/http/request_form.hpp"

namespace theta {

/// What a chat server understands beyond OpenAI's own fields.
///
/// |              | answer_prefix                      | grammar                     | options   |
/// |--------------|------------------------------------|-----------------------------|-----------|
/// | kOpenAi      | asked for, unless a message has it | `response_format`           | asked for |
/// | kLlamaServer | trailing assistant message         | `grammar`                   | `grammar` |
/// | kVllm        | the same, `continue_final_message` | `structured_outputs` (0.11) | the same  |
///
/// kOpenAi is sent the schema of an answer that has one (`response_format`, strict), and never a
/// grammar: what nothing keeps an answer to is noted in Response. The last column is how an option
/// is named where it cannot be scored. kAuto asks `GET /models` once, whose `owned_by` is `vllm` or
/// `llamacpp`; whatever else it says is kOpenAi.
enum class Dialect { kAuto, kOpenAi, kLlamaServer, kVllm };
/// As a config names it: `auto`, `openai`, `llama-server`, `vllm`.
std::string_view name_of(Dialect dialect);

/// Told that a server has given no answer for so long and why, and with an empty reason that it
/// answers again after so long. Called on the client's thread.
using OnTrouble =
    std::function<void(const std::string& server, const std::string& why, double seconds)>;

/// A program that serves a model on this machine.
struct ServerOptions {
  /// The program and its arguments. `{port}` in them, and in the model's address, is a port that is
  /// free when it starts.
  std::vector<Written> command;
  std::string ready = "/v1/models";  ///< what it answers with 200 once it is asked
  double timeout_s = 600;            ///< that it may take to come up
};

/// OpenAI-compatible servers of one model and how they are talked to. Holds where the key is, never
/// the key; of headers and the like also what the variables hold that they name.
struct HttpOptions {
  /// What `/chat/completions` follows: `http://127.0.0.1:8000/v1`. Several serve the same model.
  std::vector<std::string> base_urls;
  std::string model;                         ///< the name that the server knows it by
  std::optional<ServerOptions> server = {};  ///< that is started for it; none: it is there
  std::string api_key_env;            ///< environment variable that holds the key; empty: none
  std::string api_key_file;           ///< file that holds it; empty: none
  std::vector<FieldForm> parameters;  ///< fields of requests that are added, renamed or dropped
  /// Sent with every request, beside or in place of the usual ones.
  std::vector<std::pair<std::string, Written>> headers;
  std::vector<std::pair<std::string, Written>> query;  ///< what follows the `?` of every address
  bool system_role = true;  ///< false: the model has none, see RequestForm
  Dialect dialect = Dialect::kAuto;
  bool logprobs = true;            ///< false: options are always named, never scored
  int in_flight = 32;              ///< requests at once, each on a connection of its own: the most
  double requests_per_minute = 0;  ///< attempts, to all servers together; 0: no limit
  double tokens_per_minute = 0;    ///< prompts and answers; 0: no limit
  double connect_timeout_s = 10;   ///< name lookup, connection and TLS handshake together
  double read_timeout_s = 120;     ///< without a byte from the server
  double total_timeout_s = 600;    ///< of one request with all its retries and waits
  int retries = 6;  ///< attempts after the first, beside those that wait for a server that is gone
  double backoff_s = 0.5;  ///< the wait before retry k = 0, 1, ... is uniform in 0..backoff_s * 2^k
  std::size_t max_response_bytes = std::size_t{16} << 20;
  std::string ca_file;  ///< PEM authorities to trust instead of the system's; empty: the system's
};

}  // namespace theta
