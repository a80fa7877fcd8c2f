#include "modules/prototypes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Fits = std::vector<std::vector<double>>;

TEST(Prototypes, ServePeopleOfEachKindRatherThanMostPeopleTwice) {
  const Fits fits = {{0, -.1, -2}, {0, -.1, -2}, {0, -.1, -2}, {-3, -3, -1}};
  EXPECT_THAT(prototypes(fits, std::vector<double>(4, -2), 2), ElementsAre(0, 2));
}

TEST(Prototypes, CountWhatPeopleAreServedWithoutAny) {
  const Fits fits = {{-1, 0}, {-1, -5}};
  EXPECT_THAT(prototypes(fits, std::vector<double>{-2, -2}, 1), ElementsAre(0));
  EXPECT_THAT(prototypes(fits, std::vector<double>{-2, -1}, 1), ElementsAre(1));
}

TEST(Prototypes, EndWhereAFurtherOneAddsNothing) {
  const Fits fits = {{-1, -1, -3}, {-1, -2, -1}};
  EXPECT_THAT(prototypes(fits, std::vector<double>{-2, -2}, 3), ElementsAre(0));
  EXPECT_THAT(prototypes(fits, std::vector<double>{0, 0}, 3), IsEmpty());
}

TEST(Prototypes, AreNoneOfNobody) { EXPECT_THAT(prototypes({}, {}, 2), IsEmpty()); }

}  // namespace
}  // namespace theta
