// What a connection's pair is called, so that any process with the library can tell what the program's end stands for: the
// child of a fork, a program that was started with the descriptor, whoever got it by SCM_RIGHTS. The engine's end is bound to an
// abstract address (unix(7)), which getpeername(2) of the program's end returns:
//
//   \0cassette/<inode of the program's end>/<peer>/<local>     an end: 4 or 6, port, address; all hexadecimal
//
// Needs libc alone. Thread-safe.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace cassette {

inline constexpr char kPairPrefix[] = "cassette/";
inline constexpr std::size_t kPairPrefixSize = sizeof kPairPrefix - 1;

/// Both ends of a connection, AF_INET or AF_INET6.
struct PairName {
  sockaddr_storage peer;
  sockaddr_storage local;
};

namespace pair_name_detail {

inline char* write_bytes(char* out, const void* bytes, std::size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned byte = static_cast<const unsigned char*>(bytes)[i];
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
  return out;
}

inline bool read_bytes(const char** in, const char* end, void* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    unsigned byte = 0;
    for (int digit = 0; digit < 2; ++digit, ++*in) {
      if (*in == end) return false;
      const char c = **in;
      const bool is_number = c >= '0' && c <= '9';
      if (!is_number && (c < 'a' || c > 'f')) return false;
      byte = byte << 4 | static_cast<unsigned>(is_number ? c - '0' : c - 'a' + 10);
    }
    static_cast<unsigned char*>(bytes)[i] = static_cast<unsigned char>(byte);
  }
  return true;
}

inline char* write_end(char* out, const sockaddr_storage& end) {
  *out++ = '/';
  if (end.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(end);
    *out++ = '4';
    out = write_bytes(out, &v4.sin_port, sizeof v4.sin_port);
    return write_bytes(out, &v4.sin_addr, sizeof v4.sin_addr);
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(end);
  *out++ = '6';
  out = write_bytes(out, &v6.sin6_port, sizeof v6.sin6_port);
  return write_bytes(out, &v6.sin6_addr, sizeof v6.sin6_addr);
}

inline bool read_end(const char** in, const char* end, sockaddr_storage* out) {
  std::memset(out, 0, sizeof *out);
  if (end - *in < 2 || *(*in)++ != '/') return false;
  const char family = *(*in)++;
  if (family == '4') {
    auto& v4 = reinterpret_cast<sockaddr_in&>(*out);
    v4.sin_family = AF_INET;
    return read_bytes(in, end, &v4.sin_port, sizeof v4.sin_port) &&
           read_bytes(in, end, &v4.sin_addr, sizeof v4.sin_addr);
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(*out);
  v6.sin6_family = AF_INET6;
  return family == '6' && read_bytes(in, end, &v6.sin6_port, sizeof v6.sin6_port) &&
         read_bytes(in, end, &v6.sin6_addr, sizeof v6.sin6_addr);
}

}  // namespace pair_name_detail

/// The address to bind the engine's end to; its length.
inline socklen_t write_pair_name(unsigned long inode, const PairName& name, sockaddr_un* address) {
  std::memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  char* begin = address->sun_path + 1;
  char* out =
      begin + std::snprintf(begin, sizeof address->sun_path - 1, "%s%lx", kPairPrefix, inode);
  static_assert(1 + kPairPrefixSize + 16 + 2 * (2 + 4 + 32) <= sizeof address->sun_path);
  out = pair_name_detail::write_end(out, name.peer);
  out = pair_name_detail::write_end(out, name.local);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) +
                                static_cast<std::size_t>(out - address->sun_path));
}

/// False: it is no such address.
inline bool read_pair_name(const sockaddr_un& address, socklen_t length, PairName* name) {
  constexpr std::size_t kPath = offsetof(sockaddr_un, sun_path);
  if (address.sun_family != AF_UNIX || length <= kPath + 1 + kPairPrefixSize ||
      length > sizeof address)
    return false;
  const char* in = address.sun_path + 1;
  const char* end = address.sun_path + (length - kPath);
  if (address.sun_path[0] != '\0' || std::memcmp(in, kPairPrefix, kPairPrefixSize) != 0)
    return false;
  for (in += kPairPrefixSize; in != end && *in != '/';) ++in;
  return pair_name_detail::read_end(&in, end, &name->peer) &&
         pair_name_detail::read_end(&in, end, &name->local) && in == end;
}

}  // namespace cassette
