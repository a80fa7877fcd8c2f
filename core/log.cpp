#include "core/log.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/nearest.hpp"
#include "core/result.hpp"
#include "core/visible.hpp"

namespace theta {
namespace {

class ProgressSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ProgressSink(Progress& progress) : progress_(progress) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string label;
    if (message.level >= spdlog::level::err) {
      label = progress_.terminal() ? "\033[1;31merror:\033[0m " : "error: ";
    } else if (message.level == spdlog::level::warn) {
      label = progress_.terminal() ? "\033[1;33mwarning:\033[0m " : "warning: ";
    }
    std::string text(message.payload.data(), message.payload.size());
    std::ranges::replace(text, '\n', ' ');
    text = visible(text);
    progress_.say("theta: " + label + text);
  }
  void flush_() override {}

 private:
  Progress& progress_;
};

}  // namespace

void set_up_logging(std::string_view level, Progress& progress) {
  static const std::vector<std::string> kLevels = {"debug", "info", "warning", "error"};
  const auto it = std::ranges::find(kLevels, level);
  if (it == kLevels.end()) {
    throw UserError("'" + std::string(level) +
                    "' is not a log level (debug, info, warning, error)" +
                    did_you_mean(level, kLevels));
  }
  auto logger = std::make_shared<spdlog::logger>("theta", std::make_shared<ProgressSink>(progress));
  logger->set_level(spdlog::level::from_str(*it));
  spdlog::set_default_logger(std::move(logger));
}

void tell(const std::string& line) { std::fputs((visible(line) + '\n').c_str(), stderr); }

Silence::Silence() : level_(spdlog::default_logger()->level()) {
  spdlog::default_logger()->set_level(spdlog::level::off);
}

Silence::~Silence() {
  spdlog::default_logger()->set_level(static_cast<spdlog::level::level_enum>(level_));
}

}  // namespace theta
