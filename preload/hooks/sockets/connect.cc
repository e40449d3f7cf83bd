// Hooks of the connection itself: connect, the names of both its ends, its options, and where it is
// registered for readiness. What an answer means is the engine's business (preload/engine).
//
// The real connect(2) may block. It is made here, outside the engine, in the program's own frames: a thread can be cancelled in
// it, and a signal handler can jump out of it.
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "preload/hooks/connecting.h"
#include "preload/hooks/library.h"
#include "preload/hooks/message.h"
#include "preload/hooks/sockets/datagrams.h"
#include "preload/hooks/sockets/passed_connection.h"

namespace cassette {

thread_local Connecting connecting{-1, false, 0, 0};

namespace {

using Owner = DescriptorTable::Owner;

bool is_internet(const sockaddr* address, socklen_t length) {
  return address != nullptr && length >= sizeof(sa_family_t) &&
         (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

/// connect(2): a connected socket is made one that is not.
bool dissolves(const sockaddr* address, socklen_t length) {
  return address != nullptr && length >= sizeof(sa_family_t) && address->sa_family == AF_UNSPEC;
}

/// False: UDP, raw sockets and the like, which are not ours, and what is no socket. Where it cannot be told (a filter of
/// system calls forbids it) it may be one.
bool may_be_stream(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  int saved = errno;
  if (real().getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0) return type == SOCK_STREAM;
  const bool is_none = errno == EBADF || errno == ENOTSOCK;
  errno = saved;
  return !is_none;
}

/// Resolves the name that the plan's address stands for. False with errno.
bool resolve(ConnectPlan& plan) {
  addrinfo hints{};
  hints.ai_family = plan.peer.ss_family;
  hints.ai_socktype = SOCK_STREAM;
  if (hints.ai_family == AF_INET6) hints.ai_flags = AI_V4MAPPED;
  addrinfo* list = nullptr;
  if (real().getaddrinfo(plan.host, nullptr, &hints, &list) != 0 || list == nullptr) {
    errno = EHOSTUNREACH;
    return false;
  }
  std::memcpy(&plan.address, list->ai_addr, list->ai_addrlen);
  plan.length = list->ai_addrlen;
  free_addresses(list);
  // The port is at the same place for IPv4 and IPv6.
  reinterpret_cast<sockaddr_in&>(plan.address).sin_port =
      reinterpret_cast<const sockaddr_in&>(plan.peer).sin_port;
  return true;
}

/// Waits as connect(2) does for a connection that is under way: a signal interrupts it, or (SA_RESTART, no SO_SNDTIMEO) does
/// not. False with errno.
bool wait_for_connection(int fd, const ConnectPlan& plan) {
  timeval patience{};
  socklen_t length = sizeof patience;
  real().getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, &length);
  const timespec timeout{patience.tv_sec, patience.tv_usec * 1000};
  const bool limited = patience.tv_sec != 0 || patience.tv_usec != 0;
  int type = 0;
  plan.waiters->fetch_add(1);  // a jump out of this costs a needless wake-up later
  // connect(2) is a cancellation point, and a system call by its number is none.
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
  const long result = real().syscall(SYS_futex, plan.word, FUTEX_WAIT_PRIVATE, plan.value,
                                     limited ? &timeout : nullptr, nullptr, 0);
  const int error = errno;
  pthread_setcanceltype(type, nullptr);
  plan.waiters->fetch_sub(1);
  if (result == 0 || error == EAGAIN) return true;
  errno = error == ETIMEDOUT ? EALREADY : error;
  return false;
}

/// In a handler that came past sigaction(2) nobody knows what is locked.
bool is_lost(int fd) {
  if (!may_be_stream(fd)) return false;
  static std::atomic<bool> told;
  if (!told.exchange(true)) {
    message(
        "a connection is refused: it was asked for while the library was at work "
        "(by a signal handler that was installed past sigaction?)");
  }
  return true;
}

/// What is left of a connect(2) when the engine has said what is to be done.
int carry_out(ConnectStep step, ConnectPlan& plan, const EngineApi& api, decltype(&::connect) next,
              int fd, const sockaddr* address, socklen_t length) {
  if (step == ConnectStep::kPass) return next(fd, address, length);
  if (step == ConnectStep::kAnswered) {
    errno = plan.error;
    return plan.result;
  }
  const Connecting outer = connecting;
  connecting = {fd, false, 0, 0};
  const bool resolved = plan.length != 0 || resolve(plan);
  int result =
      resolved ? next(fd, reinterpret_cast<const sockaddr*>(&plan.address), plan.length) : -1;
  const Connecting inner = std::exchange(connecting, outer);
  if (step == ConnectStep::kConnect) return result;
  if (inner.replaced) {
    plan.device = inner.device;
    plan.inode = inner.inode;
  }
  const int error = errno;
  EngineCall call = enter_engine();
  result = api.connected(fd, &plan, result, error);
  errno = plan.error;
  exit_engine(call);
  return result;
}

int connect_intercepted(decltype(&::connect) next, int fd, const sockaddr* address,
                        socklen_t length) {
  const int saved = errno;
  for (;;) {
    const Owner owner = descriptors.owner(fd);
    const bool ours = owner > DescriptorTable::kPrivate;
    if (!ours && !may_be_stream(fd))
      return refuses_datagrams(fd, address, length) ? -1 : next(fd, address, length);
    const EngineApi* api = engine();
    if (api == nullptr) {  // nothing may slip out to the network
      errno = ECONNREFUSED;
      return -1;
    }
    ConnectPlan plan;
    plan.result = 0;
    plan.error = saved;
    EngineCall call = enter_engine();
    ConnectStep step = ours ? api->connect_again(owner, fd, address, &plan) : ConnectStep::kAgain;
    if (step == ConnectStep::kAgain) {
      step = bypass_depth > 0 ? api->plan_bypassed(address, length, &plan)
                              : api->plan_connect(fd, address, length, &plan);
    }
    errno = saved;
    exit_engine(call);
    if (step != ConnectStep::kWait) return carry_out(step, plan, *api, next, fd, address, length);
    if (!wait_for_connection(fd, plan)) return -1;
  }
}

int connect_hook(decltype(&::connect) next, int fd, const sockaddr* address, socklen_t length) {
  const bool matters =
      is_internet(address, length) ||
      (dissolves(address, length) && descriptors.owner(fd) > DescriptorTable::kPrivate);
  if (!matters || is_engine_thread) return next(fd, address, length);
  if (inside_engine) {
    if (!is_lost(fd)) return next(fd, address, length);
    errno = ECONNREFUSED;
    return -1;
  }
  ensure_started();
  if (!library_active()) return next(fd, address, length);
  const int result = connect_intercepted(next, fd, address, length);
  if (__builtin_expect(result < 0 && errno == EINVAL, 0) && failed_as_unix(fd)) errno = EISCONN;
  return result;
}

/// Nobody would tell a program when its bytes may be used again, which is in the error queue of a TCP socket (MSG_ZEROCOPY). What
/// asks for it does without where the kernel cannot do it, as here. True with errno.
bool refuses_zero_copy(int fd) {
  if (inside_engine || !library_active() || !may_be_stream(fd)) return false;
  errno = EOPNOTSUPP;
  return true;
}

}  // namespace

void note_replaced(int fd) {
  struct stat now {};
  const int saved = errno;
  if (fd != connecting.fd) return;
  connecting.replaced = fstat(fd, &now) == 0;
  connecting.device = now.st_dev;
  connecting.inode = now.st_ino;
  errno = saved;
}

}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int connect(int fd, const sockaddr* address, socklen_t length) {
  return connect_hook(real().connect, fd, address, length);
}

int __connect(int fd, const sockaddr* address, socklen_t length) {
  return connect_hook(real().__connect, fd, address, length);
}

int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    EngineCall call = enter_engine();
    int result = engine()->getpeername(owner, fd, address, length);
    exit_engine(call);
    if (result != kPassThrough) return result;
  }
  const socklen_t room = length != nullptr ? *length : 0;
  const int result = real().getpeername(fd, address, length);
  return tell_passed_name(fd, true, result, address, room, length);
}

