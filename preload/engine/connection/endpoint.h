// Internet addresses as the engine needs them: in and out of sockaddr, as text, and which ports are
// well known for protocols that are not HTTP. Pure computation.
#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace cassette {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;

  /// Nothing when it is no complete internet address.
  static std::optional<Endpoint> from(const sockaddr* address, socklen_t length);

  int family() const { return address.ss_family; }
  std::uint16_t port() const;
  void set_port(std::uint16_t port);
  /// The address alone, e.g. "127.0.0.1" or "::1"; a v4-mapped address as its IPv4 form.
  std::string host() const;
  bool is_loopback() const;
  /// No address: INADDR_ANY and its like.
  bool is_any() const;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }

  /// Copies the address out as getpeername(2) does: cut to `*length`, which is set to the real size.
  void copy_to(sockaddr* out, socklen_t* out_length) const;
};

/// Ports of protocols that are left alone from the start: SSH, SMTP, DNS, POP, IMAP, LDAP, databases.
bool is_left_alone(std::uint16_t port);

}  // namespace cassette
