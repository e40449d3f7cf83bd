// See passed_connection.h. tcp(7), ip(7), unix(7), netdevice(7).
#include "preload/hooks/sockets/passed_connection.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "preload/as_tcp.h"
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

/// What this process has set, in a ring: a program with so many connections of others, and so many options of each, is told the
/// defaults again for the oldest ones.
struct Set {
  ino_t inode;
  int level;
  int name;
  socklen_t length;
  char value[16];
};
constexpr unsigned kSets = 256;
Set sets[kSets];
unsigned next_set;
std::atomic_flag sets_busy;

/// Short, and no signal handler comes in between (enter_engine()).
class SetsLock {
 public:
  SetsLock() {
    while (sets_busy.test_and_set(std::memory_order_acquire)) sched_yield();
  }
  ~SetsLock() { sets_busy.clear(std::memory_order_release); }
  SetsLock(const SetsLock&) = delete;
  SetsLock& operator=(const SetsLock&) = delete;
};

ino_t inode_of(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

/// Or nullptr. Needs the lock.
Set* find_set(ino_t inode, int level, int name) {
  for (Set& set : sets) {
    if (set.inode == inode && set.level == level && set.name == name && inode != 0) return &set;
  }
  return nullptr;
}

bool tell_set(int fd, int level, int name, void* value, socklen_t* length) {
  const ino_t inode = inode_of(fd);
  const SetsLock lock;
  const Set* set = find_set(inode, level, name);
  if (set == nullptr) return false;
  *length = std::min(*length, set->length);
  std::memcpy(value, set->value, *length);
  return true;
}

void note_set(int fd, int level, int name, int spare) {
  Set made{inode_of(fd), level, name, sizeof made.value, {}};
  if (real().getsockopt(spare, level, name, made.value, &made.length) != 0) return;
  const SetsLock lock;
  Set* set = find_set(made.inode, level, name);
  (set != nullptr ? *set : sets[next_set++ % kSets]) = made;
}

/// Of a pair the kernel knows no such option.
bool is_unknown(int result) { return result != 0 && (errno == EOPNOTSUPP || errno == ENOPROTOOPT); }

int get_as_tcp(int fd, const PairName& pair, int level, int name, void* value, socklen_t* length) {
  int size = 0;
  if (level == SOL_SOCKET && name == SO_PEERNAME) return tell_peer(pair.peer, value, length);
  if (size_of_path(pair.peer, level, name, &size)) return tell_number(size, value, length);
  if (tell_set(fd, level, name, value, length)) return 0;
  const SpareSocket spare(pair.peer.ss_family);
  const int result = real().getsockopt(spare.fd(), level, name, value, length);
  if (result == 0 && level == IPPROTO_TCP && name == TCP_INFO && *length > 0)
    static_cast<unsigned char*>(value)[0] =
        static_cast<unsigned char>(tcp_state(fd, real().send));  // tcpi_state
  return result;
}

int set_as_tcp(int fd, const PairName& pair, int level, int name, const void* value,
               socklen_t length) {
  if (is_set_too_late(pair.peer.ss_family, level, name)) {
    errno = EINVAL;
    return -1;
  }
  const SpareSocket spare(pair.peer.ss_family);
  const int result = real().setsockopt(spare.fd(), level, name, value, length);
  if (result == 0) note_set(fd, level, name, spare.fd());
  return result;
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
  if (peer && tcp_state(fd, real().send) == TCP_CLOSE) {
    errno = ENOTCONN;
    return -1;
  }
  const sockaddr_storage& told = peer ? name.peer : name.local;
  std::memcpy(address, &told, std::min(room, size_of(told)));
  *length = size_of(told);
  return 0;
}

int get_passed_option(int fd, int level, int name, void* value, socklen_t* length) {
  const bool is_suspect = level == SOL_SOCKET && is_of_unix(name);
  const socklen_t room = length != nullptr ? *length : 0;
  PairName pair;
  // Asked first, since the kernel's answer may be a descriptor (SO_PEERPIDFD).
  bool is_ours = is_suspect && passed_connection(fd, &pair);
  int result = is_ours ? -1 : real().getsockopt(fd, level, name, value, length);
  if (level != SOL_SOCKET && is_unknown(result)) is_ours = passed_connection(fd, &pair);
  if (!is_ours) return result;
  if (value == nullptr || length == nullptr) {
    errno = EFAULT;
    return -1;
  }
  *length = room;
  EngineCall call = enter_engine();
  result = get_as_tcp(fd, pair, level, name, value, length);
  exit_engine(call);
  return result;
}

int set_passed_option(int fd, int level, int name, const void* value, socklen_t length) {
  PairName pair;
  bool is_ours = level == SOL_SOCKET && is_of_unix(name) && passed_connection(fd, &pair);
  int result = is_ours ? -1 : real().setsockopt(fd, level, name, value, length);
  if (level != SOL_SOCKET && is_unknown(result)) is_ours = passed_connection(fd, &pair);
  if (!is_ours) return result;
  EngineCall call = enter_engine();
  result = set_as_tcp(fd, pair, level, name, value, length);
  exit_engine(call);
  return result;
}

bool failed_as_unix(int fd) {
  PairName ignored;
  const bool may_be = errno == EISCONN || errno == EINVAL || errno == EBADF || errno == EPERM ||
                      errno == ETOOMANYREFS;
  return may_be && passed_connection(fd, &ignored);
}

int ask_passed_network(int fd, unsigned long request, int result, void* argument) {
  PairName pair;
  if (result == 0 || errno != ENOTTY || !passed_connection(fd, &pair)) return result;
  EngineCall call = enter_engine();
  {
    const SpareSocket spare(pair.peer.ss_family);
    if (spare.fd() >= 0) result = real().ioctl(spare.fd(), request, argument);
  }
  exit_engine(call);
  return result;
}

}  // namespace cassette
