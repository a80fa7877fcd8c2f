#include "core/models/llama/gguf_file.hpp"

#include <fmt/format.h>
#include <ggml.h>
#include <gguf.h>
#include <spdlog/spdlog.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>

#include "core/file_kind.hpp"
#include "core/result.hpp"

namespace theta {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF's numbers are little-endian");

struct FreeGguf {
  void operator()(gguf_context* header) const { gguf_free(header); }
};

/// Of a text of the header; empty where there is none.
std::string text_of(const gguf_context* header, const char* key) {
  const auto at = gguf_find_key(header, key);
  const bool is_text = at >= 0 && gguf_get_kv_type(header, at) == GGUF_TYPE_STRING;
  return is_text ? gguf_get_val_str(header, at) : "";
}

/// Bytes that the header says the file has.
std::uint64_t wanted_bytes(const gguf_context* header) {
  std::uint64_t end = 0;
  for (std::int64_t i = 0; i < gguf_get_n_tensors(header); ++i)
    end = std::max<std::uint64_t>(
        end, gguf_get_tensor_offset(header, i) + gguf_get_tensor_size(header, i));
  return gguf_get_data_offset(header) + end;
}

/// `model-00001-of-00003.gguf` is the first of three files.
void check_parts(const std::filesystem::path& file, const gguf_context* header) {
  const auto at = gguf_find_key(header, "split.count");
  if (at < 0 || gguf_get_kv_type(header, at) != GGUF_TYPE_UINT16) return;
  const int n = gguf_get_val_u16(header, at);
  const std::string name = file.filename().string();
  const std::string ending = fmt::format("-00001-of-{:05}.gguf", n);
  if (n < 2) return;
  if (!name.ends_with(ending))
    throw UserError(fmt::format("{} is one of {} files of a model: name the first, ..{}",
                                file.string(), n, ending));
  for (int i = 2; i <= n; ++i) {
    const auto part =
        file.parent_path() /
        fmt::format("{}-{:05}-of-{:05}.gguf", name.substr(0, name.size() - ending.size()), i, n);
    if (!std::filesystem::is_regular_file(part))
      throw UserError(fmt::format("{} is the first of {} files of a model, and there is no {}",
                                  file.string(), n, part.filename().string()));
  }
}

}  // namespace

void check_gguf(const std::filesystem::path& file, GgufKind kind) {
  check_file(file);
  std::array<char, 8> start{};
  std::ifstream(file, std::ios::binary).read(start.data(), start.size());
  if (std::memcmp(start.data(), "GGUF", 4) != 0)
    throw UserError(fmt::format("{} is not a GGUF file: it does not begin with the letters GGUF",
                                file.string()));
  ggml_log_set(
      [](ggml_log_level, const char* text, void*) {
        const std::string_view line = text;
        spdlog::debug("llama.cpp: {}", line.substr(0, line.find_last_not_of('\n') + 1));
      },
      nullptr);
  const std::unique_ptr<gguf_context, FreeGguf> header(
      gguf_init_from_file(file.c_str(), {.no_alloc = true, .ctx = nullptr}));
  if (!header) {
    std::uint32_t version = 0;
    std::memcpy(&version, start.data() + 4, sizeof version);
    if (version < 2 || version > GGUF_VERSION)
      throw UserError(
          fmt::format("{} is of GGUF version {}, and 2 to {} can be read: convert the "
                      "model anew",
                      file.string(), version, GGUF_VERSION));
    throw UserError(
        fmt::format("{} is damaged or cut off: its header cannot be read; fetch it "
                    "again",
                    file.string()));
  }
  const std::string type = text_of(header.get(), "general.type");
  const std::string architecture = text_of(header.get(), "general.architecture");
  if (kind == GgufKind::kAdapter && type != "adapter")
    throw UserError(fmt::format("{} is a model, not an adapter", file.string()));
  if (kind == GgufKind::kModel && type == "adapter")
    throw UserError(
        fmt::format("{} is an adapter: it goes under `lora` of its model", file.string()));
  if (kind == GgufKind::kModel && (type == "mmproj" || architecture == "clip"))
    throw UserError(fmt::format("{} reads images for a model, and is none itself", file.string()));
  if (gguf_get_n_tensors(header.get()) == 0)
    throw UserError(fmt::format("{} holds no weights", file.string()));
  const std::uint64_t wanted = wanted_bytes(header.get());
  const std::uint64_t there = std::filesystem::file_size(file);
  if (there < wanted)
    throw UserError(fmt::format("{} is cut off: {} of its {} bytes are there; fetch it again",
                                file.string(), there, wanted));
  if (kind == GgufKind::kModel) check_parts(file, header.get());
}

}  // namespace theta
