#include "core/models/llama/gguf_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/result.hpp"
#include "tests/support/gguf.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;

constexpr const char* kFine = "nothing was thrown";

/// What is said of a file of these bytes, behind its name.
std::string why_not(const std::string& bytes, GgufKind kind = GgufKind::kModel,
                    const std::string& name = "m.gguf") {
  const TemporaryFolder folder;
  const fs::path file = folder.write(name, bytes);
  const std::string message = message_of<UserError>([&] { check_gguf(file, kind); });
  return message == kFine ? message : message.substr(message.find(name) + name.size());
}

const std::string kModel = gguf({{"general.architecture", "llama"}});
const std::string kAdapter = gguf({{"general.architecture", "llama"}, {"general.type", "adapter"}});

TEST(CheckGguf, TakesWholeModelsAndAdapters) {
  EXPECT_EQ(why_not(kModel), kFine);
  EXPECT_EQ(why_not(kAdapter, GgufKind::kAdapter), kFine);
}

TEST(CheckGguf, TellsModelsFromAdaptersAndReadersOfImages) {
  EXPECT_EQ(why_not(kAdapter), " is an adapter: it goes under `lora` of its model");
  EXPECT_EQ(why_not(kModel, GgufKind::kAdapter), " is a model, not an adapter");
  EXPECT_EQ(why_not(gguf({{"general.architecture", "clip"}})),
            " reads images for a model, and is none itself");
}

TEST(CheckGguf, FindsEveryPlaceWhereAFileWasCutOff) {
  for (std::size_t n = 8; n < kModel.size(); ++n)
    EXPECT_THAT(why_not(kModel.substr(0, n)), testing::HasSubstr("cut off")) << n;
  EXPECT_EQ(why_not(kModel.substr(0, kModel.size() - 1)),
            " is cut off: 159 of its 160 bytes are there; fetch it again");
}

TEST(CheckGguf, NamesWhatIsNone) {
  EXPECT_EQ(why_not("no model"), " is not a GGUF file: it does not begin with the letters GGUF");
  EXPECT_EQ(why_not(""), " is not a GGUF file: it does not begin with the letters GGUF");
  EXPECT_EQ(why_not("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
            " is a Git LFS pointer: what it stands for was not fetched (git lfs pull)");
  EXPECT_EQ(why_not("PK\x03\x04pytorch"), " is a zip archive: unpack it");
  EXPECT_EQ(why_not(gguf({}, 1)),
            " is of GGUF version 1, and 2 to 3 can be read: convert the model anew");
  EXPECT_EQ(why_not(gguf({}, 3, 0)), " holds no weights");
  EXPECT_EQ(message_of<UserError>([] { check_gguf("/none/m.gguf", GgufKind::kModel); }),
            "there is no file /none/m.gguf");
  EXPECT_EQ(message_of<UserError>([] { check_gguf("/tmp", GgufKind::kModel); }),
            "/tmp is a folder");
}

}  // namespace
}  // namespace theta
