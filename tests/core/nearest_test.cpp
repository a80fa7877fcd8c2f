#include "core/nearest.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

const std::vector<std::string> kKeys = {"model", "optimizer", "seed", "temperature", "threads"};

TEST(Nearest, FindsOneSlipOfTheFinger) {
  EXPECT_EQ(nearest("optimzer", kKeys), "optimizer");
  EXPECT_EQ(nearest("seeed", kKeys), "seed");
  EXPECT_EQ(nearest("modle", kKeys), "model");
  EXPECT_EQ(nearest("threds", kKeys), "threads");
}

TEST(Nearest, FindsWhatAWordBeginsOrContinues) {
  EXPECT_EQ(nearest("temp", kKeys), "temperature");
  EXPECT_EQ(nearest("models", kKeys), "model");
}

TEST(Nearest, TakesNoNoticeOfCaseAndOfWhatPartsWords) {
  EXPECT_EQ(nearest("Seed", kKeys), "seed");
  EXPECT_EQ(nearest("BootstrapFewShot", {"mipro", "bootstrap_few_shot"}), "bootstrap_few_shot");
  EXPECT_EQ(nearest("MIPROv2", {"mipro", "bootstrap_few_shot"}), "mipro");
}

TEST(Nearest, OffersNothingForAnotherWord) {
  EXPECT_EQ(nearest("banana", kKeys), std::nullopt);
  EXPECT_EQ(nearest("x", {"y"}), std::nullopt);
  EXPECT_EQ(nearest("", kKeys), std::nullopt);
  EXPECT_EQ(nearest("seed", {}), std::nullopt);
}

TEST(Nearest, TakesTheFirstOfEquallyNearWords) {
  EXPECT_EQ(nearest("cat", {"bat", "car"}), "bat");
  EXPECT_EQ(nearest("cat", {"car", "bat"}), "car");
}

TEST(DidYouMean, IsTheTailOfAnErrorMessage) {
  EXPECT_EQ(did_you_mean("optimzer", kKeys), "; did you mean 'optimizer'?");
  EXPECT_EQ(did_you_mean("banana", kKeys), "");
}

}  // namespace
}  // namespace theta
