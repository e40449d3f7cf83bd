// See options.h. socket(7), tcp(7), ip(7), ipv6(7).
#include "preload/engine/connection/options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "preload/engine_api.h"

namespace cassette {

namespace {

/// The options of the protocols are kept by the original socket, which knows them, and so are those of the
/// socket that a pair makes nothing of: what was set before connect is read back. The rest is the program's
/// end's, where the kernel acts on it (SO_RCVTIMEO, for one).
bool is_of_the_original(int level, int name) {
  if (level != SOL_SOCKET) return true;
  switch (name) {
    case SO_BROADCAST:
    case SO_DOMAIN:
    case SO_DONTROUTE:
    case SO_KEEPALIVE:
    case SO_LINGER:
    case SO_PASSCRED:
    case SO_PEERCRED:
    case SO_PEERGROUPS:
    case SO_PEERSEC:
    case SO_PRIORITY:
    case SO_PROTOCOL:
    case SO_RCVBUF:
    case SO_REUSEADDR:
    case SO_REUSEPORT:
    case SO_SNDBUF:
      return true;
    default:
      return false;
  }
}

/// Bytes, of a connection to nobody: its original is not connected, and would know nothing, or the least. As of loopback, or of
/// Ethernet with timestamps.
std::optional<int> size_of_path(const Connection& connection, int level, int name) {
  if (connection.upstream() >= Connection::Upstream::kConnected) return std::nullopt;
  const bool near = connection.peer().is_loopback();
  if (level == IPPROTO_IP && name == IP_MTU) return near ? 65535 : 1500;
  if (level == IPPROTO_IPV6 && name == IPV6_MTU) return near ? 65536 : 1500;
  if (level == IPPROTO_TCP && name == TCP_MAXSEG) return near ? 32741 : 1448;
  return std::nullopt;
}

int tell(int number, void* value, socklen_t* length) {
  *length = std::min<socklen_t>(*length, sizeof number);
  std::memcpy(value, &number, *length);
  return 0;
}

}  // namespace

int get_option(Connection& connection, int fd, int level, int name, void* value,
               socklen_t* length) {
  if (value == nullptr || length == nullptr) return kPassThrough;
  if (level == SOL_SOCKET && name == SO_ERROR && *length >= sizeof(int)) {
    int error = connection.take_error();
    if (error == 0) return kPassThrough;
    // The kernel has its own idea of what went wrong (ECONNRESET): taken, and forgotten.
    ::getsockopt(fd, level, name, value, length);
    *static_cast<int*>(value) = error;
    return 0;
  }
  if (!is_of_the_original(level, name)) return kPassThrough;
  if (std::optional<int> size = size_of_path(connection, level, name))
    return tell(*size, value, length);
  if (connection.original() < 0)
    return connection.kept_options().get(level, name, value, length) ? 0 : kPassThrough;
  int result = ::getsockopt(connection.original(), level, name, value, length);
  if (result == 0 && level == IPPROTO_TCP && name == TCP_INFO && *length > 0) {
    static_cast<unsigned char*>(value)[0] = TCP_ESTABLISHED;  // tcpi_state
  }
  return result;
}

int set_option(Connection& connection, int fd, int level, int name, const void* value,
               socklen_t length) {
  if (!is_of_the_original(level, name)) return kPassThrough;
  const int result =
      connection.original() >= 0
          ? ::setsockopt(connection.original(), level, name, value, length)
          : connection.kept_options().set(connection.peer().family(), level, name, value, length);
  const bool both = level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_SNDBUF);
  if (!both || result != 0) return result;
  // The pair has a ballast that fills it, until the connection stands.
  if (connection.upstream() == Connection::Upstream::kConnecting) return result;
  if (!connection.server_connected()) return kPassThrough;
  connection.fit_buffers(fd);
  return result;
}

}  // namespace cassette
