// What commands say, and where. See command.h.
#include "cli/command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace cassette {

void complain(std::string_view message) {
  std::string line = "cassette: ";
  line += message;
  line += '\n';
  // One write, so that the lines of several processes do not mix. There is no one to tell that it failed.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

bool print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return true;
  }
  complain(std::string("cannot write to standard output: ") + std::strerror(errno));
  return false;
}

}  // namespace cassette
