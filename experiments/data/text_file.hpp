#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace theta {

/// Stands in a text for what cannot be read as characters: a byte of another encoding, half of a
/// surrogate pair. A code point that Unicode keeps out of texts, U+FDD0.
inline constexpr std::string_view kUnreadable = "\xEF\xB7\x90";

/// Whether a text is UTF-8 throughout, and nothing of it was unreadable.
bool is_readable(std::string_view text);

/// Looks whether there is a data file, packed by gzip or not: check_file().   @throws UserError
void check_data_file(const std::filesystem::path& file);

/// A text file, read piece by piece as UTF-8 with lines that end in LF or CRLF: files packed by gzip
/// are unpacked, lines that end in CR alone are ended by LF, a byte order mark is left out.
///
/// UTF-16 and UTF-32 are told by their mark, UTF-16 also by its zeros; any other encoding is told by
/// its name. What the named encoding does not have becomes kUnreadable; a byte that is no UTF-8
/// stands as it is. Not thread-safe.
class TextFile {
 public:
  /// @param encoding  `latin-1`, `windows-1252`, .. as ICU and Python name them; empty: see above
  /// @throws UserError for a file that cannot be read, one of another format (check_file()) and an
  ///   encoding that nobody knows.
  TextFile(const std::filesystem::path& file, const std::string& encoding);
  ~TextFile();

  const std::string& name() const;
  /// What was read and is not dropped yet. The views end with the next call of more().
  std::string_view rest() const;
  /// Reads at least as much again. @return false if the file has no more
  bool more();
  /// Whether rest() is all that is left.
  bool at_end() const;
  void drop(std::size_t n);
  /// The 1-based line at which rest() begins.
  std::ptrdiff_t line() const;
  /// How much was dropped.
  std::size_t position() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Drops blanks and line ends, reading on. @return false if nothing else is left
bool skip_blanks(TextFile& text);

/// The next line without its end, read whole; false at the end. The view lasts until the next call
/// of more(); drop_line() goes behind it.
bool peek_line(TextFile& text, std::string_view& line);
void drop_line(TextFile& text, std::string_view line);

}  // namespace theta
