// What the program is answered when it asks for a name or an address: a made-up address where the mode
// lets nothing out (there may be no DNS, and a query would be seen), the real resolver's elsewhere.
#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "preload/engine/connection/names.h"
#include "preload/engine/engine.h"
#include "store/log.h"

namespace cassette {

namespace {

enum class Source { kPass, kMadeUp, kReal };

std::string plain_name(const char* name) {
  std::string plain(name);
  std::transform(plain.begin(), plain.end(), plain.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (plain.size() > 1 && plain.back() == '.') plain.pop_back();
  return plain;
}

bool is_localhost(const std::string& name) {
  return name == "localhost" || name.ends_with(".localhost") || name == "ip6-localhost" ||
         name == "localhost.localdomain";
}

// The machine's own name is for binding and introducing oneself, not for requests.
bool is_own_name(const std::string& name) {
  char own[256] = "";
  return gethostname(own, sizeof own - 1) == 0 && name == plain_name(own);
}

/// gethostbyname(3) has other numbers for the same outcomes.
constexpr std::pair<int, int> kOutcomes[] = {{EAI_NONAME, HOST_NOT_FOUND},
                                             {EAI_AGAIN, TRY_AGAIN},
                                             {EAI_FAIL, NO_RECOVERY},
                                             {EAI_NODATA, NO_DATA}};
int h_errno_of(int code) {
  for (auto [eai, host] : kOutcomes) {
    if (eai == code) return host;
  }
  return NO_RECOVERY;
}
int eai_of(int code) {
  for (auto [eai, host] : kOutcomes) {
    if (host == code) return eai;
  }
  return EAI_SYSTEM;
}

std::uint16_t port_of(const char* service) {
  if (service == nullptr) return 0;
  char* end = nullptr;
  unsigned long port = std::strtoul(service, &end, 10);
  if (end != service && *end == '\0') return static_cast<std::uint16_t>(port);
  if (std::strcmp(service, "http") == 0) return 80;
  if (std::strcmp(service, "https") == 0) return 443;
  return 0;
}

/// Whether it matters that the name is found.
bool is_noted(const std::string& name) {
  return !is_localhost(name) && !is_own_name(name) && engine().intercepts(name, 0);
}

int recorded_failure(const std::string& name) {
  return is_noted(name) ? Failures::resolve_error(*engine().player(), name) : 0;
}

Source source_of(const char* node, const char* service, const std::string& name) {
  if (is_numeric_host(node) || name.empty()) return Source::kPass;
  std::shared_ptr<Player> player = engine().player();
  if (player == nullptr) return Source::kPass;
  std::uint16_t port = port_of(service);
  if (is_left_alone(port) || is_own_name(name) || !engine().intercepts(name, port)) {
    return Source::kReal;
  }
  if (is_localhost(name)) return Source::kReal;
  return player->upstream_policy(name, port) == UpstreamPolicy::kAtConnect ? Source::kReal
                                                                           : Source::kMadeUp;
}

/// Resolves what needs no resolver, so that service names, socket types and flags are libc's business.
int answer_with(const std::string& numeric, const char* canonical, const char* service,
                const addrinfo* hints, addrinfo** result) {
  addrinfo ours{};
  if (hints != nullptr) {
    ours.ai_family = hints->ai_family;
    ours.ai_socktype = hints->ai_socktype;
    ours.ai_protocol = hints->ai_protocol;
    ours.ai_flags = hints->ai_flags;
  }
  ours.ai_flags = (ours.ai_flags | AI_NUMERICHOST) & ~AI_ADDRCONFIG;
  int status = engine().real.getaddrinfo(numeric.c_str(), service, &ours, result);
  if (status == 0 && (ours.ai_flags & AI_CANONNAME) != 0 && *result != nullptr) {
    // As freeaddrinfo() does. A library that stands for libc's (proxychains) has it in one block with the rest.
    constexpr std::ptrdiff_t kBlock = 1024;
    const char* before = (*result)->ai_canonname;
    const std::ptrdiff_t distance = before - reinterpret_cast<const char*>(*result);
    if (distance < 0 || distance >= kBlock) std::free((*result)->ai_canonname);
    (*result)->ai_canonname = strdup(canonical);
  }
  return status;
}

/// Lays out a hostent with one name and one address. False when the buffer is too small.
bool fill(hostent* entry, char* buffer, std::size_t size, const std::string& name, int family,
          const void* address) {
  std::size_t length = family == AF_INET ? 4 : 16;
  std::size_t shift = -reinterpret_cast<std::uintptr_t>(buffer) % alignof(char*);
  std::size_t need = shift + 3 * sizeof(char*) + length + name.size() + 1;
  if (size < need) return false;
  auto** pointers = reinterpret_cast<char**>(buffer + shift);
  char* bytes = buffer + shift + 3 * sizeof(char*);
  std::memcpy(bytes, address, length);
  std::memcpy(bytes + length, name.c_str(), name.size() + 1);
  pointers[0] = bytes;
  pointers[1] = nullptr;
  pointers[2] = nullptr;  // no aliases
  entry->h_name = bytes + length;
  entry->h_aliases = pointers + 2;
  entry->h_addrtype = family;
  entry->h_length = static_cast<int>(length);
  entry->h_addr_list = pointers;
  return true;
}

const void* address_bytes(const Endpoint& endpoint) {
  return endpoint.family() == AF_INET
             ? static_cast<const void*>(
                   &reinterpret_cast<const sockaddr_in&>(endpoint.address).sin_addr)
             : &reinterpret_cast<const sockaddr_in6&>(endpoint.address).sin6_addr;
}

Endpoint endpoint_of(int family, const void* bytes) {
  Endpoint endpoint;
  endpoint.address.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    endpoint.length = sizeof(sockaddr_in);
    std::memcpy(&reinterpret_cast<sockaddr_in&>(endpoint.address).sin_addr, bytes, 4);
  } else {
    endpoint.length = sizeof(sockaddr_in6);
    std::memcpy(&reinterpret_cast<sockaddr_in6&>(endpoint.address).sin6_addr, bytes, 16);
  }
  return endpoint;
}

/// The name that is known for an address; "" when a reverse query may not be made; nothing when it may.
std::optional<std::string> name_without_query(const Endpoint& endpoint) {
  if (std::optional<std::string> name = engine().names.name_of(endpoint)) return name;
  std::shared_ptr<Player> player = engine().player();
  bool silent = player != nullptr && !endpoint.is_loopback() &&
                engine().intercepts(endpoint.host(), endpoint.port()) &&
                player->upstream_policy(endpoint.host(), endpoint.port()) == UpstreamPolicy::kNever;
  if (silent) return "";
  return std::nullopt;
}

}  // namespace

int engine_getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                       addrinfo** result) {
  if (hints != nullptr && (hints->ai_flags & AI_NUMERICHOST) != 0) return kNotOurName;
  std::string name = plain_name(node);
  Source source = source_of(node, service, name);
  if (source == Source::kPass) return kNotOurName;
  if (int recorded = recorded_failure(name)) return recorded;
  if (source == Source::kMadeUp) {
    int family =
        hints != nullptr && hints->ai_family == AF_INET6 && (hints->ai_flags & AI_V4MAPPED) == 0
            ? AF_INET6
            : AF_INET;
    Endpoint endpoint = engine().names.made_up(name, family);
    return answer_with(endpoint.host(), node, service, hints, result);
  }
  return kAskResolver;
}

