// See kept_options.h.
#include "preload/engine/connection/kept_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "preload/engine/engine.h"

namespace cassette {

namespace {

struct Name {
  int level;
  int name;
};

/// What programs set on a socket before they connect it.
constexpr Name kUsual[] = {
    {SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_LINGER},         {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_SNDBUF},    {SOL_SOCKET, SO_RCVBUF},         {SOL_SOCKET, SO_PRIORITY},
    {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_KEEPIDLE},     {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_TCP, TCP_USER_TIMEOUT},
};
constexpr Name kUsualV4[] = {{IPPROTO_IP, IP_TOS}};
constexpr Name kUsualV6[] = {{IPPROTO_IPV6, IPV6_V6ONLY}, {IPPROTO_IPV6, IPV6_TCLASS}};

/// The kernel shows twice what was asked for (socket(7)).
bool is_doubled(int level, int name) {
  return level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF);
}

}  // namespace

void KeptOptions::read(int fd, sa_family_t family) {
  auto read_all = [&](const auto& names) {
    for (const Name& option : names) {
      std::array<char, 16> value;
      socklen_t length = value.size();
      if (::getsockopt(fd, option.level, option.name, value.data(), &length) == 0)
        note(option.level, option.name, value.data(), length);
    }
  };
  read_all(kUsual);
  family == AF_INET ? read_all(kUsualV4) : read_all(kUsualV6);
}

void KeptOptions::note(int level, int name, const void* value, socklen_t length) {
  auto at = std::find_if(options_.begin(), options_.end(), [&](const Option& option) {
    return option.level == level && option.name == name;
  });
  if (at == options_.end()) at = options_.insert(at, Option{level, name, 0, {}});
  at->length = std::min<socklen_t>(length, at->value.size());
  std::memcpy(at->value.data(), value, at->length);
}

int KeptOptions::set(sa_family_t family, int level, int name, const void* value, socklen_t length) {
  const int spare = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (spare < 0) return -1;
  const int result = ::setsockopt(spare, level, name, value, length);
  const int error = errno;
  std::array<char, 16> shown;
  socklen_t size = shown.size();
  if (result == 0 && ::getsockopt(spare, level, name, shown.data(), &size) == 0)
    note(level, name, shown.data(), size);
  ::close(spare);
  errno = error;
  return result;
}

bool KeptOptions::get(int level, int name, void* value, socklen_t* length) const {
  for (const Option& option : options_) {
    if (option.level != level || option.name != name) continue;
    *length = std::min(*length, option.length);
    std::memcpy(value, option.value.data(), *length);
    return true;
  }
  return false;
}

void KeptOptions::apply(int fd) const {
  for (const Option& option : options_) {
    std::array<char, 16> value = option.value;
    if (is_doubled(option.level, option.name)) {
      int size = 0;
      std::memcpy(&size, value.data(), sizeof size);
      size /= 2;
      std::memcpy(value.data(), &size, sizeof size);
    }
    ::setsockopt(fd, option.level, option.name, value.data(), option.length);
  }
}

}  // namespace cassette
