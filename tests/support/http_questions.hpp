#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/models/http/model.hpp"
#include "tests/support/loopback_server.hpp"

// What the tests of HttpModel ask a LoopbackServer, and what it answers.
namespace theta::test {

using Delivery = Reply::Delivery;

inline constexpr const char* kKey = "sk-secret/0123456789";

/// With the key in a file that is gone when this is.
class KeyFile {
 public:
  KeyFile()
      : path_(std::filesystem::temp_directory_path() / ("theta-key-" + std::to_string(getpid()))) {
    std::ofstream(path_) << kKey << "\n";
  }
  ~KeyFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline HttpOptions options_for(const std::string& url) {
  HttpOptions options;
  options.base_urls = {url};
  options.model = "tiny";
  options.dialect = Dialect::kOpenAi;
  options.in_flight = 8;
  options.connect_timeout_s = 5;
  options.read_timeout_s = 5;
  options.backoff_s = 0.001;
  return options;
}

inline Request question(const std::string& text) {
  Request request;
  request.messages = {{"system", "Be brief."}, {"user", text}};
  return request;
}

inline std::vector<Request> questions(std::size_t n) {
  std::vector<Request> wave;
  for (std::size_t i = 0; i < n; ++i) wave.push_back(question("question " + std::to_string(i)));
  return wave;
}

inline Reply chat(const std::string& text) {
  const nlohmann::json body = {
      {"choices", {{{"message", {{"content", text}}}, {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 11}, {"completion_tokens", 3}}}};
  return {200, body.dump(), {}, Delivery::kWhole, {}};
}

/// Answers a question with its own last message.
inline Reply echo(const Seen& seen) {
  return chat(
      "re: " +
      nlohmann::json::parse(seen.body).at("messages").back().at("content").get<std::string>());
}

inline Reply echo_after(std::chrono::milliseconds delay, const Seen& seen) {
  Reply reply = echo(seen);
  reply.delay = delay;
  return reply;
}

inline std::vector<Result<Response>> ask_all(HttpModel& model, const std::vector<Request>& wave) {
  return ask(model, wave, {});
}

inline Result<Response> ask_one(HttpModel& model, const Request& request) {
  return ask(model, {&request, 1}, {}).front();
}

inline std::string failure(const Result<Response>& answer) {
  return answer ? "answered: " + answer->text : answer.error().message;
}

inline void expect_echoes(const std::vector<Request>& wave,
                          const std::vector<Result<Response>>& answers) {
  for (std::size_t i = 0; i < wave.size(); ++i) {
    ASSERT_TRUE(answers[i]) << failure(answers[i]);
    EXPECT_EQ(answers[i]->text, "re: " + wave[i].messages.back().content);
  }
}

}  // namespace theta::test
