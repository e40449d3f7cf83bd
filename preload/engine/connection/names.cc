// The table of names, and the real resolver for what has to go out. The answers to the program are
// in resolve.cc.
#include "preload/engine/connection/names.h"

#include <arpa/inet.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "preload/engine/engine.h"

namespace cassette {

namespace {

constexpr std::uint32_t kBlock4 = 0xC6120000;  // 198.18.0.0
constexpr std::uint32_t kBlock4Mask = 0xFFFE0000;
constexpr unsigned char kBlock6[6] = {0x20, 0x01, 0x00, 0x02, 0x00, 0x00};  // 2001:2::/48

Endpoint from_number(std::uint32_t number, int family) {
  Endpoint endpoint;
  endpoint.address.ss_family = static_cast<sa_family_t>(family);
  std::uint32_t v4 = htonl(kBlock4 | (number & ~kBlock4Mask));
  if (family == AF_INET) {
    endpoint.length = sizeof(sockaddr_in);
    reinterpret_cast<sockaddr_in&>(endpoint.address).sin_addr.s_addr = v4;
  } else {
    endpoint.length = sizeof(sockaddr_in6);
    unsigned char* bytes = reinterpret_cast<sockaddr_in6&>(endpoint.address).sin6_addr.s6_addr;
    std::memcpy(bytes, kBlock6, sizeof kBlock6);
    std::memcpy(bytes + 12, &v4, sizeof v4);
  }
  return endpoint;
}

}  // namespace

bool is_numeric_host(const char* name) {
  in_addr address4{};
  in6_addr address6{};
  return inet_aton(name, &address4) != 0 || inet_pton(AF_INET6, name, &address6) == 1 ||
         std::strchr(name, '%') != nullptr;
}

Endpoint Names::made_up(std::string_view name, int family) {
  std::lock_guard guard(mutex_);
  std::uint32_t number = 2166136261U;  // FNV-1a: the same in every process, unlike std::hash
  for (char c : name) number = (number ^ static_cast<unsigned char>(c)) * 16777619U;
  for (;; ++number) {
    std::uint32_t last = number & 0xFF;
    if (last == 0 || last == 255) continue;  // some programs take these for broadcast addresses
    Endpoint endpoint = from_number(number, family);
    auto [place, fresh] = name_by_address_.try_emplace(endpoint.host(), name);
    if (fresh || place->second == name) return endpoint;
  }
}

bool Names::is_made_up(const Endpoint& endpoint) {
  if (endpoint.family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(endpoint.address);
    return (ntohl(v4.sin_addr.s_addr) & kBlock4Mask) == kBlock4;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(endpoint.address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    std::uint32_t v4;
    std::memcpy(&v4, v6.sin6_addr.s6_addr + 12, sizeof v4);
    return (ntohl(v4) & kBlock4Mask) == kBlock4;
  }
  return std::memcmp(v6.sin6_addr.s6_addr, kBlock6, sizeof kBlock6) == 0;
}

void Names::remember(std::string_view name, const Endpoint& endpoint) {
  std::lock_guard guard(mutex_);
  name_by_address_.insert_or_assign(endpoint.host(), std::string(name));
}

std::optional<std::string> Names::name_of(const Endpoint& endpoint) {
  std::lock_guard guard(mutex_);
  auto found = name_by_address_.find(endpoint.host());
  if (found == name_by_address_.end()) return std::nullopt;
  return found->second;
}

std::optional<Endpoint> real_address(const Endpoint& endpoint, int* error) {
  if (!Names::is_made_up(endpoint)) return endpoint;
  *error = EHOSTUNREACH;
  std::optional<std::string> name = engine().names.name_of(endpoint);
  if (!name) return std::nullopt;
  addrinfo hints{};
  hints.ai_family = endpoint.family();
  hints.ai_socktype = SOCK_STREAM;
  if (endpoint.family() == AF_INET6) hints.ai_flags = AI_V4MAPPED;
  addrinfo* list = nullptr;
  if (engine().real.getaddrinfo(name->c_str(), nullptr, &hints, &list) != 0) return std::nullopt;
  std::optional<Endpoint> found;
  if (list != nullptr) found = Endpoint::from(list->ai_addr, list->ai_addrlen);
  engine().host.free_addresses(list);
  if (found) found->set_port(endpoint.port());
  return found;
}

}  // namespace cassette
