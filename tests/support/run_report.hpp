#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>

namespace theta {

/// The bytes of a file; none where there is no file.
inline std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A report's page with its prompts as they are, without the marks of what changed in them.
inline std::string page_of(const std::filesystem::path& folder) {
  static const std::regex marks("<del>[^<]*</del>|</?ins>");
  return std::regex_replace(content(folder / "report.html"), marks, "");
}

/// A run's or a sweep's report but for what differs between hosts and restarts.
inline nlohmann::ordered_json lasting_report(const std::filesystem::path& folder) {
  auto report = nlohmann::ordered_json::parse(content(folder / "report.json"));
  report.erase("timing");
  return report;
}

}  // namespace theta
