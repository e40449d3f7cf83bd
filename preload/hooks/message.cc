// See message.h. Passes by the hooks, and may run before the real functions are known.
#include "preload/hooks/message.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "preload/hooks/real.h"

namespace cassette {

namespace {

/// libc's syscall(2). Never nullptr: no C library is without it.
decltype(&::syscall) by_number() {
  if (real_functions.syscall != nullptr) return real_functions.syscall;
  return reinterpret_cast<decltype(&::syscall)>(dlsym(RTLD_NEXT, "syscall"));
}

}  // namespace

void message(const char* a, const char* b, const char* c) {
  int saved = errno;
  char line[2048];
  std::size_t size = 0;
  for (const char* part : {"cassette: ", a, b, c}) {
    std::size_t length = std::strlen(part);
    if (length > sizeof line - 1 - size) length = sizeof line - 1 - size;
    std::memcpy(line + size, part, length);
    size += length;
  }
  line[size++] = '\n';
  (void)by_number()(SYS_write, STDERR_FILENO, line, size);
  errno = saved;
}

void fatal(const char* a, const char* b, const char* c) {
  message(a, b, c);
  for (;;) by_number()(SYS_exit_group, 125);
}

}  // namespace cassette
