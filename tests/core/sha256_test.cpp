#include "core/sha256.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/result.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

TEST(Sha256, GivesThePublishedDigests) {
  // FIPS 180-4 example vectors.
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, OfAFileIsThatOfItsBytesWhateverItsSize) {
  const TemporaryFolder folder;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1} << 20, (std::size_t{1} << 20) + 1}) {
    const std::string bytes(size, 'x');
    std::ofstream(folder.path() / "file", std::ios::binary) << bytes;
    EXPECT_EQ(sha256_file(folder.path() / "file"), sha256(bytes)) << size;
  }
}

TEST(Sha256, OfASampleTellsFilesApartByTheirSizeAndByBothEnds) {
  const TemporaryFolder folder;
  const auto sample = [&](const std::string& bytes) {
    return sha256_sample(folder.write("file", bytes));
  };
  for (const std::size_t size : {std::size_t{3} << 20, std::size_t{1000}}) {
    const std::string bytes(size, 'x');
    EXPECT_EQ(sample(bytes), sample(bytes));
    EXPECT_NE(sample(bytes), sample(bytes + 'x'));
    for (const std::size_t at : {std::size_t{0}, size - 1}) {
      std::string other = bytes;
      other[at] = 'y';
      EXPECT_NE(sample(bytes), sample(other)) << at;
    }
  }
}

TEST(Sha256, OfASampleOfWhatIsNoFileIsEmpty) {
  EXPECT_EQ(sha256_sample("/nowhere/model.gguf"), "");
  EXPECT_EQ(sha256_sample("/"), "");
}

TEST(Sha256, OfAMissingFileNamesIt) {
  try {
    sha256_file("/nowhere/model.gguf");
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "/nowhere/model.gguf: cannot be read: No such file or directory");
  }
}

}  // namespace
}  // namespace theta
