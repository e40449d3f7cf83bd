// Hooks of opening files, for the sake of a few: a bundle of certificate authorities is read with the
// session's authority in it (bundles.h). All others pass through after one look at their name.
#include <fcntl.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "preload/hooks/files/bundles.h"
#include "preload/hooks/library.h"

namespace cassette {
namespace {

constexpr int kNotForReading = O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_DIRECTORY;

Bundle bundle_to_read(const char* path, int flags) {
  // The real function is the one to complain of a path that is none.
  if (path == nullptr || inside_engine || !library_active() || (flags & kNotForReading) != 0)
    return Bundle::kNone;
  return bundle_at(path);
}

// `fd` is what the real function gave, -1 and errno included. Returns what the program gets.
int merged(int fd, Bundle kind, int flags) {
  if (fd < 0 && (errno != ENOENT || (kind != Bundle::kDefault && kind != Bundle::kAuthority)))
    return fd;
  int saved = errno;
  const EngineApi* api = is_own_process() ? engine() : nullptr;
  if (api == nullptr) return fd;
  EngineCall call = enter_engine();
  int copy = api->merge_bundle(fd, kind);
  exit_engine(call);
  if (copy >= 0 && fd >= 0) {
    // The program gets the number that it would have got.
    real().dup3(copy, fd, flags & O_CLOEXEC);
    real().close(copy);
  } else if (copy >= 0) {
    if ((flags & O_CLOEXEC) == 0) real().fcntl(copy, F_SETFD, 0);
    fd = copy;
  }
  errno = saved;
  return fd;
}

FILE* fopen_hook(decltype(&::fopen) next, const char* path, const char* mode) {
  if (path == nullptr || mode == nullptr || mode[0] != 'r' || std::strchr(mode, '+') != nullptr)
    return next(path, mode);
  const int flags = O_RDONLY | (std::strchr(mode, 'e') != nullptr ? O_CLOEXEC : 0);
  const Bundle kind = bundle_to_read(path, flags);
  if (__builtin_expect(kind == Bundle::kNone, 1)) return next(path, mode);
  int fd = merged(real().open(path, flags), kind, flags);
  if (fd < 0) return nullptr;  // errno is that of open(2), as fopen(3) has it
  FILE* file = fdopen(fd, mode);
  if (file == nullptr) real().close(fd);
  return file;
}

mode_t mode_of(int flags, va_list list) {
  // As glibc: the third argument is there only when a file may be made.
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

#define OPEN(name)                                                                    \
  int name(const char* path, int flags, ...) {                                        \
    va_list list;                                                                     \
    va_start(list, flags);                                                            \
    const mode_t mode = mode_of(flags, list);                                         \
    va_end(list);                                                                     \
    const Bundle kind = bundle_to_read(path, flags);                                  \
    const int fd = real().name(path, flags, mode);                                    \
    return __builtin_expect(kind == Bundle::kNone, 1) ? fd : merged(fd, kind, flags); \
  }
#define OPENAT(name)                                                                  \
  int name(int directory, const char* path, int flags, ...) {                         \
    va_list list;                                                                     \
    va_start(list, flags);                                                            \
    const mode_t mode = mode_of(flags, list);                                         \
    va_end(list);                                                                     \
    const Bundle kind = bundle_to_read(path, flags);                                  \
    const int fd = real().name(directory, path, flags, mode);                         \
    return __builtin_expect(kind == Bundle::kNone, 1) ? fd : merged(fd, kind, flags); \
  }
// What -D_FORTIFY_SOURCE makes of a call without a mode.
#define OPEN_2(name)                                                                  \
  int name(const char* path, int flags) {                                             \
    const Bundle kind = bundle_to_read(path, flags);                                  \
    const int fd = real().name(path, flags);                                          \
    return __builtin_expect(kind == Bundle::kNone, 1) ? fd : merged(fd, kind, flags); \
  }
#define OPENAT_2(name)                                                                \
  int name(int directory, const char* path, int flags) {                              \
    const Bundle kind = bundle_to_read(path, flags);                                  \
    const int fd = real().name(directory, path, flags);                               \
    return __builtin_expect(kind == Bundle::kNone, 1) ? fd : merged(fd, kind, flags); \
  }

OPEN(open)
OPEN(open64)
OPEN(__open)
OPEN(__open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_2(__open_2)
OPEN_2(__open64_2)
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

FILE* fopen(const char* path, const char* mode) { return fopen_hook(real().fopen, path, mode); }
FILE* fopen64(const char* path, const char* mode) { return fopen_hook(real().fopen64, path, mode); }

}  // extern "C"
#pragma GCC visibility pop