int engine_getaddrinfo_asked(const char* node, const char* service, const addrinfo* hints,
                             addrinfo** result, int status) {
  const std::string name = plain_name(node);
  if (status != 0 && is_localhost(name)) {  // no interface is up: AI_ADDRCONFIG leaves nothing
    bool v6 = hints != nullptr && hints->ai_family == AF_INET6;
    status = answer_with(v6 ? "::1" : "127.0.0.1", node, service, hints, result);
  }
  if (is_noted(name)) engine().failures.resolved(name, status);
  if (status == 0 && !is_localhost(name)) {
    for (const addrinfo* info = *result; info != nullptr; info = info->ai_next) {
      if (auto endpoint = Endpoint::from(info->ai_addr, info->ai_addrlen)) {
        engine().names.remember(name, *endpoint);
      }
    }
  }
  return status;
}

int engine_gethostbyname_r(const char* node, int family, hostent* entry, char* buffer,
                           std::size_t size, hostent** result, int* h_error) {
  if (node == nullptr || (family != AF_INET && family != AF_INET6)) return kPassThrough;
  std::string name = plain_name(node);
  Source source = source_of(node, nullptr, name);
  if (source == Source::kPass) return kPassThrough;
  *result = nullptr;
  if (int recorded = recorded_failure(name)) {
    *h_error = h_errno_of(recorded);
    return 0;
  }
  if (source == Source::kMadeUp) {
    Endpoint endpoint = engine().names.made_up(name, family);
    if (!fill(entry, buffer, size, node, family, address_bytes(endpoint))) {
      *h_error = NETDB_INTERNAL;
      return ERANGE;
    }
    *result = entry;
    *h_error = NETDB_SUCCESS;
    return 0;
  }
  return kAskResolver;
}

