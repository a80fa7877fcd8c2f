#include "experiments/data/text_file.hpp"

#include <fmt/format.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/ucnv_err.h>
#include <zlib.h>

#include <algorithm>
#include <array>

#include "core/ascii.hpp"
#include "core/file_kind.hpp"
#include "core/result.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

constexpr std::size_t kPiece = 1 << 18;

/// The encoding that the first bytes of a file tell; empty: UTF-8, or one that has no mark.
std::string told_encoding(std::string_view head) {
  using namespace std::string_view_literals;
  if (head.starts_with("\xFF\xFE\0\0"sv) || head.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32";
  if (head.starts_with("\xFF\xFE"sv) || head.starts_with("\xFE\xFF"sv)) return "UTF-16";
  // Without a mark: texts of data begin with ASCII, every other byte of which is zero there.
  if (head.size() < 4) return "";
  if (head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0) return "UTF-16LE";
  if (head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0) return "UTF-16BE";
  return "";
}

/// Puts U+FDD0 where a converter finds what its encoding does not have.
void mark_unreadable(const void*, UConverterToUnicodeArgs* args, const char*, std::int32_t,
                     UConverterCallbackReason reason, UErrorCode* error) {
  if (reason > UCNV_IRREGULAR) return;  // the converter is reset or closed
  *error = U_ZERO_ERROR;
  const UChar mark = 0xFDD0;
  ucnv_cbToUWriteUChars(args, &mark, 1, 0, error);
}

/// Turns the bytes of an encoding into UTF-8, piece by piece.
class Decoder {
 public:
  Decoder(const std::string& file, const std::string& encoding)
      : from_(nullptr, ucnv_close), to_(nullptr, ucnv_close) {
    UErrorCode error = U_ZERO_ERROR;
    from_.reset(ucnv_open(encoding.c_str(), &error));
    if (U_FAILURE(error) != 0)
      throw UserError(
          fmt::format("{}: `{}` is no encoding that is known: write utf-8, utf-16, "
                      "latin-1, windows-1252, shift_jis, ..",
                      file, encoding));
    to_.reset(ucnv_open("UTF-8", &error));
    ucnv_setToUCallBack(from_.get(), mark_unreadable, nullptr, nullptr, nullptr, &error);
    require(U_SUCCESS(error) != 0, "ICU writes UTF-8");
  }

  void append(std::string_view bytes, bool is_last, std::string& out) {
    const char* source = bytes.data();
    std::array<char, 4096> piece;
    for (bool full = true; full;) {
      char* target = piece.data();
      UErrorCode error = U_ZERO_ERROR;
      ucnv_convertEx(to_.get(), from_.get(), &target, piece.data() + piece.size(), &source,
                     bytes.data() + bytes.size(), pivot_.data(), &pivot_source_, &pivot_target_,
                     pivot_.data() + pivot_.size(), false, is_last, &error);
      full = error == U_BUFFER_OVERFLOW_ERROR;
      require(full || U_SUCCESS(error) != 0, "what cannot be decoded is marked");
      out.append(piece.data(), target);
    }
  }

 private:
  std::unique_ptr<UConverter, decltype(&ucnv_close)> from_, to_;
  std::array<UChar, 2048> pivot_{};
  UChar* pivot_source_ = pivot_.data();
  UChar* pivot_target_ = pivot_.data();
};

}  // namespace

bool is_readable(std::string_view text) {
  return text.find(kUnreadable) == text.npos && is_utf8(text);
}

void check_data_file(const std::filesystem::path& file) { check_file(file, true); }

struct TextFile::State {
  std::string name;
  std::unique_ptr<gzFile_s, decltype(&gzclose_r)> file{nullptr, gzclose_r};
  std::unique_ptr<Decoder> decoder;
  std::string buffer;
  std::size_t begin = 0;  ///< in `buffer`: what stands before is dropped
  std::ptrdiff_t line = 1;
  std::size_t position = 0;
  bool at_end = false;
  bool ends_in_cr = false;

