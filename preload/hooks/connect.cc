// Hooks of the connection itself: connect, the names of both its ends, its options, and where it is
// registered for readiness. What an answer means is the engine's business (preload/engine).
#include <netinet/in.h>

#include <cerrno>

#include "preload/hooks/datagrams.h"
#include "preload/hooks/library.h"

namespace cassette {
namespace {

using Owner = DescriptorTable::Owner;

bool is_internet(const sockaddr* address, socklen_t length) {
  return address != nullptr && length >= sizeof(sa_family_t) &&
         (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

// UDP, raw sockets and the like are not ours.
bool is_stream(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return real().getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

int connect_intercepted(int fd, const sockaddr* address, socklen_t length) {
  ensure_started();
  if (!library_active()) return kPassThrough;
  Owner owner = descriptors.owner(fd);
  if (owner <= DescriptorTable::kPrivate && !is_stream(fd))
    return refuses_datagrams(fd, address, length) ? -1 : kPassThrough;
  int saved = errno;
  const EngineApi* api = engine();
  if (bypass_depth > 0 && owner <= DescriptorTable::kPrivate && api != nullptr) {
    EngineCall call = enter_engine();
    int result = api->connect_bypassed(fd, address, length);
    exit_engine(call);
    return result;
  }
  if (api == nullptr) {  // nothing may slip out to the network
    errno = ECONNREFUSED;
    return -1;
  }
  EngineCall call = enter_engine();
  int result = owner > DescriptorTable::kPrivate ? api->connect_again(owner, fd, address, length)
                                                 : api->connect(fd, address, length);
  if (result == kPassThrough && owner > DescriptorTable::kPrivate) {
    result = api->connect(fd, address, length);  // the number was reused past the hooks
  }
  exit_engine(call);
  if (result != -1) errno = saved;
  return result;
}

int connect_hook(decltype(&::connect) next, int fd, const sockaddr* address, socklen_t length) {
  if (is_internet(address, length) && !inside_engine) {
    int result = connect_intercepted(fd, address, length);
    if (result != kPassThrough) return result;
  }
  return next(fd, address, length);
}

}  // namespace
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
  return real().getpeername(fd, address, length);
}

int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    EngineCall call = enter_engine();
    int result = engine()->getsockname(owner, fd, address, length);
    exit_engine(call);
    if (result != kPassThrough) return result;
  }
  return real().getsockname(fd, address, length);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    EngineCall call = enter_engine();
    int result = engine()->getsockopt(owner, fd, level, name, value, length);
    exit_engine(call);
    if (result != kPassThrough) return result;
  }
  return real().getsockopt(fd, level, name, value, length);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t length) noexcept {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    EngineCall call = enter_engine();
    int result = engine()->setsockopt(owner, fd, level, name, value, length);
    exit_engine(call);
    if (result != kPassThrough) return result;
  }
  return real().setsockopt(fd, level, name, value, length);
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