void engine_gethostbyname_asked(const char* node, const hostent* found, int h_error) {
  const std::string name = plain_name(node);
  if (is_noted(name)) engine().failures.resolved(name, found != nullptr ? 0 : eai_of(h_error));
  if (found == nullptr || is_localhost(name)) return;
  for (char** address = found->h_addr_list; *address != nullptr; ++address) {
    engine().names.remember(name, endpoint_of(found->h_addrtype, *address));
  }
}

bool refuses_query(const char* node) {
  const std::string name = plain_name(node);
  std::shared_ptr<Player> player = engine().player();
  if (player == nullptr || !is_noted(name)) return false;
  if (player->upstream_policy(name, 0) != UpstreamPolicy::kNever) return false;
  if (engine().told.first("query " + name)) {
    log(LogLevel::kWarn,
        name + ": a query to the name server is refused in replay (ignore-hosts lets it through)");
  }
  return true;
}

int engine_getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_size,
                       char* service, socklen_t service_size, int flags) {
  std::optional<Endpoint> endpoint = Endpoint::from(address, length);
  if (!endpoint || (flags & NI_NUMERICHOST) != 0 || host == nullptr || host_size == 0) {
    return kNotOurName;
  }
  std::optional<std::string> name = name_without_query(*endpoint);
  if (!name) return kNotOurName;
  if (name->empty()) {
    if ((flags & NI_NAMEREQD) != 0) return EAI_NONAME;
    return engine().real.getnameinfo(address, length, host, host_size, service, service_size,
                                     flags | NI_NUMERICHOST);
  }
  if (name->size() + 1 > host_size) return EAI_OVERFLOW;
  if (service != nullptr && service_size > 0) {
    int status = engine().real.getnameinfo(address, length, nullptr, 0, service, service_size,
                                           flags & ~NI_NAMEREQD);
    if (status != 0) return status;
  }
  std::memcpy(host, name->c_str(), name->size() + 1);
  return 0;
}

int engine_gethostbyaddr_r(const void* address, socklen_t length, int family, hostent* entry,
                           char* buffer, std::size_t size, hostent** result, int* h_error) {
  bool complete = (family == AF_INET && length >= 4) || (family == AF_INET6 && length >= 16);
  if (address == nullptr || !complete) return kPassThrough;
  std::optional<std::string> name = name_without_query(endpoint_of(family, address));
  if (!name) return kPassThrough;
  *result = nullptr;
  if (name->empty()) {
    *h_error = HOST_NOT_FOUND;
    return 0;
  }
  if (!fill(entry, buffer, size, *name, family, address)) {
    *h_error = NETDB_INTERNAL;
    return ERANGE;
  }
  *result = entry;
  *h_error = NETDB_SUCCESS;
  return 0;
}

}  // namespace cassette
