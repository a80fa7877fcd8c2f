#include "experiments/files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "experiments/report/html.hpp"
#include "experiments/report/text_table.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(ScratchFolder, IsGoneWithItsOwnerAndWhatAKilledProcessLeftWithTheNext) {
  const TemporaryFolder parent;
  fs::create_directories(parent.path() / ".scratch-left1/deep");
  fs::create_directories(parent.path() / "kept");
  std::optional<ScratchFolder> first(parent.path());
  EXPECT_FALSE(fs::exists(parent.path() / ".scratch-left1"));
  EXPECT_TRUE(fs::exists(parent.path() / "kept"));
  {
    const ScratchFolder second(parent.path());
    EXPECT_TRUE(fs::exists(first->path()));
    EXPECT_NE(first->path(), second.path());
  }
  const fs::path path = first->path();
  first.reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST(ScratchFolder, NeedsNoTemporaryDirectory) {
  const char* before = std::getenv("TMPDIR");
  const std::string restored = before ? before : "";
  ::setenv("TMPDIR", "/none/there", 1);
  const ScratchFolder folder;
  EXPECT_TRUE(fs::is_directory(folder.path()));
  before ? ::setenv("TMPDIR", restored.c_str(), 1) : ::unsetenv("TMPDIR");
}

TEST(TextTable, ALongLabelAndAnEscapeBreakNoLayout) {
  const std::string table = text_table(
      {{{"label"}, {"n", true}}, {{std::string(5000, 'x') + " tail", "1"}, {"\033[2Jshort", "2"}}});
  EXPECT_THAT(table, HasSubstr(" tail"));
  EXPECT_THAT(table, HasSubstr("\\x1b[2Jshort"));
  for (std::size_t at = 0, end; (end = table.find('\n', at)) != std::string::npos; at = end + 1)
    EXPECT_LT(end - at, 140U);
}

TEST(HtmlPage, ForbidsScriptsAndRequests) {
  EXPECT_THAT(html_page("t", "s", ""),
              HasSubstr("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                        "style-src 'unsafe-inline'; img-src data:\""));
}

}  // namespace
}  // namespace theta
