// See datagrams.h.
#include "preload/hooks/sockets/datagrams.h"

#include <netinet/in.h>

#include <cerrno>

#include "preload/hooks/library.h"
#include "preload/hooks/names/resolver.h"

namespace cassette {

namespace {

constexpr in_port_t kDns = 53;
constexpr in_port_t kHttps = 443;

/// In network byte order; the port is at the same place for IPv4 and IPv6.
bool is_watched(const void* address, socklen_t length) {
  const auto* internet = static_cast<const sockaddr_in*>(address);
  if (address == nullptr || length < sizeof(sockaddr_in)) return false;
  return (internet->sin_port == htons(kDns) || internet->sin_port == htons(kHttps)) &&
         (internet->sin_family == AF_INET || internet->sin_family == AF_INET6);
}

}  // namespace

bool refuses_datagrams(int fd, const void* address, socklen_t length) {
  if (__builtin_expect(!is_watched(address, length), 1) || inside_engine || bypass_depth > 0 ||
      ResolverCall::is_running())
    return false;
  ensure_started();
  int type = 0;
  socklen_t size = sizeof type;
  int saved = errno;
  if (!library_active()) return false;
  // Where it cannot be told (a filter of system calls forbids it) these may be datagrams.
  const bool known = real().getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
  const bool passes = known ? type != SOCK_DGRAM : errno == EBADF || errno == ENOTSOCK;
  errno = saved;
  if (passes) return false;
  const EngineApi* api = engine();
  bool refused = true;  // without an engine nothing goes out
  if (api != nullptr) {
    EngineCall call = enter_engine();
    refused = api->refuses_datagrams(static_cast<const sockaddr*>(address), length) != 0;
    exit_engine(call);
  }
  errno = refused ? ECONNREFUSED : saved;
  return refused;
}

}  // namespace cassette
