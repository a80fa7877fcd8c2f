#pragma once

#include <filesystem>
#include <memory>

#include "experiments/view/server.hpp"

namespace theta::view {

/// What `theta view` answers: the pages of the runs and sweeps under a folder, read of their
/// records at the time of asking. Writes nothing there. Not thread-safe.
class Site {
 public:
  /// @param folder  of a run, of a sweep, or that holds folders of these
  /// @throws UserError if there is none of them.
  explicit Site(const std::filesystem::path& folder);
  ~Site();

  PageReply answer(const PageRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace theta::view
