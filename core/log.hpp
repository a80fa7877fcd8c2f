#pragma once

#include <string>
#include <string_view>

#include "core/progress.hpp"

namespace theta {

/// Sends spdlog's default logger through `progress`, so that no message smears its line. A message
/// is one line, `theta: warning: message`, below warnings `theta: message`; in colour on a
/// terminal.
/// @param level     the least that is shown: `debug`, `info`, `warning`, `error`
/// @param progress  outlives the logging
/// @throws UserError for another level.
void set_up_logging(std::string_view level, Progress& progress);

/// Writes a line to stderr. Where that cannot be written to, a run goes on unheard.
void tell(const std::string& line);

/// While it lives, nothing is logged, by any thread.
class Silence {
 public:
  Silence();
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  const int level_;
};

}  // namespace theta
