#include "experiments/runs/baselines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "experiments/runs/program_experiment.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

BaselineOptions read(const std::string& lines, const std::string& output = "Literal['a', 'b']") {
  const Config config = Config::parse(
      "data: {file: rows.csv, split: {train: 1, test: 1}}\n"
      "program: {signature: \"text -> label: " +
          output + "\"}\n" + lines,
      "c.yaml");
  return read_program_experiment(config).baselines;
}

TEST(Baselines, AreRowsOfEveryTaskWithLabels) {
  EXPECT_THAT(read("").rows,
              ElementsAre(Baseline::kMajority, Baseline::kCentroid, Baseline::kLogistic));
  EXPECT_THAT(read("", "str").rows, IsEmpty());
  EXPECT_THAT(read("baselines: []").rows, IsEmpty());
  EXPECT_THAT(read("metric: {command: [./score]}").rows, IsEmpty());
}

TEST(Baselines, AreChosenByName) {
  EXPECT_THAT(read("baselines: [logistic]").rows, ElementsAre(Baseline::kLogistic));
  EXPECT_EQ(message_of<UserError>([] { read("baselines: [forest]"); }),
            "c.yaml:3:13: there is no baseline 'forest': choose majority, centroid or logistic");
  EXPECT_EQ(message_of<UserError>([] { read("baselines: [majority]", "str"); }),
            "c.yaml:3:12: baselines classify texts, but the answer `label` is not one of some "
            "labels");
}

TEST(Baselines, HaveNamesThatNoOptimizerMayTake) {
  EXPECT_THAT(message_of<UserError>([] { read("optimizers: [{name: mipro, label: majority}]"); }),
              ::testing::HasSubstr("majority"));
}

}  // namespace
}  // namespace theta
