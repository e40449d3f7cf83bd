// For guest_preloads.test: a client of one request; and, compiled with -DLIBRARY, a library to be preloaded beside ours whose
// functions must not be called once its destructor has run, as libfaketime's must not. Who does is aborted.
#ifndef LIBRARY

#include "tests/programs/descriptors/http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  put(fd, get("/text?behind"));
  char bytes[8192];
  size_t size = 0;
  for (ssize_t got; size < 2000 && (got = read(fd, bytes + size, sizeof bytes - 1 - size)) > 0;) {
    size += (size_t)got;
    bytes[size] = '\0';
    const char* body = strstr(bytes, "\r\n\r\n");
    if (body != NULL && body[4] != '\0') break;
  }
  const char* body = size > 0 ? strstr(bytes, "\r\n\r\n") : NULL;
  printf("%s\n", body != NULL ? body + 4 : "no response");
  return 0;  // the connection stays open
}

#else

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int gone;
static char* memory;  // unmapped at the end, so that nobody takes it for alive

__attribute__((constructor)) static void begin(void) {
  memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
__attribute__((destructor)) static void end(void) {
  gone = 1;
  munmap(memory, 4096);
}

static void* next(const char* name) {
  if (gone) {
    char text[100];
    int length = snprintf(text, sizeof text, "%s() behind the end\n", name);
    static ssize_t (*real_write)(int, const void*, size_t);
    real_write = dlsym(RTLD_NEXT, "write");
    if (real_write(2, text, (size_t)length) != length) abort();
    abort();
  }
  if (memory != NULL) ++*memory;
  return dlsym(RTLD_NEXT, name);
}

#define PASS(type, name, parameters, arguments) \
  type name parameters {                        \
    type(*real) parameters = next(#name);       \
    return real arguments;                      \
  }
PASS(int, close, (int fd), (fd))
PASS(ssize_t, read, (int fd, void* to, size_t size), (fd, to, size))
PASS(ssize_t, write, (int fd, const void* from, size_t size), (fd, from, size))
PASS(ssize_t, pread, (int fd, void* to, size_t size, off_t at), (fd, to, size, at))
PASS(ssize_t, pwrite, (int fd, const void* from, size_t size, off_t at), (fd, from, size, at))
PASS(ssize_t, send, (int fd, const void* from, size_t size, int flags), (fd, from, size, flags))
PASS(ssize_t, recv, (int fd, void* to, size_t size, int flags), (fd, to, size, flags))
PASS(int, access, (const char* path, int mode), (path, mode))
PASS(int, stat, (const char* path, struct stat* status), (path, status))
PASS(int, lstat, (const char* path, struct stat* status), (path, status))
PASS(int, fstat, (int fd, struct stat* status), (fd, status))
PASS(int, fstatat, (int fd, const char* path, struct stat* status, int flags),
     (fd, path, status, flags))
PASS(int, unlink, (const char* path), (path))
PASS(int, rename, (const char* from, const char* to), (from, to))
PASS(int, link, (const char* from, const char* to), (from, to))
PASS(int, rmdir, (const char* path), (path))
PASS(int, mkdir, (const char* path, mode_t mode), (path, mode))
PASS(int, ftruncate, (int fd, off_t size), (fd, size))
PASS(int, fsync, (int fd), (fd))
PASS(int, flock, (int fd, int operation), (fd, operation))
PASS(int, fchmod, (int fd, mode_t mode), (fd, mode))
PASS(int, utimensat, (int fd, const char* path, const struct timespec* times, int flags),
     (fd, path, times, flags))
PASS(DIR*, opendir, (const char* path), (path))
PASS(int, clock_gettime, (clockid_t clock, struct timespec* now), (clock, now))
PASS(time_t, time, (time_t * now), (now))
PASS(int, nanosleep, (const struct timespec* how_long, struct timespec* left), (how_long, left))
PASS(int, epoll_create1, (int flags), (flags))
PASS(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event* event),
     (epoll, operation, fd, event))
PASS(int, epoll_wait, (int epoll, struct epoll_event* events, int most, int timeout),
     (epoll, events, most, timeout))
PASS(int, poll, (struct pollfd * of, nfds_t count, int timeout), (of, count, timeout))
PASS(int, shutdown, (int fd, int how), (fd, how))
PASS(int, getsockopt, (int fd, int level, int name, void* value, socklen_t* size),
     (fd, level, name, value, size))
PASS(int, setsockopt, (int fd, int level, int name, const void* value, socklen_t size),
     (fd, level, name, value, size))
PASS(int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds))
PASS(int, dup3, (int from, int to, int flags), (from, to, flags))
PASS(pid_t, getpid, (void), ())
PASS(uid_t, geteuid, (void), ())
PASS(char*, getcwd, (char* path, size_t size), (path, size))

#define OPEN(name)                                    \
  int name(const char* path, int flags, ...) {        \
    int (*real)(const char*, int, ...) = next(#name); \
    va_list list;                                     \
    va_start(list, flags);                            \
    const mode_t mode = va_arg(list, mode_t);         \
    va_end(list);                                     \
    return real(path, flags, mode);                   \
  }
OPEN(open)
OPEN(open64)

#define FCNTL(name)                           \
  int name(int fd, int command, ...) {        \
    int (*real)(int, int, ...) = next(#name); \
    va_list list;                             \
    va_start(list, command);                  \
    void* argument = va_arg(list, void*);     \
    va_end(list);                             \
    return real(fd, command, argument);       \
  }
FCNTL(fcntl)
FCNTL(fcntl64)

#endif
