#pragma once

#include <string>
#include <vector>

#include "modules/metric.hpp"

namespace theta {

/// A program of the user's grades: it reads a line of JSON a prediction, `{"id": "7", "example":
/// {..}, "prediction": {..}}`, and writes a line for each, in their order: `{"score": 0.5,
/// "feedback": "too long"}`, or the score alone. Scores are in [0, 1]; true counts 1.
///
/// The program is found as a shell finds it and started with the first wave, in the folder that this
/// process runs in. It is kept until the last copy of the metric is gone: its input ends then, and
/// if it goes on for a second it is killed. It is sent a wave's lines without waiting for its
/// answers, and what it writes to stderr is seen. Waves of several threads take turns.
///
/// A wave throws UserError for a program that cannot be started and for a line that is no grade,
/// RunError where it ended early, naming the row, and Interrupted when stopped.
Metric command_metric(std::vector<std::string> command);

}  // namespace theta
