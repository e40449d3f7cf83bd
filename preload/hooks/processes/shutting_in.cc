// Hooks of what a program takes from itself: system calls (seccomp), files (Landlock), threads and memory (limits). What the
// library will need is got ready before. Programs that do so for other reasons, or for their children, pay for an engine
// that they may not need; so only what can be in its way counts.
#include <linux/prctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdarg>

#include "preload/hooks/library.h"
#include "preload/hooks/processes/shutting_in.h"

static_assert(sizeof(rlimit) == sizeof(rlimit64));  // 64-bit machines

namespace cassette {

namespace {

/// Below these a limit is in the way of what comes later: a thread, a mapping, a file.
bool is_narrow(int resource, const rlimit64& limit) {
  constexpr rlim64_t kMemory = rlim64_t{512} << 20;
  constexpr rlim64_t kDescriptors = 32;
  switch (resource) {
    case RLIMIT_NPROC:
      return limit.rlim_cur != RLIM64_INFINITY;
    case RLIMIT_AS:
    case RLIMIT_DATA:
    case RLIMIT_MEMLOCK:
      return limit.rlim_cur < kMemory;
    case RLIMIT_NOFILE:
      return limit.rlim_cur < kDescriptors;
    default:
      return false;
  }
}

}  // namespace

void about_to_limit(int resource, const rlimit64* limit) {
  int saved = errno;
  rlimit64 before{};
  if (limit != nullptr && is_narrow(resource, *limit) &&
      real().prlimit64(0, static_cast<__rlimit_resource>(resource), nullptr, &before) == 0 &&
      limit->rlim_cur < before.rlim_cur) {
    get_ready();
  }
  errno = saved;
}

}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int prctl(int option, ...) noexcept {
  unsigned long a[4];
  va_list list;
  va_start(list, option);
  for (unsigned long& word : a)
    word = va_arg(list, unsigned long);  // those that were not given are anything
  va_end(list);
  if (__builtin_expect(option == PR_SET_SECCOMP, 0)) get_ready(true);
  return real().prctl(option, a[0], a[1], a[2], a[3]);
}

int setrlimit(__rlimit_resource_t resource, const rlimit* limit) noexcept {
  about_to_limit(static_cast<int>(resource), reinterpret_cast<const rlimit64*>(limit));
  return real().setrlimit(resource, limit);
}

int setrlimit64(__rlimit_resource_t resource, const rlimit64* limit) noexcept {
  about_to_limit(static_cast<int>(resource), limit);
  return real().setrlimit64(resource, limit);
}

int prlimit(pid_t process, __rlimit_resource resource, const rlimit* limit,
            rlimit* before) noexcept {
  if (process == 0 || process == getpid())
    about_to_limit(static_cast<int>(resource), reinterpret_cast<const rlimit64*>(limit));
  return real().prlimit(process, resource, limit, before);
}

int prlimit64(pid_t process, __rlimit_resource resource, const rlimit64* limit,
              rlimit64* before) noexcept {
  if (process == 0 || process == getpid()) about_to_limit(static_cast<int>(resource), limit);
  return real().prlimit64(process, resource, limit, before);
}

}  // extern "C"
#pragma GCC visibility pop
