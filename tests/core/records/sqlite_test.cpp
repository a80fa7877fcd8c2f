#include "core/records/sqlite.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

TEST(Checkpoints, CopyALongLogIntoTheFileAndBeginItAnewWhileItIsWritten) {
  constexpr int kPage = 4096;
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.db";
  const auto log = folder.path() / "a.db-wal";
  const Database database(file, true);
  database.run("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; CREATE TABLE pages (bytes)");
  std::mutex writing;
  const Checkpoints checkpoints(database, writing);

  Statement put{database, "INSERT INTO pages VALUES (zeroblob(?))"};
  const auto write = [&](int pages) {
    const std::lock_guard lock(writing);
    put.run(pages * kPage);
  };
  write(Checkpoints::kLogPages / 2);
  const auto half = std::filesystem::file_size(log);
  EXPECT_LT(std::filesystem::file_size(file), Checkpoints::kLogPages / 2 * kPage);

  write(Checkpoints::kLogPages / 2);
  auto before = half;
  auto size = std::filesystem::file_size(log);
  EXPECT_GT(size, before);
  for (int i = 0; size > before && i < 10'000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    write(1);
    before = std::exchange(size, std::filesystem::file_size(log));
  }
  EXPECT_EQ(size, before) << "what is written at the log's end makes it grow";
  EXPECT_GE(std::filesystem::file_size(file), Checkpoints::kLogPages * kPage);
}

}  // namespace
}  // namespace theta
