#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace theta {

/// The bytes of a GGUF file of one tensor of 8 floats, with texts in its header.
inline std::string gguf(const std::vector<std::pair<std::string, std::string>>& texts,
                        std::uint32_t version = 3, std::uint64_t tensors = 1) {
  const auto number = [](auto value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const auto text = [&](const std::string& value) {
    return number(std::uint64_t{value.size()}) + value;
  };
  std::string out =
      "GGUF" + number(version) + number(tensors) + number(std::uint64_t{texts.size()});
  for (const auto& [key, value] : texts) out += text(key) + number(std::uint32_t{8}) + text(value);
  if (tensors > 0)
    out += text("w") + number(std::uint32_t{1}) + number(std::uint64_t{8}) +
           number(std::uint32_t{0}) + number(std::uint64_t{0});
  out.resize((out.size() + 31) / 32 * 32);
  if (tensors > 0) out.resize(out.size() + 8 * sizeof(float));
  return out;
}

}  // namespace theta
