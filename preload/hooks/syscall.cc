// syscall(2): what a program asks of the kernel by number and a hook stands in front of goes by that hook. Everything
// else passes, with whatever arguments there are. Data needs no look: it is found in the socket (see Connection).
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>

#include "preload/hooks/library.h"
#include "preload/hooks/processes/fork.h"
#include "preload/hooks/processes/rights.h"
#include "preload/hooks/processes/shutting_in.h"

#include "store/kernel.h"

#ifndef SYS_landlock_restrict_self  // newer than glibc 2.31's headers
#define SYS_landlock_restrict_self 446
#endif

namespace cassette {
namespace {

template <typename Pointer>
Pointer pointer(long word) {
  return reinterpret_cast<Pointer>(word);
}

/// What syscall(2) does, without knowing where libc's is: an allocator asks so within the first malloc() of the process,
/// and looking a function up allocates.
long by_number(long number, const long (&a)[6]) {
  const long result = ask_kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (result >= 0 || result < -4095) return result;
  errno = static_cast<int>(-result);
  return -1;
}

/// Before anything was looked up there is no connection, and nothing else to look after than these.
bool matters_early(long number) {
  return number == SYS_connect || number == SYS_execve || number == SYS_execveat;
}

/// True when a hook answered; `result` and errno are as libc's function for it has them, which is as
/// syscall(2) has them.
bool by_hook(long number, const long (&a)[6], long* result) {
  const int fd = static_cast<int>(a[0]);
  switch (number) {
    case SYS_connect:
      *result = connect(fd, pointer<const sockaddr*>(a[1]), static_cast<socklen_t>(a[2]));
      return true;
    case SYS_sendto:
      *result = sendto(fd, pointer<const void*>(a[1]), static_cast<std::size_t>(a[2]),
                       static_cast<int>(a[3]), pointer<const sockaddr*>(a[4]),
                       static_cast<socklen_t>(a[5]));
      return true;
    case SYS_sendmsg:
      *result = sendmsg(fd, pointer<const msghdr*>(a[1]), static_cast<int>(a[2]));
      return true;
    case SYS_sendmmsg:
      *result = sendmmsg(fd, pointer<mmsghdr*>(a[1]), static_cast<unsigned>(a[2]),
                         static_cast<int>(a[3]));
      return true;
    case SYS_getpeername:
      *result = getpeername(fd, pointer<sockaddr*>(a[1]), pointer<socklen_t*>(a[2]));
      return true;
    case SYS_getsockname:
      *result = getsockname(fd, pointer<sockaddr*>(a[1]), pointer<socklen_t*>(a[2]));
      return true;
    case SYS_getsockopt:
      *result = getsockopt(fd, static_cast<int>(a[1]), static_cast<int>(a[2]), pointer<void*>(a[3]),
                           pointer<socklen_t*>(a[4]));
      return true;
    case SYS_setsockopt:
      *result = setsockopt(fd, static_cast<int>(a[1]), static_cast<int>(a[2]),
                           pointer<const void*>(a[3]), static_cast<socklen_t>(a[4]));
      return true;
    case SYS_epoll_ctl:
      *result = epoll_ctl(fd, static_cast<int>(a[1]), static_cast<int>(a[2]),
                          pointer<epoll_event*>(a[3]));
      return true;
    case SYS_close:
      *result = close(fd);
      return true;
    case SYS_close_range:
      *result = close_range(static_cast<unsigned>(a[0]), static_cast<unsigned>(a[1]),
                            static_cast<int>(a[2]));
      return true;
    case SYS_dup:
      *result = dup(fd);
      return true;
#ifdef SYS_dup2  // not on aarch64
    case SYS_dup2:
      *result = dup2(fd, static_cast<int>(a[1]));
      return true;
#endif
    case SYS_dup3:
      *result = dup3(fd, static_cast<int>(a[1]), static_cast<int>(a[2]));
      return true;
    case SYS_execve:
      *result = execve(pointer<const char*>(a[0]), pointer<char* const*>(a[1]),
                       pointer<char* const*>(a[2]));
      return true;
    case SYS_execveat:
      *result = execveat(fd, pointer<const char*>(a[1]), pointer<char* const*>(a[2]),
                         pointer<char* const*>(a[3]), static_cast<int>(a[4]));
      return true;
    // Of one thread, which libc's functions do for all: so they are not to be asked.
    case SYS_setuid:
    case SYS_setfsuid:
      about_to_become(static_cast<uid_t>(a[0]));
      return false;
    case SYS_setreuid:
    case SYS_setresuid:
      about_to_become(static_cast<uid_t>(a[1]));
      return false;
    case SYS_chroot:
    case SYS_pivot_root:
      keep_rights();
      return false;
    case SYS_unshare:
      *result = unshare(static_cast<int>(a[0]));
      return true;
    case SYS_setns:
      *result = setns(fd, static_cast<int>(a[1]));
      return true;
    case SYS_prctl:
      *result = prctl(static_cast<int>(a[0]), a[1], a[2], a[3], a[4]);
      return true;
    case SYS_setrlimit:
    case SYS_prlimit64: {
      const bool with_process = number == SYS_prlimit64;
      if (!with_process || a[0] == 0 || a[0] == getpid())
        about_to_limit(static_cast<int>(a[with_process]),
                       pointer<const rlimit64*>(a[1 + with_process]));
      return false;
    }
    case SYS_seccomp:
      if (a[0] == SECCOMP_SET_MODE_STRICT || a[0] == SECCOMP_SET_MODE_FILTER) get_ready(true);
      return false;
    case SYS_landlock_restrict_self:
      get_ready();
      return false;
    default:
      return fork_by_number(number, a, result);
  }
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

// Not exit_group: who asks for that by number means to run nothing more.
long syscall(long number, ...) noexcept {
  long a[6];
  va_list list;
  va_start(list, number);
  for (long& word : a) word = va_arg(list, long);  // those that were not given are anything
  va_end(list);
  if (__builtin_expect(!real_resolved.load(std::memory_order_acquire), 0) && !matters_early(number))
    return by_number(number, a);
  long result = 0;
  if (!inside_engine && by_hook(number, a, &result)) return result;
  return real().syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

}  // extern "C"
#pragma GCC visibility pop
