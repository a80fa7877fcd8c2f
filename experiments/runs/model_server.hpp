#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "core/models/http/model.hpp"
#include "experiments/models.hpp"

namespace theta {

/// A program that serves a model on this machine for as long as this lives.
///
/// It is the head of a process group, which is asked to end (SIGTERM) when this goes, and ended ten
/// seconds later; it is asked likewise when this process dies, however that comes about.
class ModelServer {
 public:
  /// @param log  what the program prints is added to it
  /// @param port  that stands for `{port}` in the command
  /// @throws UserError if the program cannot be started; RunError naming the log.
  ModelServer(const ServerOptions& options, std::filesystem::path log, int port);
  ~ModelServer();
  ModelServer(const ModelServer&) = delete;
  ModelServer& operator=(const ModelServer&) = delete;

  /// Is requested once the program has ended of itself.
  std::stop_token ended() const { return ended_.get_token(); }
  /// `the server `vllm serve m` ended with exit code 1: LAST LINE (FILE.log)`, once it has.
  std::string last_words() const;

 private:
  void start(const ServerOptions& options, int port);
  void watch(const std::stop_token& stop);
  bool wait_for(std::chrono::milliseconds patience);

  const std::filesystem::path log_;
  const std::string name_;                  ///< the command as the config has it
  const std::vector<std::string> secrets_;  ///< that no message repeats
  pid_t pid_ = -1;
  int status_ = 0;
  bool over_ = false;
  std::stop_source ended_;
  std::jthread
      thread_;  ///< starts it: the kernel tells a child of the death of its parent's thread
};

/// A port of this machine that nobody listens at.
int free_port();

/// A model on a server that is started for the first that asks, and ended with the model.
class ServedModel final : public LanguageModel {
 public:
  /// @param options  with a server
  ServedModel(HttpOptions options, ModelHost host);

  /// By the address and the command as the config has them: of whatever port it gets.
  std::string identity() const override { return identity_of(options_); }
  /// @throws RunError where the server does not come up or has ended, with the last line of its log.
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;
  std::size_t unit() const override { return 1; }
  std::optional<std::size_t> count_tokens(const Request&) const override { return std::nullopt; }
  HostCounters counters() const override;
  std::vector<std::string> lessons() const override;

 private:
  HttpModel& started(const std::stop_token& stop);
  void wait_until_ready(const HttpOptions& options, const std::stop_token& stop) const;
  void note(const std::string& what) const;

  const HttpOptions options_;
  const ModelHost host_;
  const std::filesystem::path log_;
  mutable std::mutex mutex_;  // guards what follows until it is there
  std::unique_ptr<ModelServer> server_;
  std::unique_ptr<HttpModel> model_;
};

}  // namespace theta
