// The search along PATH. See find_program.h.
#include "cli/find_program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace cassette {
namespace {

/// 0 when execve() would at least try.
int execute_error(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return EACCES;
  // With the effective ids, as execve() does.
  return faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

std::string default_search_path() {
  std::string path(confstr(_CS_PATH, nullptr, 0), '\0');
  if (path.empty()) return "/bin:/usr/bin";
  confstr(_CS_PATH, path.data(), path.size());
  path.pop_back();  // the NUL
  return path;
}

}  // namespace

FoundProgram find_program(const std::string& name, const char* search_path) {
  if (name.empty()) return {name, ENOENT};
  if (name.find('/') != std::string::npos) return {name, execute_error(name)};
  const std::string list = search_path != nullptr ? search_path : default_search_path();
  FoundProgram found{name, ENOENT};
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    // An empty entry is the working directory.
    std::string path = end == begin ? "." : list.substr(begin, end - begin);
    path += "/" + name;
    const int error = execute_error(path);
    if (error == 0) return {path, 0};
    // One that may not be executed is passed over, and told about when there is no better one.
    if (error == EACCES && found.error == ENOENT) found = {path, EACCES};
    begin = end + 1;
  }
  return found;
}

bool means_not_found(int error) { return error == ENOENT || error == ENOTDIR; }

}  // namespace cassette