int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    EngineCall call = enter_engine();
    int result = engine()->getsockname(owner, fd, address, length);
    exit_engine(call);
    if (result != kPassThrough) return result;
  }
  const socklen_t room = length != nullptr ? *length : 0;
  const int result = real().getsockname(fd, address, length);
  return tell_passed_name(fd, false, result, address, room, length);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    EngineCall call = enter_engine();
    int result = engine()->getsockopt(owner, fd, level, name, value, length);
    exit_engine(call);
    if (result != kPassThrough) return result;
  }
  return get_passed_option(fd, level, name, value, length);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t length) noexcept {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    EngineCall call = enter_engine();
    int result = engine()->setsockopt(owner, fd, level, name, value, length);
    exit_engine(call);
    if (result != kPassThrough) return result;
  }
  if (__builtin_expect(level == SOL_SOCKET && name == SO_ZEROCOPY, 0) && refuses_zero_copy(fd))
    return -1;
  return set_passed_option(fd, level, name, value, length);
}

// Boost.Asio and Netty register a socket before they connect it: remembered here, renewed by the
// swap (preload/engine/connection/swap.h).
int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event) noexcept {
  if (operation == EPOLL_CTL_ADD && library_active() && !inside_engine) {
    descriptors.note_epoll(fd, epoll_fd);
  }
  return real().epoll_ctl(epoll_fd, operation, fd, event);
}

}  // extern "C"
#pragma GCC visibility pop
