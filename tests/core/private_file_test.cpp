#include "core/private_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/result.hpp"
#include "core/visible.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

mode_t rights(const fs::path& file) {
  struct stat found {};
  ::stat(file.c_str(), &found);
  return found.st_mode & 0777U;
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(PrivateFile, FilesAndFoldersAreTheirOwnersAlone) {
  const TemporaryFolder folder;
  make_private_folder(folder.path() / "a/b");
  EXPECT_EQ(rights(folder.path() / "a"), 0700U);
  EXPECT_EQ(rights(folder.path() / "a/b"), 0700U);
  write_private_file(folder.path() / "a/b/c", "text");
  EXPECT_EQ(rights(folder.path() / "a/b/c"), 0600U);
  EXPECT_EQ(content(folder.path() / "a/b/c"), "text");
  ::close(open_private_file(folder.path() / "d"));
  EXPECT_EQ(rights(folder.path() / "d"), 0600U);
}

TEST(PrivateFile, NothingIsWrittenThroughALink) {
  const TemporaryFolder folder;
  const fs::path victim = folder.write("victim", "mine");
  fs::create_symlink(victim, folder.path() / "report.json.part");
  write_private_file(folder.path() / "report.json", "new");
  EXPECT_EQ(content(victim), "mine");
  EXPECT_EQ(content(folder.path() / "report.json"), "new");
  fs::create_symlink(victim, folder.path() / "run.db.lock");
  EXPECT_EQ(message_of<RunError>([&] { open_private_file(folder.path() / "run.db.lock"); }),
            (folder.path() / "run.db.lock").string() +
                ": this is a link, which is not followed: take it away");
}

TEST(PrivateFile, AFileWithoutAnEndIsRefused) {
  EXPECT_EQ(message_of<UserError>([] { read_bounded("/dev/zero", 1 << 20); }),
            "/dev/zero: it has more than 1 MiB, and is not what it should be");
  EXPECT_EQ(message_of<UserError>([] { read_bounded("/none/x", 1 << 20); }),
            "/none/x: cannot be read: No such file or directory");
}

TEST(Visible, ControlCharactersAreShownAndLettersStay) {
  EXPECT_EQ(visible("\033[2Ja\tb\nc\x7f\xC2\x9B\xC3\xA9"), "\\x1b[2Ja\tb\nc\\x7f\\x9b\xC3\xA9");
  EXPECT_EQ(visible("caf\xE9\xF0\x9F\x98\x80\x80"), "caf\\xe9\xF0\x9F\x98\x80\\x80");
}

}  // namespace
}  // namespace theta
