// See message.h. By system calls alone, and thus past all hooks, also before the real functions are known.
#include "preload/hooks/message.h"

#include <cstring>
#include <initializer_list>

#include "store/kernel.h"
#include "store/standard_error.h"

namespace cassette {

void message(const char* a, const char* b, const char* c) {
  char line[2048];
  std::size_t size = 0;
  for (const char* part : {"cassette: ", a, b, c}) {
    std::size_t length = std::strlen(part);
    if (length > sizeof line - 1 - size) length = sizeof line - 1 - size;
    std::memcpy(line + size, part, length);
    size += length;
  }
  line[size++] = '\n';
  say(line, size);
}

void fatal(const char* a, const char* b, const char* c) {
  message(a, b, c);
  for (;;) ask_kernel(SYS_exit_group, 125);
}

}  // namespace cassette
