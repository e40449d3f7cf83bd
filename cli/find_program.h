// Which file a command's name stands for: what execvp() would start.
#pragma once

#include <string>

namespace cassette {

struct FoundProgram {
  std::string path;
  int error = 0;  ///< 0: there it is; else the errno that execvp() would give, e.g. ENOENT, EACCES
};

/// `search_path`: the value of PATH; nullptr: not set, then the system's default counts.
FoundProgram find_program(const std::string& name, const char* search_path);

/// Errors after which a shell says 127 (there is no such program) and not 126 (it cannot be executed).
bool means_not_found(int error);

}  // namespace cassette
