// What TCP says of a connection where a pair of UNIX sockets says something else, or nobody could know: for the engine that serves
// it, and for another process that holds the program's end. tcp(7), socket(7), ip(7), ipv6(7), unix(7).
//
// Needs libc alone, keeps no state. Thread-safe.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#ifndef IPV6_MTU
#define IPV6_MTU 24
#endif

namespace cassette {

/// An option of SOL_SOCKET that is the program's end's: the kernel acts on it there, or it is of this very socket. All others are
/// the TCP socket's.
inline bool is_of_the_pair(int name) {
  switch (name) {
    case SO_COOKIE:
    case SO_ERROR:
    case SO_OOBINLINE:
    case SO_PEEK_OFF:
    case SO_RCVLOWAT:
    case SO_TYPE:
    // By number, since libc's names stand for one of two each.
    case 20:  // SO_RCVTIMEO_OLD
    case 21:  // SO_SNDTIMEO_OLD
    case 66:  // SO_RCVTIMEO_NEW
    case 67:  // SO_SNDTIMEO_NEW
    // Their answers come with messages, of which a pair has none, and the engine wants none on its own sockets.
    case 29:  // SO_TIMESTAMP_OLD
    case 35:  // SO_TIMESTAMPNS_OLD
    case 37:  // SO_TIMESTAMPING_OLD
    case 63:  // SO_TIMESTAMP_NEW
    case 64:  // SO_TIMESTAMPNS_NEW
    case 65:  // SO_TIMESTAMPING_NEW
      return true;
    default:
      return false;
  }
}

/// Of those that are not, a pair answers these in a way of its own, and succeeds where TCP fails or the other way round.
inline bool is_of_unix(int name) {
  switch (name) {
    case 15:  // SO_REUSEPORT
    case 16:  // SO_PASSCRED
    case 17:  // SO_PEERCRED
    case 28:  // SO_PEERNAME
    case 31:  // SO_PEERSEC
    case 34:  // SO_PASSSEC
    case 38:  // SO_PROTOCOL
    case 39:  // SO_DOMAIN
    case 49:  // SO_INCOMING_CPU
    case 59:  // SO_PEERGROUPS
    case 74:  // SO_TXREHASH
    case 76:  // SO_PASSPIDFD
    case 77:  // SO_PEERPIDFD: a descriptor is made of it
    case 83:  // SO_PASSRIGHTS
    case 84:  // SO_INQ
      return true;
    default:
      return false;
  }
}

/// May be set before the connection is made alone, and is EINVAL behind that.
inline bool is_set_too_late(sa_family_t family, int level, int name) {
  constexpr int kFastOpenConnect = 30, kFastOpenNoCookie = 34;  // newer than some headers
  if (level == IPPROTO_TCP)
    return name == TCP_FASTOPEN || name == kFastOpenConnect || name == kFastOpenNoCookie;
  return family == AF_INET6 && level == IPPROTO_IPV6 && name == IPV6_V6ONLY;
}

/// Bytes that go at once to `peer`, as of loopback, or of Ethernet with timestamps. False: not what is asked for.
inline bool size_of_path(const sockaddr_storage& peer, int level, int name, int* size) {
  const bool is_v6 = peer.ss_family == AF_INET6;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  const bool is_mapped = is_v6 && IN6_IS_ADDR_V4MAPPED(&v6);
  const unsigned char first =
      is_mapped ? v6.s6_addr[12]
                : static_cast<unsigned char>(
                      ntohl(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr) >> 24);
  const bool near = is_v6 && !is_mapped ? IN6_IS_ADDR_LOOPBACK(&v6) : first == 127;
  const bool by_v6 = is_v6 && !is_mapped;
  if (level == IPPROTO_IP && name == IP_MTU) {
    *size = near ? (by_v6 ? 65536 : 65535) : 1500;
  } else if (is_v6 && level == IPPROTO_IPV6 && name == IPV6_MTU) {
    *size = near ? (by_v6 ? 65536 : 65535) : 1500;
  } else if (level == IPPROTO_TCP && name == TCP_MAXSEG) {
    *size = near ? (by_v6 ? 32732 : 32741) : (by_v6 ? 1428 : 1448);
  } else {
    return false;
  }
  return true;
}

/// As getsockopt(2) gives a number.
inline int tell_number(int number, void* value, socklen_t* length) {
  *length = std::min<socklen_t>(*length, sizeof number);
  std::memcpy(value, &number, *length);
  return 0;
}

/// As getsockopt(2) gives SO_PEERNAME.
inline int tell_peer(const sockaddr_storage& peer, void* value, socklen_t* length) {
  const socklen_t size = peer.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (size < *length) {
    errno = EINVAL;
    return -1;
  }
  std::memcpy(value, &peer, *length);
  return 0;
}

/// The state (tcpi_state) of a connection whose program's end is `fd`; `send` is libc's. TCP_CLOSE: both sides have ended it, or it
/// broke; getpeername(2) fails then. A socket of which the program shut down its receiving half alone looks as if the server had.
inline int tcp_state(int fd, decltype(&::send) send) {
  pollfd end{fd, POLLIN | POLLRDHUP, 0};
  const int saved = errno;
  const bool is_known = poll(&end, 1, 0) >= 0;
  int state = TCP_ESTABLISHED;
  if (is_known && (end.revents & (POLLHUP | POLLERR)) != 0) {
    state = TCP_CLOSE;
  } else if (is_known && (end.revents & POLLRDHUP) != 0) {
    state = TCP_CLOSE_WAIT;
  } else if (send(fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE) {
    state = TCP_FIN_WAIT2;
  }
  errno = saved;
  return state;
}

}  // namespace cassette
