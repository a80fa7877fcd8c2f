#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/small_model.hpp"

namespace theta {

/// Stops a model whose batch takes 2048 tokens while it computes one, before it has an answer.
inline void expect_interrupted_in_a_batch(LanguageModel& model) {
  std::string text;
  for (int i = 0; i < 1900; ++i) text += " rain";
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    stop.request_stop();
  });
  EXPECT_THROW(model.complete(
                   std::vector{choice(text, {"Yes", "No"})},
                   [](std::size_t, Result<Response>) { FAIL() << "answered"; }, stop.get_token()),
               Interrupted);
}

}  // namespace theta
