#include "core/file_kind.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "core/result.hpp"

namespace theta {
namespace {

using namespace std::string_view_literals;

struct Mark {
  std::size_t at;
  std::string_view bytes;
  std::string_view kind;
};

constexpr std::array kMarks = {
    Mark{0, "version https://git-lfs"sv,
         "a Git LFS pointer: what it stands for was not fetched (git lfs pull)"sv},
    Mark{0, "PAR1"sv, "a Parquet file: write its rows as JSON lines"sv},
    Mark{0, "ARROW1"sv, "an Arrow file: write its rows as JSON lines"sv},
    Mark{0, "Obj\x01"sv, "an Avro file: write its rows as JSON lines"sv},
    Mark{0, "SQLite format 3\0"sv, "an SQLite database: write its rows as JSON lines"sv},
    Mark{0, "\x93NUMPY"sv, "a NumPy array"sv},
    Mark{0, "PK\x03\x04"sv, "a zip archive (or a workbook, or a model of PyTorch)"sv},
    Mark{0, "\x1f\x8b"sv, "compressed by gzip: unpack it"sv},
    Mark{0, "BZh"sv, "compressed by bzip2: unpack it"sv},
    Mark{0,
         "\xfd"
         "7zXZ\0"sv,
         "compressed by xz: unpack it"sv},
    Mark{0, "\x28\xb5\x2f\xfd"sv, "compressed by zstd: unpack it"sv},
    Mark{0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive: unpack it"sv},
    Mark{0, "Rar!\x1a\x07"sv, "a rar archive: unpack it"sv},
    Mark{257, "ustar"sv, "a tar archive: unpack it"sv},
    Mark{0, "%PDF-"sv, "a PDF file"sv},
    Mark{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, "an old workbook: save it as CSV"sv},
    Mark{0, "<!DOCTYPE"sv, "a web page: the download went wrong"sv},
    Mark{0, "<!doctype"sv, "a web page: the download went wrong"sv},
    Mark{0, "<html"sv, "a web page: the download went wrong"sv},
};

}  // namespace

std::string kind_of_file(const std::filesystem::path& file) {
  std::array<char, 512> head{};
  std::ifstream in(file, std::ios::binary);
  in.read(head.data(), head.size());
  const std::string_view text(head.data(), static_cast<std::size_t>(in.gcount()));
  for (const Mark& mark : kMarks)
    if (text.size() >= mark.at && text.substr(mark.at).starts_with(mark.bytes))
      return std::string(mark.kind);
  return "";
}

void check_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status))
    throw UserError(status.type() == std::filesystem::file_type::not_found
                        ? "there is no file " + file.string()
                        : fmt::format("{} cannot be read: {}", file.string(), error.message()));
  if (std::filesystem::is_directory(status)) throw UserError(file.string() + " is a folder");
  if (!std::filesystem::is_regular_file(status))
    throw UserError(file.string() + " is no regular file");
  if (!std::ifstream(file))
    throw UserError(fmt::format("{} cannot be read: {}", file.string(), std::strerror(errno)));
  if (const std::string kind = kind_of_file(file); !kind.empty())
    throw UserError(fmt::format("{} is {}", file.string(), kind));
}

}  // namespace theta
