// See swap.h. connect(2), dup3(2), unix(7); epoll registrations belong to the open file description, so
// they are taken off the old socket (which lives on as the original) and made anew on the pair.
#include "preload/engine/connection/swap.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "preload/engine/engine.h"

namespace cassette {

namespace {

/// Fills the buffer of the program's end, made as small as the kernel allows (socket(7)), so that it is not writable and takes
/// no byte. Connection::fit_buffers() gives it its size when the connection stands. Returns how many bytes that took.
std::size_t put_ballast(int program_end) {
  static const char zeros[2048] = {};
  const int least = 0;
  ::setsockopt(program_end, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
  std::size_t size = 0;
  ssize_t sent;
  while ((sent = ::send(program_end, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
    size += static_cast<std::size_t>(sent);
  }
  return size;
}

struct EpollRegistration {
  int epoll_fd = -1;
  epoll_event event{};
};

/// What /proc says of `fd` in the epoll that it was added to last (proc_pid_fdinfo(5)).
EpollRegistration registration_of(int fd) {
  EpollRegistration none;
  int epoll_fd = engine().host.epoll_of(fd);
  if (epoll_fd < 0) return none;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll_fd);
  FILE* file = std::fopen(path, "re");
  if (file == nullptr) return none;
  char line[256];
  EpollRegistration found;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    int number;
    unsigned events;
    unsigned long long data;
    if (std::sscanf(line, "tfd: %d events: %x data: %llx", &number, &events, &data) == 3 &&
        number == fd) {
      found.epoll_fd = epoll_fd;
      found.event.events = events;
      found.event.data.u64 = data;
      break;
    }
  }
  std::fclose(file);
  return found;
}

template <typename Value>
void copy_option(int from, int to, int option, Value usual = {}) {
  Value value{};
  socklen_t length = sizeof value;
  if (::getsockopt(from, SOL_SOCKET, option, &value, &length) == 0 &&
      std::memcmp(&value, &usual, sizeof value) != 0) {
    ::setsockopt(to, SOL_SOCKET, option, &value, length);
  }
}

/// Flags and timeouts as the program set them. True: somebody gets signals of `from`.
bool copy_flags(int from, int to) {
  int flags = ::fcntl(from, F_GETFL);
  if (flags >= 0) ::fcntl(to, F_SETFL, flags & (O_NONBLOCK | O_ASYNC));
  f_owner_ex owner{};
  const bool has_owner = ::fcntl(from, F_GETOWN_EX, &owner) == 0 && owner.pid != 0;
  if (has_owner) {
    ::fcntl(to, F_SETOWN_EX, &owner);  // who gets SIGIO, or SIGURG
    ::fcntl(to, F_SETSIG, ::fcntl(from, F_GETSIG));
  }
  copy_option<timeval>(from, to, SO_RCVTIMEO);
  copy_option<timeval>(from, to, SO_SNDTIMEO);
  copy_option<int>(from, to, SO_RCVLOWAT, 1);
  copy_option<int>(from, to, SO_PEEK_OFF, -1);
  copy_option<int>(from, to, SO_OOBINLINE);
  return has_owner;
}

/// Puts `from` at the number `fd`, with the descriptor flags and the registration that are there. The number is held when it
/// returns 0; else kOtherSocket or an errno.
int replace(int fd, const SocketIdentity& socket, int from) {
  const std::uintptr_t owner = engine().host.owner(fd);
  const EpollRegistration registration = registration_of(fd);
  if (!engine().host.hold_number(fd)) return EMFILE;
  auto fail = [&](int error) {
    engine().host.free_number(fd, owner);
    return error;
  };
  SocketIdentity now;
  if (!now.read(fd) || now != socket) return fail(kOtherSocket);
  if (registration.epoll_fd >= 0) {
    ::epoll_ctl(registration.epoll_fd, EPOLL_CTL_DEL, fd, nullptr);
  }
  auto register_again = [&] {
    epoll_event event = registration.event;
    if (registration.epoll_fd >= 0) ::epoll_ctl(registration.epoll_fd, EPOLL_CTL_ADD, fd, &event);
  };
  const int flags = ::fcntl(fd, F_GETFD);
  const int close_on_exec = flags >= 0 && (flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0;
  const int error = ::dup3(from, fd, close_on_exec) < 0 ? errno : 0;
  register_again();
  return error == 0 ? 0 : fail(error);
}

}  // namespace

void read_in_line(int fd) {
  const int in_line = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &in_line, sizeof in_line);
}

void serve_engine(int fd) {
  read_in_line(fd);
  const int least = 1, none = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
  // Nobody would take them out of the error queue, and epoll tells of them for ever.
  ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &none, sizeof none);
}

bool SocketIdentity::read(int fd) {
  struct stat identity {};
  if (fstat(fd, &identity) != 0) return false;
  device = identity.st_dev;
  inode = identity.st_ino;
  return true;
}

int swap_socket(int fd, const SocketIdentity& socket, bool unwritable,
                Connection::Sockets* sockets) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return errno;
  int program_end = pair[0];
  Connection::Sockets made;
  auto fail = [&](int error) {
    ::close(program_end);
    if (made.engine_end >= 0) engine().close_private(made.engine_end);
    if (made.original >= 0) engine().close_private(made.original);
    return error;
  };

