#include "core/sha256.hpp"

#include <openssl/evp.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "core/result.hpp"

namespace theta {
namespace {

class Hasher {
 public:
  Hasher() {
    // Fetched once: EVP_sha256() would look the algorithm up for every digest.
    static EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    require(EVP_DigestInit_ex2(context_.get(), kSha256, nullptr) == 1, "SHA-256");
  }
  void add(std::string_view bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "SHA-256");
  }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    require(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1, "SHA-256");
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text(2 * std::size_t{size}, '0');
    for (unsigned int i = 0; i < size; ++i) {
      text[2 * i] = kDigits[digest[i] >> 4];
      text[2 * i + 1] = kDigits[digest[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

}  // namespace

std::string sha256(std::string_view bytes) { return sha256({bytes}); }

std::string sha256(std::initializer_list<std::string_view> parts) {
  Hasher hasher;
  for (const auto part : parts) hasher.add(part);
  return hasher.hex();
}

std::string sha256_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const auto cannot_read = [&] {
    return RunError(file.string() + ": cannot be read: " + std::strerror(errno));
  };
  if (!in) throw cannot_read();
  Hasher hasher;
  std::vector<char> piece(1 << 20);
  do {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hasher.add({piece.data(), static_cast<std::size_t>(in.gcount())});
  } while (in);
  if (in.bad() || !in.eof()) throw cannot_read();
  return hasher.hex();
}

std::string sha256_sample(const std::filesystem::path& file) {
  constexpr std::uintmax_t kPieces = 8, kPiece = 256 << 10;
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return "";
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  if (error || !in) return "";
  Hasher hasher;
  hasher.add(std::to_string(size) + "\n");
  const bool whole = size <= kPieces * kPiece;
  std::vector<char> piece(whole ? size : kPiece);
  for (std::uintmax_t i = 0; i < (whole ? 1 : kPieces); ++i) {
    in.seekg(static_cast<std::streamoff>((size - piece.size()) * i / (kPieces - 1)));
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (!in) return "";
    hasher.add({piece.data(), piece.size()});
  }
  return hasher.hex();
}

}  // namespace theta
