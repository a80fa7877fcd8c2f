#include "optimizers/combinations.hpp"

#include <gmock/gmock.h>

namespace theta {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::vector<Variable> kSpace{{"a", 2}, {"b", 3}};

TEST(Combinations, AreListedInLexicographicOrder) {
  EXPECT_THAT(list_combinations(kSpace, 6),
              ElementsAre(Combination{0, 0}, Combination{0, 1}, Combination{0, 2},
                          Combination{1, 0}, Combination{1, 1}, Combination{1, 2}));
}

TEST(Combinations, AreNotListedWhereTheyAreTooMany) {
  EXPECT_THAT(list_combinations(kSpace, 5), IsEmpty());
}

TEST(Combinations, OfNoVariableAreOne) {
  EXPECT_THAT(list_combinations({}, 1), ElementsAre(Combination{}));
}

TEST(Combinations, AreDrawnBesideTheKnownAndTheNeighboursOfCentres) {
  const std::vector<Variable> space{{"a", 100}, {"b", 100}};
  const Combination centre{7, 8};
  Rng rng(1);
  const auto drawn = draw_combinations(space, {{3, 4}}, {&centre, 1}, 300, rng);
  EXPECT_TRUE(drawn.contains({3, 4}));
  for (int choice = 0; choice < 100; ++choice) {
    EXPECT_TRUE(drawn.contains({choice, 8}));
    EXPECT_TRUE(drawn.contains({7, choice}));
  }
  EXPECT_GT(drawn.size(), 250);
  EXPECT_LE(drawn.size(), 300);
}

}  // namespace
}  // namespace theta
