#include "core/models/http/key.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

constexpr const char* kSecret = "sk-live/0123456789+abcdef";

TEST(Key, IsNotShownAsAUrlSpellsIt) {
  EXPECT_EQ(redacted("no such key: sk-live%2F0123456789%2babcdef&x=1%", kSecret),
            "no such key: [key]&x=1%");
  EXPECT_EQ(redacted("50% of sk-live is 25%2F", kSecret), "50% of sk-live is 25%2F");
}

TEST(Key, IsNotShownWithItsMiddleMasked) {
  for (const char* masked : {"sk-live/****************cdef", "sk-li...f",
                             "*********************cdef", "sk-live/0123\xE2\x80\xA6",
                             "sk-l\xE2\x80\xA2\xE2\x80\xA2"
                             "ef"})
    EXPECT_EQ(redacted(std::string("Incorrect API key provided: ") + masked + ", see", kSecret),
              "Incorrect API key provided: [key], see")
        << masked;
}

TEST(Key, IsNotTakenForStarsAndDotsBesideOtherWords) {
  for (const char* text : {"wait... for it", "*** note ***", "xxx and s...f", "1. 2. 3.#"})
    EXPECT_EQ(redacted(text, kSecret), text);
}

}  // namespace
}  // namespace theta
