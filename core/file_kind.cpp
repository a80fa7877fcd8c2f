#include "core/file_kind.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

#include "core/ascii.hpp"
#include "core/result.hpp"
#include "core/utf8.hpp"
#include "core/visible.hpp"

namespace theta {
namespace {

using namespace std::string_view_literals;

struct Mark {
  std::size_t at;
  std::string_view bytes;
  std::string_view kind;
};

constexpr std::string_view kGzip = "\x1f\x8b"sv;

constexpr std::array kMarks = {
    Mark{0, "version https://git-lfs"sv,
         "a Git LFS pointer: what it stands for was not fetched (git lfs pull)"sv},
    Mark{0, "PAR1"sv,
         "a Parquet file: write its rows as JSON lines (pandas: "
         "read_parquet(FILE).to_json(OUT, orient='records', lines=True))"sv},
    Mark{0, "ARROW1"sv,
         "an Arrow file: write its rows as JSON lines (pandas: "
         "read_feather(FILE).to_json(OUT, orient='records', lines=True))"sv},
    Mark{0, "\xff\xff\xff\xff"sv,
         "a stream of Arrow: write its rows as JSON lines (datasets: "
         "load_from_disk(FOLDER).to_json(OUT))"sv},
    Mark{0, "Obj\x01"sv, "an Avro file: write its rows as JSON lines"sv},
    Mark{0, "SQLite format 3\0"sv, "an SQLite database: write its rows as JSON lines"sv},
    Mark{0, "\x93NUMPY"sv, "a NumPy array"sv},
    Mark{0, kGzip, "compressed by gzip: unpack it"sv},
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
    Mark{0, "/annex/objects/"sv,
         "a pointer of git-annex: what it stands for was not fetched (git annex get)"sv},
};

/// What a zip archive is, by its first entry: the name's length stands at 26, the name at 30
/// (PKWARE APPNOTE 4.3.7).
std::string kind_of_archive(std::string_view head) {
  constexpr std::size_t kLength = 26, kName = 30;
  if (head.size() <= kName) return "a zip archive: unpack it";
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(head[at]); };
  const std::size_t length = byte(kLength) + 256UL * byte(kLength + 1);
  const std::string_view name = head.substr(kName, length);
  const auto begins = [&](std::string_view start) { return name.starts_with(start); };
  if (begins("[Content_Types].xml") || begins("xl/") || begins("docProps/") || begins("_rels/") ||
      begins("mimetype"))
    return "a workbook: save its sheet as CSV";
  if (name.ends_with("data.pkl")) return "a model of PyTorch";
  return fmt::format("a zip archive: unpack it, and name a file in it, such as {}",
                     visible(name.substr(0, utf8_prefix(name.substr(0, 60)))));
}

/// What a text that is marked up is; empty for any other.
std::string kind_of_markup(std::string_view head) {
  const std::string text = ascii::lower(ascii::trim_left(head).substr(0, 32));
  if (text.starts_with("<!doctype") || text.starts_with("<html"))
    return "a web page: the download went wrong";
  return text.starts_with("<?xml") ? "XML: write its rows as CSV or JSON lines" : "";
}

/// What is given in place of a file's path; empty for a path.
std::string not_a_path(const std::string& given) {
  // A path that a folder was put before has lost one of the slashes.
  constexpr std::array<std::string_view, 6> kSchemes = {"http:/", "https:/", "hf:/",
                                                        "s3:/",   "gs:/",    "file:/"};
  const auto holds = [&](std::string_view part) {
    const std::size_t at = given.find(part);
    return at != given.npos && (at == 0 || given[at - 1] == '/');
  };
  if (std::ranges::any_of(kSchemes, holds))
    return "; an address is not read: fetch it, and name the file";
  if (holds("~/")) return "; `~` is read by shells alone: write ${HOME}";
  return given.find_first_of("*?") != given.npos ? "; a pattern is not read: name one file" : "";
}

std::string head_of(const std::filesystem::path& file) {
  std::string head(512, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  return head;
}

/// `: name a file in it, such as a.jsonl`, or what else helps where a folder is given for a file.
std::string way_out_of_folder(const std::filesystem::path& folder) {
  std::vector<std::string> tables, others;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const auto ends = [&](const char* ending) { return name.ends_with(ending); };
    if (ends(".jsonl") || ends(".json") || ends(".csv") || ends(".tsv") || ends(".gz"))
      tables.push_back(name);
    else if (ends(".arrow") || ends(".parquet"))
      others.push_back(name);
  }
  if (!others.empty())
    return fmt::format(
        " of a data set ({}): write its rows as JSON lines (datasets: "
        "load_from_disk(FOLDER).to_json(OUT))",
        std::ranges::min(others));
  return tables.empty() ? ""
                        : fmt::format(": name a file in it, such as {}", std::ranges::min(tables));
}

}  // namespace

std::string kind_of_bytes(std::string_view head) {
  for (const Mark& mark : kMarks)
    if (head.size() >= mark.at && head.substr(mark.at).starts_with(mark.bytes))
      return std::string(mark.kind);
  return head.starts_with("PK\x03\x04") ? kind_of_archive(head) : kind_of_markup(head);
}

std::string kind_of_file(const std::filesystem::path& file) { return kind_of_bytes(head_of(file)); }

void check_file(const std::filesystem::path& file, bool may_be_packed) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status))
    throw UserError(status.type() == std::filesystem::file_type::not_found
                        ? "there is no file " + file.string() + not_a_path(file.string())
                        : fmt::format("{} cannot be read: {}", file.string(), error.message()));
  if (std::filesystem::is_directory(status))
    throw UserError(file.string() + " is a folder" +
                    (may_be_packed ? way_out_of_folder(file) : ""));
  if (!std::filesystem::is_regular_file(status))
    throw UserError(file.string() + " is no regular file");
  if (!std::ifstream(file))
    throw UserError(fmt::format("{} cannot be read: {}", file.string(), std::strerror(errno)));
  const std::string head = head_of(file);
  if (may_be_packed && head.starts_with(kGzip)) return;
  if (const std::string kind = kind_of_bytes(head); !kind.empty())
    throw UserError(fmt::format("{} is {}", file.string(), kind));
}

}  // namespace theta
