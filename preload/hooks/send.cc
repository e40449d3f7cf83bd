// Hooks of the send family: the bytes of an intercepted connection are handed to the engine in the
// caller's thread, and its answer is readable before the call returns (the fast path). Everything
// else passes with one look into the descriptor table.
#include <cerrno>
#include <climits>

#include "preload/hooks/datagrams.h"
#include "preload/hooks/library.h"

namespace cassette {
namespace {

using Owner = DescriptorTable::Owner;

ssize_t hand_over(Owner owner, int fd, const iovec* parts, std::size_t count, int flags) {
  int saved = errno;
  EngineCall call = enter_engine();
  ssize_t sent = engine()->send(owner, fd, parts, count, flags);
  exit_engine(call);
  if (sent != -1) errno = saved;
  return sent;
}

ssize_t hand_over(Owner owner, int fd, const void* bytes, std::size_t size, int flags) {
  iovec part{const_cast<void*>(bytes), size};
  return hand_over(owner, fd, &part, 1, flags);
}

// sendto() and sendmsg() with MSG_FASTOPEN connect first. Data in the SYN is an optimisation that a
// caller cannot rely on, so two calls do.
bool opens_connection(int flags, const void* address) {
  return __builtin_expect((flags & MSG_FASTOPEN) != 0 && address != nullptr, 0) && !inside_engine;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    ssize_t sent = hand_over(owner, fd, bytes, size, flags);
    if (sent != kPassThrough) return sent;
  }
  return real().send(fd, bytes, size, flags);
}

ssize_t __send(int fd, const void* bytes, size_t size, int flags) {
  return send(fd, bytes, size, flags);
}

ssize_t sendto(int fd, const void* bytes, size_t size, int flags, const sockaddr* address,
               socklen_t length) {
  if (opens_connection(flags, address)) {
    if (connect(fd, address, length) != 0 && errno != EISCONN) return -1;
    return send(fd, bytes, size, flags & ~MSG_FASTOPEN);
  }
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    ssize_t sent = hand_over(owner, fd, bytes, size, flags);
    if (sent != kPassThrough) return sent;
    // TCP ignores the address of a connected socket, a socketpair does not. A number that was reused past
    // the hooks is none of ours by now.
    if (is_connection(descriptors.owner(fd))) return real().send(fd, bytes, size, flags);
  }
  if (refuses_datagrams(fd, address, length)) return -1;
  return real().sendto(fd, bytes, size, flags, address, length);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (message != nullptr && opens_connection(flags, message->msg_name)) {
    const auto* address = static_cast<const sockaddr*>(message->msg_name);
    if (connect(fd, address, message->msg_namelen) != 0 && errno != EISCONN) return -1;
    flags &= ~MSG_FASTOPEN;
  }
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner) && message != nullptr) {
    ssize_t sent = hand_over(owner, fd, message->msg_iov, message->msg_iovlen, flags);
    if (sent != kPassThrough) return sent;
    if (is_connection(descriptors.owner(fd))) {
      msghdr unaddressed = *message;
      unaddressed.msg_name = nullptr;
      unaddressed.msg_namelen = 0;
      return real().sendmsg(fd, &unaddressed, flags);
    }
  }
  if (message != nullptr && refuses_datagrams(fd, message->msg_name, message->msg_namelen))
    return -1;
  return real().sendmsg(fd, message, flags);
}

int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  if (!is_connection(descriptors.owner(fd)) || messages == nullptr) {
    // One that is refused ends it, as an error of the kernel's would: the ones before it are sent.
    for (unsigned i = 0; messages != nullptr && i < count; ++i) {
      const msghdr& message = messages[i].msg_hdr;
      if (!refuses_datagrams(fd, message.msg_name, message.msg_namelen)) continue;
      if (i == 0) return -1;
      count = i;
    }
    return real().sendmmsg(fd, messages, count, flags);
  }
  unsigned done = 0;
  for (; done < count && done < UIO_MAXIOV; ++done) {
    ssize_t sent = sendmsg(fd, &messages[done].msg_hdr, flags);
    if (sent < 0) break;
    messages[done].msg_len = static_cast<unsigned>(sent);
  }
  return done > 0 || count == 0 ? static_cast<int>(done) : -1;
}

ssize_t write(int fd, const void* bytes, size_t size) {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner)) {
    ssize_t sent = hand_over(owner, fd, bytes, size, 0);
    if (sent != kPassThrough) return sent;
  }
  return real().write(fd, bytes, size);
}

ssize_t __write(int fd, const void* bytes, size_t size) { return write(fd, bytes, size); }

ssize_t writev(int fd, const iovec* parts, int count) {
  Owner owner = descriptors.owner(fd);
  if (is_connection(owner) && parts != nullptr && count > 0) {
    ssize_t sent = hand_over(owner, fd, parts, static_cast<std::size_t>(count), 0);
    if (sent != kPassThrough) return sent;
  }
  return real().writev(fd, parts, count);
}

}  // extern "C"
#pragma GCC visibility pop
