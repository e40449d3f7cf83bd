// Hooks of becoming another program, and of starting one: the library and its settings go along (children.h). All
// that a program can do in the child of a vfork() is allowed here, and no more is done.
#include <alloca.h>
#include <fcntl.h>
#include <paths.h>
#include <spawn.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

#include "preload/hooks/library.h"
#include "preload/hooks/processes/children.h"

namespace cassette {
namespace {

/// Looks at the program, and makes `environment` the one that it gets, in memory of the caller's: a macro, because of
/// that. `refusal`: what the hook answers where the program is not to be started.
#define GO_ALONG(look, environment, refusal)                                           \
  const Start start = look;                                                            \
  if (start.refused) return refusal;                                                   \
  if (const ChildSpace space = child_space(environment, start); space.pointers != 0) { \
    auto** pointers = static_cast<char**>(alloca(space.pointers * sizeof(char*)));     \
    auto* text = static_cast<char*>(alloca(space.text));                               \
    environment = child_environment(environment, start, space, pointers, text);        \
  }

/// The arguments of execl(3) and its kind up to the nullptr, `list` behind the first one.
std::size_t count_arguments(const char* first, va_list list) {
  std::size_t count = 1;
  for (const char* at = first; at != nullptr; at = va_arg(list, const char*)) ++count;
  return count;
}
void take_arguments(const char* first, va_list list, char** arguments) {
  const char* at = first;
  for (; at != nullptr; at = va_arg(list, const char*)) *arguments++ = const_cast<char*>(at);
  *arguments = nullptr;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int execve(const char* path, char* const* arguments, char* const* environment) noexcept {
  GO_ALONG(look_at_program(path, environment), environment, -1)
  return real().execve(path, arguments, environment);
}

int execv(const char* path, char* const* arguments) noexcept {
  return execve(path, arguments, environ);
}

int execvpe(const char* name, char* const* arguments, char* const* environment) noexcept {
  GO_ALONG(look_at_name(name, environment), environment, -1)
  return real().execvpe(name, arguments, environment);
}

int execvp(const char* name, char* const* arguments) noexcept {
  return execvpe(name, arguments, environ);
}

// What the three have in common; `environment_follows` as execle(3) has it behind the nullptr.
#define EXECL(call, name_of_path, environment_follows)                                     \
  va_list list;                                                                            \
  va_start(list, first);                                                                   \
  const std::size_t count = count_arguments(first, list);                                  \
  va_end(list);                                                                            \
  auto** arguments = static_cast<char**>(alloca((count + 1) * sizeof(char*)));             \
  va_start(list, first);                                                                   \
  take_arguments(first, list, arguments);                                                  \
  char* const* environment = (environment_follows) ? va_arg(list, char* const*) : environ; \
  va_end(list);                                                                            \
  return call(name_of_path, arguments, environment)

int execl(const char* path, const char* first, ...) noexcept { EXECL(execve, path, false); }
int execle(const char* path, const char* first, ...) noexcept { EXECL(execve, path, true); }
int execlp(const char* name, const char* first, ...) noexcept { EXECL(execvpe, name, false); }

int fexecve(int fd, char* const* arguments, char* const* environment) noexcept {
  GO_ALONG(look_at_file(fd, environment), environment, -1)
  return real().fexecve(fd, arguments, environment);
}

int execveat(int directory, const char* path, char* const* arguments, char* const* environment,
             int flags) noexcept {
  // Relative to another directory it is not looked at.
  const char* known = directory == AT_FDCWD ? path : nullptr;
  GO_ALONG(look_at_program(known, environment), environment, -1)
  return real().execveat(directory, path, arguments, environment, flags);
}

int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const* arguments,
                char* const* environment) {
  GO_ALONG(look_at_program(path, environment), environment, EACCES)
  return real().posix_spawn(pid, path, actions, attributes, arguments, environment);
}

int posix_spawnp(pid_t* pid, const char* name, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const* arguments,
                 char* const* environment) {
  GO_ALONG(look_at_name(name, environment), environment, EACCES)
  return real().posix_spawnp(pid, name, actions, attributes, arguments, environment);
}

int system(const char* command) {
  if (command != nullptr) {
    const Start start = look_at_program(_PATH_BSHELL, environ);
    if (start.refused) return -1;
    restore_environment(start);
  }
  return real().system(command);
}

FILE* popen(const char* command, const char* mode) {
  const Start start = look_at_program(_PATH_BSHELL, environ);
  if (start.refused) return nullptr;
  restore_environment(start);
  return real().popen(command, mode);
}

}  // extern "C"
#pragma GCC visibility pop
