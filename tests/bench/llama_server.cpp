#include "tests/bench/llama_server.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/result.hpp"

namespace theta {
namespace {

int free_port() {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool found = s >= 0 && bind(s, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(s, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (s >= 0) close(s);
  if (!found) throw RunError("no free port");
  return ntohs(address.sin_port);
}

HttpOptions options(const std::string& url, int slots) {
  HttpOptions options;
  options.base_urls = {url};
  options.in_flight = slots;
  options.read_timeout_s = 3600;
  options.total_timeout_s = 7200;
  return options;
}

}  // namespace

LlamaServer::LlamaServer(const std::string& binary, const std::filesystem::path& model, int slots,
                         int cells)
    : port_(free_port()),
      process_({binary, "--model", model.string(), "--host", "127.0.0.1", "--port",
                std::to_string(port_), "--parallel", std::to_string(slots), "--ctx-size",
                std::to_string(slots * cells), "--threads", "2", "--threads-batch", "2"}),
      client_(options(url(), slots)) {
  bool up = false;
  while (!up) {
    if (!process_.running()) throw RunError("llama-server: " + process_.wait().err);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    client_.run({.method = "GET",
                 .path = "/health",
                 .size = 1,
                 .body = [](std::size_t) { return std::string(); },
                 .read =
                     [&](std::size_t, int status, std::string_view) {
                       up = status == 200;
                       return HttpReading{Response{}};
                     }},
                [](std::size_t, const Result<Response>&) {}, {});
  }
}

std::string LlamaServer::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

LlamaServer::Spent LlamaServer::ask(const std::vector<Asked>& wave) {
  Spent spent;
  const auto began = std::chrono::steady_clock::now();
  client_.run({.path = "/completion",
               .size = wave.size(),
               .body =
                   [&](std::size_t i) {
                     return nlohmann::json{{"prompt", wave[i].prompt},
                                           {"n_predict", wave[i].tokens},
                                           {"n_probs", wave[i].logprobs},
                                           {"ignore_eos", true},
                                           {"temperature", 0},
                                           {"cache_prompt", true}}
                         .dump();
                   },
               .read = [&](std::size_t, int status, std::string_view body) -> HttpReading {
                 const auto answer = nlohmann::json::parse(body, nullptr, false);
                 if (status != 200 || !answer.contains("timings"))
                   return {Error{Fault::kService, std::string(body)}};
                 spent.prompt_tokens += answer["timings"]["prompt_n"].get<std::int64_t>();
                 return {Response{}};
               }},
              [](std::size_t, const Result<Response>& answer) {
                if (!answer) throw RunError("llama-server: " + answer.error().message);
              },
              {});
  spent.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return spent;
}

}  // namespace theta
