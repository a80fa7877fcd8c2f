#include "experiments/runs/slurm.hpp"

#include <gtest/gtest.h>

#include "core/result.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

TEST(SlurmScript, IsAnArrayOfWorkersThatLeaveWhenOthersAreAtTheRest) {
  const SlurmJob job{"moods", 3, 2, {"partition=gpu", "time=4:00:00", "exclusive"}};
  EXPECT_EQ(slurm_script(job, "/data/it's 5%", "/opt/my theta"),
            "#!/bin/sh\n"
            "#SBATCH --job-name=moods\n"
            "#SBATCH --array=1-3\n"
            "#SBATCH --output=\"/data/it's 5%%/slurm-%A_%a.log\"\n"
            "#SBATCH --open-mode=append\n"
            "#SBATCH --partition=gpu\n"
            "#SBATCH --time=4:00:00\n"
            "#SBATCH --exclusive\n"
            "exec '/opt/my theta' sweep '/data/it'\\''s 5%' --jobs 2 --leave\n");
}

TEST(SlurmScript, RefusesWhatIsNoOptionAndAPathThatSlurmCannotWrite) {
  for (const char* option : {"", "--partition=gpu", "a b=c", "time=1\nrm -rf ~"})
    EXPECT_EQ(message_of<UserError>([&] {
                slurm_script({"x", 1, 1, {option}}, "/d", "/t");
              }),
              "--sbatch '" + std::string(option) +
                  "': give an option of sbatch by its long name, as partition=gpu");
  EXPECT_EQ(message_of<UserError>([] {
              slurm_script({"x", 1, 1, {}}, "/a\"b", "/t");
            }),
            "Slurm cannot write into /a\"b: give an --out without quotes and backslashes");
}

}  // namespace
}  // namespace theta
