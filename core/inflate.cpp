#include "core/inflate.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace theta {
namespace {

/// @param window  as inflateInit2 takes it: which of the formats it is
Result<std::string> inflated_as(int window, std::string_view compressed, std::size_t most) {
  constexpr std::size_t kChunk = 64 * 1024;
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return Error{Fault::kService, "zlib has no memory"};
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  if (compressed.size() > std::numeric_limits<uInt>::max())
    return Error{Fault::kService, "compressed bytes beyond 4 GiB"};
  // zlib takes what it reads as not const, and does not write to it.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  for (int state = Z_OK; state != Z_STREAM_END;) {
    const std::size_t had = out.size();
    if (had > most) return Error{Fault::kService, fmt::format("more than {} bytes", most)};
    out.resize(had + kChunk);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + had);
    stream.avail_out = kChunk;
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (state != Z_OK && state != Z_STREAM_END)
      return Error{Fault::kService, state == Z_BUF_ERROR ? "the compressed answer breaks off"
                                                         : "the compressed answer is damaged"};
  }
  if (out.size() > most) return Error{Fault::kService, fmt::format("more than {} bytes", most)};
  return out;
}

}  // namespace

Result<std::string> inflated(std::string_view compressed, std::size_t most) {
  constexpr int kGzipOrZlib = 15 + 32, kBare = -15;
  auto out = inflated_as(kGzipOrZlib, compressed, most);
  if (!out) {
    if (auto bare = inflated_as(kBare, compressed, most)) return bare;
  }
  return out;
}

}  // namespace theta
