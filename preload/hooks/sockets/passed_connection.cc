// See passed_connection.h. tcp(7), ip(7), unix(7), netdevice(7).
#include "preload/hooks/sockets/passed_connection.h"

#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "preload/hooks/library.h"

namespace cassette {

namespace {

/// A TCP socket for one question: it knows what can be set, and how things are by default.
class SpareSocket {
 public:
  explicit SpareSocket(sa_family_t family)
      : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP)) {}
  ~SpareSocket() {
    int saved = errno;
    if (fd_ >= 0) real().close(fd_);
    errno = saved;
  }
  SpareSocket(const SpareSocket&) = delete;
  SpareSocket& operator=(const SpareSocket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

socklen_t size_of(const sockaddr_storage& address) {
  return address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

/// What of SOL_SOCKET a pair answers in another way than TCP.
bool differs(int name) {
  switch (name) {
    case SO_DOMAIN:
    case SO_PROTOCOL:
    case SO_PEERCRED:
    case SO_PEERGROUPS:
    case SO_PEERSEC:
    case SO_PASSCRED:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool passed_connection(int fd, PairName* name) {
  if (!library_active()) return false;
  int saved = errno;
  sockaddr_un address{};
  socklen_t length = sizeof address;
  const bool found = real().getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
                     read_pair_name(address, length, name);
  errno = saved;
  return found;
}

int tell_passed_name(int fd, bool peer, int result, sockaddr* address, socklen_t room,
                     socklen_t* length) {
  PairName name;
  if (result != 0 || room < sizeof(sa_family_t) || address->sa_family != AF_UNIX ||
      !passed_connection(fd, &name))
    return result;
  const sockaddr_storage& told = peer ? name.peer : name.local;
  std::memcpy(address, &told, std::min(room, size_of(told)));
  *length = size_of(told);
  return 0;
}

int get_passed_option(int fd, int level, int name, int result, void* value, socklen_t room,
                      socklen_t* length) {
  const bool is_suspect = level == SOL_SOCKET
                              ? differs(name)
                              : result != 0 && (errno == EOPNOTSUPP || errno == ENOPROTOOPT);
  PairName pair;
  if (!is_suspect || value == nullptr || length == nullptr || !passed_connection(fd, &pair))
    return result;
  const SpareSocket spare(pair.peer.ss_family);
  if (spare.fd() < 0) return result;
  *length = room;
  result = real().getsockopt(spare.fd(), level, name, value, length);
  if (result == 0 && level == IPPROTO_TCP && name == TCP_INFO && *length > 0)
    static_cast<unsigned char*>(value)[0] = TCP_ESTABLISHED;  // tcpi_state
  return result;
}

int set_passed_option(int fd, int level, int name, int result, const void* value,
                      socklen_t length) {
  const bool is_suspect = level == SOL_SOCKET
                              ? differs(name)
                              : result != 0 && (errno == EOPNOTSUPP || errno == ENOPROTOOPT);
  PairName pair;
  if (!is_suspect || !passed_connection(fd, &pair)) return result;
  const SpareSocket spare(pair.peer.ss_family);
  return spare.fd() < 0 ? result : real().setsockopt(spare.fd(), level, name, value, length);
}

int ask_passed_network(int fd, unsigned long request, int result, void* argument) {
  PairName pair;
  if (result == 0 || errno != ENOTTY || !passed_connection(fd, &pair)) return result;
  const SpareSocket spare(pair.peer.ss_family);
  return spare.fd() < 0 ? result : real().ioctl(spare.fd(), request, argument);
}

}  // namespace cassette
