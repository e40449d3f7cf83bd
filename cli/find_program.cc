// The search along PATH. See find_program.h.
#include "cli/find_program.h"

#include "store/settings/preloadable.h"

namespace cassette {

FoundProgram find_program(const std::string& name, const char* search_path) {
  char path[PATH_MAX];
  const int error = search_program(name.c_str(), search_path, path, sizeof path);
  return {path, error};
}

bool means_not_found(int error) { return error == ENOENT || error == ENOTDIR; }

}  // namespace cassette
