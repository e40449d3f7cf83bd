// The functions that the hooks stand in front of, as the next object in the lookup order has them.
// Resolved by the library's constructor, or by the first hook that is called before it ran.
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

// Exported by glibc, declared by no header of it, or by one that gives them other names (resolv.h).
extern "C" {
struct __res_state;
int res_query(const char* name, int kind, int type, unsigned char* answer, int size);
int res_search(const char* name, int kind, int type, unsigned char* answer, int size);
int res_querydomain(const char* name, const char* domain, int kind, int type, unsigned char* answer,
                    int size);
int res_send(const unsigned char* message, int size, unsigned char* answer, int room);
int res_nquery(struct __res_state* state, const char* name, int kind, int type,
               unsigned char* answer, int size);
int res_nsearch(struct __res_state* state, const char* name, int kind, int type,
                unsigned char* answer, int size);
int res_nquerydomain(struct __res_state* state, const char* name, const char* domain, int kind,
                     int type, unsigned char* answer, int size);
int res_nsend(struct __res_state* state, const unsigned char* message, int size,
              unsigned char* answer, int room);
int __res_query(const char* name, int kind, int type, unsigned char* answer, int size);
int __res_search(const char* name, int kind, int type, unsigned char* answer, int size);
int __res_querydomain(const char* name, const char* domain, int kind, int type,
                      unsigned char* answer, int size);
int __res_send(const unsigned char* message, int size, unsigned char* answer, int room);
int __res_nquery(struct __res_state* state, const char* name, int kind, int type,
                 unsigned char* answer, int size);
int __res_nsearch(struct __res_state* state, const char* name, int kind, int type,
                  unsigned char* answer, int size);
int __res_nquerydomain(struct __res_state* state, const char* name, const char* domain, int kind,
                       int type, unsigned char* answer, int size);
int __res_nsend(struct __res_state* state, const unsigned char* message, int size,
                unsigned char* answer, int room);
int __connect(int fd, const struct sockaddr* address, socklen_t length);
ssize_t __send(int fd, const void* bytes, size_t size, int flags);
ssize_t __recv_chk(int fd, void* buffer, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void* buffer, size_t size, size_t room, int flags,
                       struct sockaddr* address, socklen_t* length);
ssize_t __write(int fd, const void* bytes, size_t size);
int __close(int fd);
int __dup2(int from, int to) noexcept;
int __open(const char* path, int flags, ...);
int __open64(const char* path, int flags, ...);
int __open_2(const char* path, int flags);
int __open64_2(const char* path, int flags);
int __openat_2(int directory, const char* path, int flags);
int __openat64_2(int directory, const char* path, int flags);
int __sigaction(int number, const struct sigaction* action, struct sigaction* old) noexcept;
sighandler_t bsd_signal(int number, sighandler_t handler) noexcept;
sighandler_t ssignal(int number, sighandler_t handler) noexcept;
sighandler_t sysv_signal(int number, sighandler_t handler) noexcept;
sighandler_t __sysv_signal(int number, sighandler_t handler) noexcept;
int gnutls_credentials_set(void* session, int type, void* credentials);
int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...) noexcept;
}

namespace cassette {

/// One pointer for each line of hooks.def, typed by the function's own declaration, so that no
/// signature can drift.
struct RealFunctions {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored \
    "-Wdeprecated-declarations"  // old functions that programs have all the same
#define HOOK(name, need) decltype(&::name) name;
#define API(name)
#include "preload/hooks/hooks.def"
#undef HOOK
#undef API
#pragma GCC diagnostic pop
};

extern RealFunctions real_functions;
extern std::atomic<bool> real_resolved;

/// Idempotent; threads that race fill in the same values. Ends the process with status 125 when a
/// required function is missing. Keeps errno.
void resolve_real();

inline const RealFunctions& real() {
  if (__builtin_expect(!real_resolved.load(std::memory_order_acquire), 0)) resolve_real();
  return real_functions;
}

}  // namespace cassette
