// See message.h. By system calls alone, and thus past all hooks, also before the real functions are known.
#include "preload/hooks/message.h"

#include <atomic>
#include <cstring>
#include <initializer_list>

#include "store/kernel.h"
#include "store/standard_error.h"

namespace cassette {

namespace {

/// The process that began with the library; a child of its by fork(2) is another one.
std::atomic<long> first_process;

void message_by(bool (*say)(const char*, std::size_t), std::initializer_list<const char*> parts) {
  char line[2048];
  std::size_t size = 0;
  for (const char* part : parts) {
    std::size_t length = std::strlen(part);
    if (length > sizeof line - 1 - size) length = sizeof line - 1 - size;
    std::memcpy(line + size, part, length);
    size += length;
  }
  line[size++] = '\n';
  say(line, size);
}

}  // namespace

void begin_messages_of_process() {
  use_standard_error(StandardError::now());
  first_process.store(ask_kernel(SYS_getpid), std::memory_order_relaxed);
}

void message(const char* a, const char* b, const char* c) {
  message_by(say, {"cassette: ", a, b, c});
}

void message_of_program(const char* a, const char* b, const char* c) {
  const bool is_child = ask_kernel(SYS_getpid) != first_process.load(std::memory_order_relaxed);
  message_by(is_child ? say_of_next_program : say, {"cassette: ", a, b, c});
}

void fatal(const char* a, const char* b, const char* c) {
  message(a, b, c);
  for (;;) ask_kernel(SYS_exit_group, 125);
}

}  // namespace cassette
