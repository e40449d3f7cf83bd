// See endpoint.h.
#include "preload/engine/connection/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace cassette {

namespace {
const sockaddr_in& v4(const Endpoint& endpoint) {
  return reinterpret_cast<const sockaddr_in&>(endpoint.address);
}
const sockaddr_in6& v6(const Endpoint& endpoint) {
  return reinterpret_cast<const sockaddr_in6&>(endpoint.address);
}
}  // namespace

std::optional<Endpoint> Endpoint::from(const sockaddr* address, socklen_t length) {
  if (address == nullptr || length < sizeof(sa_family_t)) return std::nullopt;
  socklen_t need = address->sa_family == AF_INET    ? sizeof(sockaddr_in)
                   : address->sa_family == AF_INET6 ? sizeof(sockaddr_in6)
                                                    : 0;
  if (need == 0 || length < need) return std::nullopt;
  Endpoint endpoint;
  std::memcpy(&endpoint.address, address, need);
  endpoint.length = need;
  return endpoint;
}

std::uint16_t Endpoint::port() const {
  return ntohs(family() == AF_INET ? v4(*this).sin_port : v6(*this).sin6_port);
}

void Endpoint::set_port(std::uint16_t port) {
  if (family() == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
  }
}

std::string Endpoint::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &v4(*this).sin_addr, text, sizeof text);
  } else if (IN6_IS_ADDR_V4MAPPED(&v6(*this).sin6_addr)) {
    inet_ntop(AF_INET, v6(*this).sin6_addr.s6_addr + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &v6(*this).sin6_addr, text, sizeof text);
  }
  return text;
}

bool Endpoint::is_any() const {
  if (family() == AF_INET) return v4(*this).sin_addr.s_addr == htonl(INADDR_ANY);
  return IN6_IS_ADDR_UNSPECIFIED(&v6(*this).sin6_addr);
}

bool Endpoint::is_loopback() const {
  if (family() == AF_INET) return (ntohl(v4(*this).sin_addr.s_addr) >> 24) == 127;
  const in6_addr& address6 = v6(*this).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address6)) return address6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&address6);
}

void Endpoint::copy_to(sockaddr* out, socklen_t* out_length) const {
  std::memcpy(out, &address, std::min(*out_length, length));
  *out_length = length;
}

bool is_left_alone(std::uint16_t port) {
  // Sorted. TLS from the first byte has ports of its own (RFC 8314 section 3.3 and the like): taken apart, it would be
  // found too late that there is no HTTP within.
  static constexpr std::uint16_t kPorts[] = {
      22,     // SSH
      23,     // telnet
      25,     // SMTP
      53,     // DNS
      110,    // POP3
      119,    // NNTP
      143,    // IMAP
      389,    // LDAP
      465,    // SMTP over TLS
      563,    // NNTP over TLS
      587,    // SMTP, submission
      636,    // LDAP over TLS
      853,    // DNS over TLS
      989,    // FTP's data over TLS
      990,    // FTP over TLS
      992,    // telnet over TLS
      993,    // IMAP over TLS
      994,    // IRC over TLS
      995,    // POP3 over TLS
      1433,   // SQL Server
      1521,   // Oracle
      3269,   // LDAP's global catalog over TLS
      3306,   // MySQL
      5061,   // SIP over TLS
      5223,   // XMPP over TLS
      5432,   // PostgreSQL
      5671,   // AMQP over TLS
      5672,   // AMQP
      6379,   // Redis
      6380,   // Redis over TLS
      6697,   // IRC over TLS
      8883,   // MQTT over TLS
      9042,   // Cassandra
      9092,   // Kafka
      11211,  // memcached
      27017,  // MongoDB, and two of its kinds of server
      27018, 27019,
  };
  static_assert(std::is_sorted(std::begin(kPorts), std::end(kPorts)));
  return std::binary_search(std::begin(kPorts), std::end(kPorts), port);
}

}  // namespace cassette
