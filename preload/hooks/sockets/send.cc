// Hooks of the send family: the bytes of an intercepted connection are handed to the engine in the
// caller's thread, and its answer is readable before the call returns (the fast path). Everything
// else passes with one look into the descriptor table.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <climits>

#include "preload/hooks/library.h"
#include "preload/hooks/sockets/datagrams.h"
#include "preload/hooks/sockets/passed_connection.h"

namespace cassette {
namespace {

using Owner = DescriptorTable::Owner;

/// A write that found the end: what send(2) does of its own, and the engine does not.
ssize_t failed_send(int flags) {
  if (errno == EPIPE && (flags & MSG_NOSIGNAL) == 0) {
    pthread_kill(pthread_self(), SIGPIPE);
    errno = EPIPE;
  }
  return -1;
}

std::size_t size_of(const iovec* parts, std::size_t count) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += parts[i].iov_len;
  return size;
}

/// Through the kernel, to the program's end of the pair, of which it knows EPIPE alone.
ssize_t pass(Owner owner, int fd, const msghdr& message, int flags) {
  ssize_t sent = real().sendmsg(fd, &message, flags | MSG_NOSIGNAL);
  // A pair knows no urgent byte before Linux 5.15, nor a message without one: it is one like the others.
  if (sent < 0 && errno == EOPNOTSUPP && (flags & MSG_OOB) != 0) {
    flags &= ~MSG_OOB;
    sent = real().sendmsg(fd, &message, flags | MSG_NOSIGNAL);
  }
  const std::size_t size = size_of(message.msg_iov, message.msg_iovlen);
  const bool cut_short = sent >= 0 && static_cast<std::size_t>(sent) < size;
  if (__builtin_expect(!cut_short && (sent >= 0 || errno != EPIPE), 1)) return sent;
  EngineCall call = enter_engine();
  ssize_t told = engine()->send_failed(owner, fd, sent);
  exit_engine(call);
  if (cut_short) return sent;
  if (told == kPassThrough) errno = EPIPE;
  return failed_send(flags);
}

bool blocks(int fd, int flags) {
  return (flags & MSG_DONTWAIT) == 0 && (real().fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

/// The rest of a message of which the engine took `sent` bytes. Returns how many of all of them were sent.
ssize_t pass_rest(Owner owner, int fd, const iovec* parts, std::size_t count, int flags,
                  std::size_t sent) {
  const std::size_t size = size_of(parts, count);
  std::size_t before = 0;  // the parts in front of the present one
  for (std::size_t i = 0; i < count; before += parts[i].iov_len, ++i) {
    while (sent < before + parts[i].iov_len) {
      const std::size_t done = sent - before;
      iovec rest{static_cast<char*>(parts[i].iov_base) + done, parts[i].iov_len - done};
      msghdr message{};
      message.msg_iov = &rest;
      message.msg_iovlen = 1;
      // An error now is told by the next call, as of any send that was cut short.
      const bool is_last =
          before + parts[i].iov_len == size;  // its last byte is what MSG_OOB means
      ssize_t more = pass(owner, fd, message, (is_last ? flags : flags & ~MSG_OOB) | MSG_NOSIGNAL);
      if (more <= 0) return static_cast<ssize_t>(sent);
      sent += static_cast<std::size_t>(more);
      if (static_cast<std::size_t>(more) < rest.iov_len) return static_cast<ssize_t>(sent);
    }
  }
  return static_cast<ssize_t>(sent);
}

/// kPassThrough only where the descriptor turned out to be no connection of ours.
ssize_t hand_over(Owner owner, int fd, const iovec* parts, std::size_t count, int flags) {
  int saved = errno;
  EngineCall call = enter_engine();
  ssize_t sent = engine()->send(owner, fd, parts, count, flags);
  exit_engine(call);
  if (sent == -1) return failed_send(flags);
  errno = saved;
  if (sent == kPassThrough) {
    // A number that was reused past the hooks is none of ours by now.
    if (!is_connection(descriptors.owner(fd))) return sent;
    msghdr message{};  // TCP ignores the address of a connected socket, a socketpair does not
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = count;
    return pass(owner, fd, message, flags);
  }
  if (static_cast<std::size_t>(sent) == size_of(parts, count) || !blocks(fd, flags)) return sent;
  sent = pass_rest(owner, fd, parts, count, flags, static_cast<std::size_t>(sent));
  errno = saved;
  return sent;
}

/// The engine reads what the program wrote itself, and would fail where the kernel says EFAULT: of nullptr, at least, it may say so.
ssize_t hand_over(Owner owner, int fd, const void* bytes, std::size_t size, int flags) {
  if (__builtin_expect(bytes == nullptr, 0)) return kPassThrough;
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
  }
  if (refuses_datagrams(fd, address, length)) return -1;
  const ssize_t sent = real().sendto(fd, bytes, size, flags, address, length);
  if (__builtin_expect(sent < 0 && address != nullptr, 0) && failed_as_unix(fd))
    return real().send(fd, bytes, size, flags);
  return sent;
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
  }
  if (message != nullptr && refuses_datagrams(fd, message->msg_name, message->msg_namelen))
    return -1;
  const ssize_t sent = real().sendmsg(fd, message, flags);
  if (__builtin_expect(sent >= 0 || message == nullptr, 1) || !failed_as_unix(fd)) return sent;
  msghdr bare{};
  bare.msg_iov = message->msg_iov;
  bare.msg_iovlen = message->msg_iovlen;
  return real().sendmsg(fd, &bare, flags);
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
