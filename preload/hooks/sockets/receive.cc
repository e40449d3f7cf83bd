// Hooks of the receive family, for the two flags that mean something else to a pair than to TCP. Bytes are the kernel's
// business: every other call passes with one look at its flags. recv(2), tcp(7) (MSG_TRUNC), ip(7) (IP_RECVERR).
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "preload/hooks/library.h"
#include "preload/hooks/sockets/passed_connection.h"

namespace cassette {
namespace {

/// Of a connection that a library serves, this process's or another's.
bool differs(int fd, int flags) {
  if (__builtin_expect((flags & (MSG_ERRQUEUE | MSG_TRUNC)) == 0, 1) || inside_engine) return false;
  PairName ignored;
  return is_connection(descriptors.owner(fd)) || passed_connection(fd, &ignored);
}

/// TCP's errors are told by the calls that meet them; the queue has nothing.
ssize_t empty_queue() {
  errno = EAGAIN;
  return -1;
}

/// Takes that many bytes, or as many as there are, and keeps none: a pair would write them, or fail without a buffer.
ssize_t discard(int fd, std::size_t size, int flags) {
  char bytes[4096];
  std::size_t done = 0;
  flags &= ~MSG_TRUNC;
  while (done < size) {
    const ssize_t got = real().recv(fd, bytes, std::min(size - done, sizeof bytes), flags);
    if (got <= 0) return done > 0 ? static_cast<ssize_t>(done) : got;
    done += static_cast<std::size_t>(got);
    if ((flags & MSG_PEEK) != 0) break;  // the same ones again
    if ((flags & MSG_WAITALL) == 0) flags |= MSG_DONTWAIT;
  }
  return static_cast<ssize_t>(done);
}

ssize_t receive_differently(int fd, std::size_t size, int flags) {
  return (flags & MSG_ERRQUEUE) != 0 ? empty_queue() : discard(fd, size, flags);
}

std::size_t room_of(const msghdr& message) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) size += message.msg_iov[i].iov_len;
  return size;
}

ssize_t receive_differently(int fd, msghdr* message, int flags) {
  const ssize_t got = receive_differently(fd, room_of(*message), flags);
  if (got < 0) return got;
  message->msg_namelen = 0;
  message->msg_controllen = 0;
  message->msg_flags = 0;
  return got;
}

/// TCP names no sender of bytes; a pair names its other end, which is called as pair_name.h has it.
class Sender {
 public:
  Sender(int fd, sockaddr* address, socklen_t* length) : address_(address), length_(length) {
    if (__builtin_expect(address == nullptr || length == nullptr, 1)) return;
    room_ = *length;
    is_ours_ = !inside_engine && is_connection(descriptors.owner(fd));
  }
  /// Where the kernel may write.
  sockaddr* space() const { return is_ours_ ? nullptr : address_; }
  ssize_t told(ssize_t result) const {
    if (__builtin_expect(room_ > 0 && result >= 0, 0) && (is_ours_ || is_pair())) *length_ = 0;
    return result;
  }

 private:
  bool is_pair() const {
    constexpr std::size_t kName = offsetof(sockaddr_un, sun_path) + 1;
    if (room_ <= kName || *length_ <= kName + kPairPrefixSize || address_->sa_family != AF_UNIX)
      return false;
    const char* name = reinterpret_cast<const char*>(address_) + kName;
    return name[-1] == '\0' &&
           std::memcmp(name, kPairPrefix, std::min(kPairPrefixSize, room_ - kName)) == 0;
  }

  sockaddr* address_;
  socklen_t* length_;
  socklen_t room_ = 0;
  bool is_ours_ = false;
};

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  return differs(fd, flags) ? receive_differently(fd, size, flags)
                            : real().recv(fd, buffer, size, flags);
}

ssize_t __recv_chk(int fd, void* buffer, size_t size, size_t room, int flags) {
  return differs(fd, flags) ? receive_differently(fd, size, flags)
                            : real().__recv_chk(fd, buffer, size, room, flags);
}

ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, sockaddr* address,
                 socklen_t* length) {
  if (differs(fd, flags)) return receive_differently(fd, size, flags);
  const Sender sender(fd, address, length);
  return sender.told(real().recvfrom(fd, buffer, size, flags, sender.space(), length));
}

ssize_t __recvfrom_chk(int fd, void* buffer, size_t size, size_t room, int flags, sockaddr* address,
                       socklen_t* length) {
  if (differs(fd, flags)) return receive_differently(fd, size, flags);
  const Sender sender(fd, address, length);
  return sender.told(real().__recvfrom_chk(fd, buffer, size, room, flags, sender.space(), length));
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (message == nullptr) return real().recvmsg(fd, message, flags);
  if (differs(fd, flags)) return receive_differently(fd, message, flags);
  const Sender sender(fd, static_cast<sockaddr*>(message->msg_name), &message->msg_namelen);
  void* name = message->msg_name;
  message->msg_name = sender.space();
  const ssize_t got = sender.told(real().recvmsg(fd, message, flags));
  message->msg_name = name;
  return got;
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  if (!differs(fd, flags) || messages == nullptr || count == 0)
    return real().recvmmsg(fd, messages, count, flags, timeout);
  const ssize_t got = receive_differently(fd, &messages[0].msg_hdr, flags);
  if (got < 0) return -1;
  messages[0].msg_len = static_cast<unsigned>(got);
  return 1;
}

}  // extern "C"
#pragma GCC visibility pop
