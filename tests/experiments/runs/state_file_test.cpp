#include "experiments/runs/state_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/result.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

TEST(StateFile, PicklesAndFoldersOfDspyAreNamedWithTheWayOut) {
  const TemporaryFolder folder;
  const std::string pickle = folder.write("program.pkl", "\x80\x05\x95").string();
  const std::string way_out =
      ", which runs Python when it is read: save the state, with program.save('state.json') in "
      "DSPy";
  EXPECT_EQ(message_of<UserError>([&] { read_state_file(pickle); }),
            pickle + " is a pickle" + way_out);
  EXPECT_EQ(message_of<UserError>([&] { read_state_file(folder.path()); }),
            folder.path().string() + " is the folder of a pickled program" + way_out);
  const TemporaryFolder other;
  EXPECT_EQ(message_of<UserError>([&] { read_state_file(other.path()); }),
            other.path().string() + ": this is a folder, and a saved prompt is a file");
  EXPECT_EQ(message_of<UserError>([&] {
              read_state_file(folder.write("a.json", "version https://git-lfs.github.com\n"));
            }),
            (folder.path() / "a.json").string() +
                " is a Git LFS pointer: what it stands for was not fetched (git lfs pull)");
  EXPECT_EQ(read_state_file(folder.write("b.json", "{}")), "{}");
  const std::string list = folder.write("c.json", "[{}]").string();
  EXPECT_EQ(message_of<UserError>([&] { read_state_file(list); }),
            list + ":1:1: a saved prompt is a JSON object, and this is a list");
}

}  // namespace
}  // namespace theta