  /// Up to so many bytes of the file, unpacked.
  std::string bytes(std::size_t most) {
    std::string piece(most, '\0');
    const int n = gzread(file.get(), piece.data(), static_cast<unsigned>(most));
    int code = Z_OK;
    const char* why = gzerror(file.get(), &code);
    if (n < 0 || code != Z_OK)
      throw UserError(fmt::format("{}: {}", name,
                                  code == Z_ERRNO ? std::string("cannot be read")
                                  : code == Z_BUF_ERROR
                                      ? std::string("the gzip file is cut off: fetch it again")
                                      : fmt::format("cannot be unpacked: {}", why)));
    piece.resize(static_cast<std::size_t>(n));
    at_end = piece.size() < most;
    return piece;
  }

  void append(std::string_view piece) {
    const std::size_t before = buffer.size();
    decoder ? decoder->append(piece, at_end, buffer) : void(buffer.append(piece));
    if (ends_in_cr)
      std::replace(buffer.begin() + static_cast<std::ptrdiff_t>(before), buffer.end(), '\r', '\n');
  }
};

TextFile::TextFile(const std::filesystem::path& file, const std::string& encoding)
    : state_(std::make_unique<State>()) {
  check_data_file(file);
  State& state = *state_;
  state.name = file.string();
  state.file.reset(gzopen(state.name.c_str(), "rb"));
  if (!state.file) throw UserError(state.name + " cannot be read");
  gzbuffer(state.file.get(), 1 << 17);
  const std::string head = state.bytes(kPiece);
  if (const std::string kind = kind_of_bytes(head); !kind.empty())
    throw UserError(fmt::format("{} holds {}", state.name, kind));
  const std::string said = ascii::lower(encoding);
  const bool utf8 = said == "utf-8" || said == "utf8" || said == "utf-8-sig";
  const std::string used = encoding.empty() ? told_encoding(head) : encoding;
  if (!used.empty() && !utf8) state.decoder = std::make_unique<Decoder>(state.name, used);
  state.append(head);
  if (state.buffer.starts_with(kByteOrderMark)) state.begin = kByteOrderMark.size();
  // A CR at the end may be half of a CRLF.
  if (state.buffer.find('\n') == std::string::npos &&
      state.buffer.find('\r') + 1 < state.buffer.size()) {
    state.ends_in_cr = true;
    std::ranges::replace(state.buffer, '\r', '\n');
  }
}

TextFile::~TextFile() = default;

const std::string& TextFile::name() const { return state_->name; }

std::string_view TextFile::rest() const {
  return std::string_view(state_->buffer).substr(state_->begin);
}

bool TextFile::more() {
  if (state_->at_end) return false;
  state_->buffer.erase(0, state_->begin);
  state_->begin = 0;
  state_->append(state_->bytes(std::max(kPiece, state_->buffer.size())));
  return true;
}

bool TextFile::at_end() const { return state_->at_end; }

void TextFile::drop(std::size_t n) {
  const std::string_view dropped = rest().substr(0, n);
  state_->line += std::count(dropped.begin(), dropped.end(), '\n');
  state_->begin += dropped.size();
  state_->position += dropped.size();
}

std::ptrdiff_t TextFile::line() const { return state_->line; }

std::size_t TextFile::position() const { return state_->position; }

bool skip_blanks(TextFile& text) {
  for (;;) {
    const std::size_t blanks = text.rest().find_first_not_of(" \t\r\n");
    if (blanks != std::string_view::npos) {
      text.drop(blanks);
      return true;
    }
    text.drop(text.rest().size());
    if (!text.more()) return false;
  }
}

bool peek_line(TextFile& text, std::string_view& line) {
  std::size_t end = text.rest().find('\n');
  for (std::size_t seen = text.rest().size(); end == std::string_view::npos && text.more();
       seen = text.rest().size())
    end = text.rest().find('\n', seen);
  line = text.rest().substr(0, end);
  return !text.rest().empty();
}

void drop_line(TextFile& text, std::string_view line) {
  text.drop(std::min(line.size() + 1, text.rest().size()));
}

}  // namespace theta
