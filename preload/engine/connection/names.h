// Names without DNS: for hosts that may be replayed, addresses out of 198.18.0.0/15 (RFC 2544) and
// 2001:2::/48 (RFC 5180), and which name every address stands for. Where recording asks the real
// resolver, its answers are remembered too.
//
// The address of a name is its hash (moved on where another name has it), so that processes of
// one tree mostly agree. Thread-safe.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "preload/engine/connection/endpoint.h"

namespace cassette {

class Names {
 public:
  /// The made-up address for `name`; `family` is AF_INET or AF_INET6. Port 0.
  Endpoint made_up(std::string_view name, int family);
  static bool is_made_up(const Endpoint& endpoint);

  /// `name` was resolved to that address.
  void remember(std::string_view name, const Endpoint& endpoint);
  /// The name that was resolved to this address last, or nothing.
  std::optional<std::string> name_of(const Endpoint& endpoint);

  /// Around fork.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> name_by_address_;
};

/// True for what needs no resolver: dotted and colon forms, with or without a scope.
bool is_numeric_host(const char* name);

/// The engine's answers, as in engine_api.h.
int engine_getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                       addrinfo** result);
int engine_getaddrinfo_asked(const char* node, const char* service, const addrinfo* hints,
                             addrinfo** result, int status);
int engine_getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_size,
                       char* service, socklen_t service_size, int flags);
int engine_gethostbyname_r(const char* name, int family, hostent* entry, char* buffer,
                           std::size_t size, hostent** result, int* h_error);
void engine_gethostbyname_asked(const char* node, const hostent* found, int h_error);
bool refuses_query(const char* name);
int engine_gethostbyaddr_r(const void* address, socklen_t length, int family, hostent* entry,
                           char* buffer, std::size_t size, hostent** result, int* h_error);

/// The real address behind a made-up one, for traffic that has to go out after all. Asks the real
/// resolver, so it may block. An errno when there is none.
std::optional<Endpoint> real_address(const Endpoint& endpoint, int* error);

}  // namespace cassette
