#include "core/log.hpp"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/result.hpp"

namespace theta {
namespace {

/// What three messages become.
std::string logged(std::string_view level, bool terminal) {
  char* data = nullptr;
  std::size_t size = 0;
  std::FILE* file = open_memstream(&data, &size);
  {
    Progress progress(terminal, 15, file);
    const auto before = spdlog::default_logger();
    set_up_logging(level, progress);
    spdlog::debug("opened {}", "run.db");
    spdlog::info("resumed");
    spdlog::warn("two\nlines");
    spdlog::error("failed");
    spdlog::set_default_logger(before);
  }
  std::fclose(file);
  std::string text(data, size);
  std::free(data);
  return text;
}

TEST(Log, WritesOneLineAMessage) {
  EXPECT_EQ(
      logged("debug", false),
      "theta: opened run.db\ntheta: resumed\ntheta: warning: two lines\ntheta: error: failed\n");
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  EXPECT_EQ(logged("info", false),
            "theta: resumed\ntheta: warning: two lines\ntheta: error: failed\n");
  EXPECT_EQ(logged("warning", false), "theta: warning: two lines\ntheta: error: failed\n");
  EXPECT_EQ(logged("error", false), "theta: error: failed\n");
}

TEST(Log, ColoursItsLabelsOnATerminal) {
  EXPECT_EQ(logged("error", true), "\r\033[Ktheta: \033[1;31merror:\033[0m failed\n");
}

TEST(Log, SaysNothingWhileSilencedAndTheSameAsBeforeAfterwards) {
  char* data = nullptr;
  std::size_t size = 0;
  std::FILE* file = open_memstream(&data, &size);
  {
    Progress progress(false, 15, file);
    const auto before = spdlog::default_logger();
    set_up_logging("info", progress);
    {
      const Silence silence;
      spdlog::error("failed");
    }
    spdlog::info("resumed");
    spdlog::debug("opened");
    spdlog::set_default_logger(before);
  }
  std::fclose(file);
  EXPECT_STREQ(data, "theta: resumed\n");
  std::free(data);
}

TEST(Log, RefusesAnUnknownLevel) {
  Progress progress(false);
  try {
    set_up_logging("warnings", progress);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "'warnings' is not a log level (debug, info, warning, error); did you mean "
                 "'warning'?");
  }
}

}  // namespace
}  // namespace theta
