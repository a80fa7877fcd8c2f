#include "core/http_retry_after.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <string>

namespace theta {

std::optional<double> retry_after_seconds(std::string_view header, double now_s) {
  double number = 0;
  const char* end = header.data() + header.size();
  const auto [at, error] = std::from_chars(header.data(), end, number);
  if (error == std::errc() && at == end) {
    return std::isfinite(number) && number >= 0 ? std::optional(number) : std::nullopt;
  }
  std::tm date{};
  const std::string text(header);
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  return std::max(0.0, static_cast<double>(timegm(&date)) - now_s);
}

}  // namespace theta
