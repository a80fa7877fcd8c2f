#include "experiments/data/text_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <iterator>
#include <string>

#include "core/result.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using namespace std::string_literals;
using testing::ThrowsMessage;

class TextFiles : public testing::Test {
 protected:
  std::string read(const std::string& content, const std::string& encoding = "") {
    TextFile text(folder_.write("a.csv", content), encoding);
    while (text.more()) {
    }
    return std::string(text.rest());
  }
  std::string packed(const std::string& content) {
    const auto file = folder_.path() / "packed";
    gzFile out = gzopen(file.c_str(), "wb");
    gzwrite(out, content.data(), static_cast<unsigned>(content.size()));
    gzclose(out);
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string error(const std::string& content, const std::string& encoding = "") {
    try {
      read(content, encoding);
    } catch (const UserError& e) {
      return std::string(e.what()).substr(folder_.path().string().size() + 1);
    }
    return "";
  }
  TemporaryFolder folder_;
};

TEST_F(TextFiles, AnEncodingIsToldByItsMark) {
  EXPECT_EQ(read("\xEF\xBB\xBF\xC3\xA9\n"), "\xC3\xA9\n");
  EXPECT_EQ(read("\xFF\xFE\xE9\0\n\0"s), "\xC3\xA9\n");
  EXPECT_EQ(read("\xFE\xFF\0\xE9\0\n"s), "\xC3\xA9\n");
  EXPECT_EQ(read("\xFF\xFE\0\0\xE9\0\0\0"s), "\xC3\xA9");
  EXPECT_EQ(read("a\0b\0\n\0"s), "ab\n");
  EXPECT_EQ(read("\0a\0b\0\n"s), "ab\n");
}

TEST_F(TextFiles, AnEncodingIsReadByItsName) {
  EXPECT_EQ(read("caf\xE9", "latin-1"), "caf\xC3\xA9");
  EXPECT_EQ(read("\x80", "windows-1252"), "\xE2\x82\xAC");
  EXPECT_EQ(read("\x80", "cp1252"), "\xE2\x82\xAC");
  EXPECT_EQ(read("\x82\xA0", "shift_jis"), "\xE3\x81\x82");
  EXPECT_EQ(read("\xEF\xBB\xBFx", "utf-8-sig"), "x");
  EXPECT_EQ(error("x", "klingon"),
            "a.csv: `klingon` is no encoding that is known: write utf-8, utf-16, latin-1, "
            "windows-1252, shift_jis, ..");
}

TEST_F(TextFiles, WhatCannotBeDecodedIsMarkedAndABadByteOfUtf8Stays) {
  EXPECT_EQ(read("\xFF\xFE\x00\xD8x\0"s), std::string(kUnreadable) + "x");
  EXPECT_EQ(read("caf\xE9"), "caf\xE9");
  EXPECT_FALSE(is_readable("caf\xE9"));
  EXPECT_FALSE(is_readable(kUnreadable));
}

TEST_F(TextFiles, LinesMayEndInCarriageReturnsAlone) {
  EXPECT_EQ(read("a\rb\r"), "a\nb\n");
  EXPECT_EQ(read("a\rb\r\n"), "a\rb\r\n");
}

TEST_F(TextFiles, GzipIsUnpackedAndACutOneIsNamed) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string bytes = packed(text);
  EXPECT_EQ(read(bytes), text);
  EXPECT_EQ(error(bytes.substr(0, bytes.size() / 2)),
            "a.csv: the gzip file is cut off: fetch it again");
}

TEST_F(TextFiles, OtherFormatsAreNamedWithTheWayOut) {
  EXPECT_EQ(error("PAR1...."),
            "a.csv is a Parquet file: write its rows as JSON lines (pandas: "
            "read_parquet(FILE).to_json(OUT, orient='records', lines=True))");
  EXPECT_EQ(error("version https://git-lfs.github.com/spec/v1\n"),
            "a.csv is a Git LFS pointer: what it stands for was not fetched (git lfs pull)");
  EXPECT_EQ(error(packed("PAR1....")).substr(0, 27), "a.csv holds a Parquet file:");
  const TemporaryFolder other;
  other.write("b.jsonl", "{}");
  EXPECT_THAT([&] { TextFile(other.path(), ""); },
              ThrowsMessage<UserError>(other.path().string() +
                                       " is a folder: name a file in it, such as b.jsonl"));
  other.write("data-0.arrow", "");
  EXPECT_THAT(
      [&] { TextFile(other.path(), ""); },
      ThrowsMessage<UserError>(other.path().string() +
                               " is a folder of a data set (data-0.arrow): write its rows "
                               "as JSON lines (datasets: load_from_disk(FOLDER).to_json(OUT))"));
}

TEST_F(TextFiles, PiecesKeepTheLineAndThePlace) {
  std::string content(300'000, 'x');
  content += "\ny\nz";
  TextFile text(folder_.write("a", content), "");
  std::string_view line;
  ASSERT_TRUE(peek_line(text, line));
  EXPECT_EQ(line.size(), 300'000U);
  drop_line(text, line);
  EXPECT_EQ(text.line(), 2);
  ASSERT_TRUE(peek_line(text, line));
  EXPECT_EQ(line, "y");
  drop_line(text, line);
  ASSERT_TRUE(peek_line(text, line));
  EXPECT_EQ(line, "z");
  drop_line(text, line);
  EXPECT_FALSE(peek_line(text, line));
  EXPECT_EQ(text.position(), content.size());
}

}  // namespace
}  // namespace theta
