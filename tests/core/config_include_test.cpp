#include <gtest/gtest.h>

#include <filesystem>

#include "core/config.hpp"
#include "core/result.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

class Include : public testing::Test {
 protected:
  std::string error_of(const std::string& text) const {
    const auto file = folder_.write("own.yaml", text);
    return message_of<UserError>([&] { Config::load(file); });
  }
  std::string at(const std::string& rest) const { return (folder_.path() / rest).string(); }

  TemporaryFolder folder_;
};

TEST_F(Include, LaysMappingsOverOneAnotherKeyByKeyAndAllElseWhole) {
  folder_.write("base.yaml",
                "name: base\nmodels: {task: {path: m.gguf, threads: 2}}\nseeds: [1, 2]\n");
  const auto file = folder_.write(
      "own.yaml", "include: base.yaml\nname: own\nmodels: {task: {threads: 4}}\nseeds: [3]\n");
  EXPECT_EQ(Config::load(file).canonical({}),
            R"({"models":{"task":{"path":"m.gguf","threads":4}},"name":"own","seeds":[3]})");
}

TEST_F(Include, LaterFilesOfAListLieOverEarlierOnesAndKeysWithDotsAreKeys) {
  folder_.write("a.yaml", "x: 1\ny: 1\nsweep: {grid: {a.b: [1]}}\n");
  folder_.write("b.json", R"({"y": 2, "sweep": {"grid": {"a.b": [2], "a.c": [3]}}})");
  const auto file = folder_.write("own.yaml", "include: [a.yaml, b.json]\n");
  EXPECT_EQ(Config::load(file).canonical({}),
            R"({"sweep":{"grid":{"a.b":[2],"a.c":[3]}},"x":1,"y":2})");
}

TEST_F(Include, AValueKeepsTheFileThatItStandsInAndFilesIncludeFurtherOnes) {
  std::filesystem::create_directory(folder_.path() / "in");
  folder_.write("in/first.yaml", "a: first\n");
  folder_.write("in/second.yaml", "include: first.yaml\nb: second\n");
  const auto file = folder_.write("own.yaml", "include: in/second.yaml\nc: own\n");
  const Config config = Config::load(file);
  EXPECT_EQ(config.at("a").position().text(), at("in/first.yaml:1:4"));
  EXPECT_EQ(config.at("b").position().text(), at("in/second.yaml:2:4"));
  EXPECT_EQ(config.at("c").position().text(), at("own.yaml:2:4"));
}

TEST_F(Include, SaysWhatIsWrongWithAFileAndWhereItIsNamed) {
  EXPECT_EQ(error_of("name: x\ninclude: none.yaml\n").substr(0, at("own.yaml:2:10: ").size()),
            at("own.yaml:2:10: "));
  EXPECT_EQ(error_of("include: {a: b}\n"),
            at("own.yaml:1:10: 'include' is a file, or a list of files"));
  EXPECT_EQ(error_of("include: own.yaml\n"),
            at("own.yaml:1:10: ") + at("own.yaml") + " includes itself");
  folder_.write("list.yaml", "[1, 2]\n");
  EXPECT_EQ(error_of("include: list.yaml\n"),
            at("list.yaml:1:1: a config that is included is a mapping"));
}

TEST_F(Include, FilesThatIncludeOneAnotherAreToldOf) {
  folder_.write("a.yaml", "include: own.yaml\n");
  EXPECT_EQ(error_of("include: a.yaml\n"),
            at("a.yaml:1:10: ") + at("own.yaml") + " includes itself");
}

}  // namespace
}  // namespace theta
