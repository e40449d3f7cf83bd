// What time it is, how old a file is and who we are, by the machine: what is linked with --wrap for these (the thin library
// and the command) asks the kernel. Libraries that stand in front of libc tell the program something else (libfaketime,
// fakeroot), and all processes of a session have to be told the same. The engine needs no such thing: it looks into libc alone
// (load_object() in preload/hooks/library.cc). Past libc there is no vDSO, so nothing here is for a fast path.
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "store/kernel.h"

namespace cassette {
namespace {

int answer(long result) {
  if (result >= 0) return static_cast<int>(result);
  errno = static_cast<int>(-result);
  return -1;
}

// The kernel's struct is libc's, where there has been no other one.
int stat_at(int directory, const char* path, struct stat* status, int flags) {
  return answer(ask_kernel(SYS_newfstatat, directory, word_of(path), word_of(status),
                           static_cast<long>(flags)));
}

}  // namespace
}  // namespace cassette

using namespace cassette;

extern "C" {

int __wrap_clock_gettime(clockid_t clock, timespec* now) {
  return answer(ask_kernel(SYS_clock_gettime, clock, word_of(now)));
}
int __wrap_nanosleep(const timespec* time, timespec* left) {
  return answer(ask_kernel(SYS_nanosleep, word_of(time), word_of(left)));
}
int __wrap_stat(const char* path, struct stat* status) {
  return stat_at(AT_FDCWD, path, status, 0);
}
int __wrap_lstat(const char* path, struct stat* status) {
  return stat_at(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}
int __wrap_fstat(int fd, struct stat* status) {
  return answer(ask_kernel(SYS_fstat, fd, word_of(status)));
}
int __wrap_fstatat(int directory, const char* path, struct stat* status, int flags) {
  return stat_at(directory, path, status, flags);
}
int __wrap_utimensat(int directory, const char* path, const timespec* times, int flags) {
  return answer(ask_kernel(SYS_utimensat, directory, word_of(path), word_of(times), flags));
}
pid_t __wrap_getpid() { return answer(ask_kernel(SYS_getpid)); }
uid_t __wrap_getuid() { return static_cast<uid_t>(ask_kernel(SYS_getuid)); }
uid_t __wrap_geteuid() { return static_cast<uid_t>(ask_kernel(SYS_geteuid)); }
gid_t __wrap_getgid() { return static_cast<gid_t>(ask_kernel(SYS_getgid)); }
gid_t __wrap_getegid() { return static_cast<gid_t>(ask_kernel(SYS_getegid)); }

}  // extern "C"
