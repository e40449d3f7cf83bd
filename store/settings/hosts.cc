// Which hosts a list of patterns names: `ignore_hosts`, `only_hosts` and the like.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "store/settings/settings.h"
#include "store/uri.h"

namespace cassette {
namespace {

/// Lower case, without the brackets of an IPv6 address or the dot that ends a fully qualified name,
/// and with one spelling for each address.
std::string normalised(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  std::string result(host);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  });
  if (result.find(':') != std::string::npos) {
    in6_addr address{};
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (inet_pton(AF_INET6, result.c_str(), &address) == 1) {
      // An IPv4 address that an IPv6 socket shows.
      if (IN6_IS_ADDR_V4MAPPED(&address)) {
        inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
      } else {
        inet_ntop(AF_INET6, &address, text.data(), text.size());
      }
      result = text.data();
    }
  }
  return result;
}

bool is_loopback(std::string_view host) {
  // All of 127.0.0.0/8 is this machine, and programs do use more of it than 127.0.0.1.
  in_addr address{};
  return is_localhost(host) || (host.substr(0, 4) == "127." &&
                                inet_pton(AF_INET, std::string(host).c_str(), &address) == 1);
}

}  // namespace

HostPattern parse_host_pattern(std::string_view text) {
  HostPattern pattern;
  std::size_t colon = text.rfind(':');
  bool bracketed = text.substr(0, 1) == "[";
  bool has_port = colon != std::string_view::npos &&
                  (bracketed ? colon > text.rfind(']') : text.find(':') == colon);
  if (has_port) {
    unsigned port = 0;
    for (char c : text.substr(colon + 1)) port = port * 10 + static_cast<unsigned>(c - '0');
    pattern.port = static_cast<std::uint16_t>(port);
    text = text.substr(0, colon);
  }
  if (text.substr(0, 2) == "*.") text.remove_prefix(1);
  pattern.host = normalised(text);
  return pattern;
}

bool HostList::contains(std::string_view host, std::uint16_t port) const {
  if (patterns_.empty()) return false;
  const std::string name = normalised(host);
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const HostPattern& pattern) {
    if (pattern.port != 0 && pattern.port != port) return false;
    if (pattern.host == name) return true;
    if (pattern.host == "localhost") return is_loopback(name);
    return pattern.host.size() > 1 && pattern.host.front() == '.' &&
           name.size() > pattern.host.size() &&
           std::string_view(name).substr(name.size() - pattern.host.size()) == pattern.host;
  });
}

}  // namespace cassette