  made.program_fd = fd;
  const int from[] = {pair[1], fd};
  int copies[2];
  const bool copied_both = engine().copy_up(from, copies, 2, &made.scarce);
  int error = errno;
  ::close(pair[1]);
  if (!copied_both) return fail(error == EBADF ? kOtherSocket : error);
  made.engine_end = copies[0];
  made.original = copies[1];
  SocketIdentity copied;
  if (!copied.read(made.original) || copied != socket) return fail(kOtherSocket);
  ::fcntl(made.engine_end, F_SETFL, O_NONBLOCK);
  read_in_line(made.engine_end);

  SocketIdentity identity;
  if (!identity.read(program_end)) return fail(errno);
  made.device = identity.device;
  made.inode = identity.inode;
  if (unwritable) made.ballast = put_ballast(program_end);
  const bool has_owner = copy_flags(made.original, program_end);

  error = replace(fd, socket, program_end);
  if (error != 0) return fail(error);
  ::close(program_end);
  // The original is the engine's from here on; the program has its own flags on the pair, and signals from there.
  ::fcntl(made.original, F_SETFL, (::fcntl(made.original, F_GETFL) & ~O_ASYNC) | O_NONBLOCK);
  const f_owner_ex nobody{};
  if (has_owner) ::fcntl(made.original, F_SETOWN_EX, &nobody);
  serve_engine(made.original);
  *sockets = made;
  return 0;
}

void swap_copies(int fd, const SocketIdentity& socket, std::uintptr_t owner) {
  for (int copy = -1; (copy = engine().host.next_copy(fd, copy + 1)) >= 0;) {
    SocketIdentity other;
    if (other.read(copy) && other == socket && replace(copy, socket, fd) == 0) {
      engine().host.free_number(copy, owner);
    }
  }
}

bool unswap_socket(int fd, int original, int family) {
  SocketIdentity pair;
  if (!pair.read(fd)) return false;
  int socket = original;
  if (original >= 0) {
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    ::connect(original, &nowhere, sizeof nowhere);
  } else {
    socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (socket < 0) return false;
  }
  int in_line = 0;
  socklen_t length = sizeof in_line;
  ::getsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &in_line, &length);
  ::setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &in_line, sizeof in_line);
  copy_flags(fd, socket);
  const int error = replace(fd, pair, socket);
  if (original < 0) ::close(socket);
  if (error == 0) engine().host.free_number(fd, 0);
  errno = error == kOtherSocket ? EBADF : error;
  return error == 0;
}

}  // namespace cassette
