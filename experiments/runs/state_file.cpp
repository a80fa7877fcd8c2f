#include "experiments/runs/state_file.hpp"

#include <fmt/format.h>

#include <string_view>

#include "core/ascii.hpp"
#include "core/file_kind.hpp"
#include "core/result.hpp"
#include "core/utf8.hpp"
#include "experiments/files.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWayOut =
    ", which runs Python when it is read: save the state, with "
    "program.save('state.json') in DSPy";

/// Whether a text begins as Python's pickles do since protocol 2.
bool is_pickle(std::string_view text) {
  return text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5;
}

}  // namespace

std::string read_state_file(const fs::path& file) {
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    const bool whole_program = fs::exists(file / "program.pkl", ignored);
    throw UserError(file.string() +
                    (whole_program ? " is the folder of a pickled program" + std::string(kWayOut)
                                   : ": this is a folder, and a saved prompt is a file"));
  }
  std::string text = read_whole(file);
  if (is_pickle(text)) throw UserError(file.string() + " is a pickle" + kWayOut);
  if (const std::string kind = kind_of_bytes(std::string_view(text).substr(0, 512)); !kind.empty())
    throw UserError(file.string() + " is " + kind);
  const std::string_view bare = ascii::trim_left(after_byte_order_mark(text));
  if (bare.empty() || bare.starts_with('['))
    throw UserError(fmt::format("{}:1:1: a saved prompt is a JSON object, and this is {}",
                                file.string(), bare.empty() ? "empty" : "a list"));
  return text;
}

}  // namespace theta
