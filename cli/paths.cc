// Paths as text; nothing here looks at the disk but working_directory(). See paths.h.
#include "cli/paths.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace cassette {

Result<std::string> working_directory() {
  std::error_code error;
  std::filesystem::path path = std::filesystem::current_path(error);
  if (error) return Error{"the working directory cannot be known: " + error.message()};
  return path.string();
}

std::string absolute_path(const std::string& path, const std::string& base) {
  return (std::filesystem::path(base) / path).lexically_normal().string();
}

std::string shortest_path(const std::string& absolute, const std::string& base) {
  std::string relative = std::filesystem::path(absolute).lexically_relative(base).string();
  return !relative.empty() && relative.size() < absolute.size() ? relative : absolute;
}

}  // namespace cassette
