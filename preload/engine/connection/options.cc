// See options.h. socket(7), tcp(7), ip(7), ipv6(7).
#include "preload/engine/connection/options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include "preload/as_tcp.h"
#include "preload/engine_api.h"

namespace cassette {

namespace {

/// The options of the protocols are kept by the original socket, which knows them, and so are those of the
/// socket that a pair makes nothing of: what was set before connect is read back.
bool is_of_the_original(int level, int name) {
  return level != SOL_SOCKET || !is_of_the_pair(name);
}

bool is_buffer(int level, int name) {
  return level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_SNDBUF || name == SO_RCVBUFFORCE ||
                                 name == SO_SNDBUFFORCE);
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
  if (level == SOL_SOCKET && name == SO_PEERNAME)
    return tell_peer(connection.peer().address, value, length);
  // The original of a connection to nobody is not connected, and would know nothing, or the least.
  int size = 0;
  if (connection.upstream() < Connection::Upstream::kConnected &&
      size_of_path(connection.peer().address, level, name, &size))
    return tell_number(size, value, length);
  if (connection.original() < 0)
    return connection.kept_options().get(level, name, value, length) ? 0 : kPassThrough;
  int result = ::getsockopt(connection.original(), level, name, value, length);
  if (result == 0 && level == IPPROTO_TCP && name == TCP_INFO && *length > 0) {
    static_cast<unsigned char*>(value)[0] = static_cast<unsigned char>(connection.tcp_state(fd));
  }
  return result;
}

int set_option(Connection& connection, int fd, int level, int name, const void* value,
               socklen_t length) {
  if (!is_of_the_original(level, name)) return kPassThrough;
  if (is_set_too_late(connection.peer().address.ss_family, level, name)) {
    errno = EINVAL;
    return -1;
  }
  const int result =
      connection.original() >= 0
          ? ::setsockopt(connection.original(), level, name, value, length)
          : connection.kept_options().set(connection.peer().family(), level, name, value, length);
  if (!is_buffer(level, name) || result != 0) return result;
  // The pair has a ballast that fills it, until the connection stands.
  if (connection.upstream() == Connection::Upstream::kConnecting) return result;
  if (!connection.server_connected()) return kPassThrough;
  connection.fit_buffers(fd);
  return result;
}

}  // namespace cassette
