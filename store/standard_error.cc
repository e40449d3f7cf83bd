// See standard_error.h. signal(7), pipe(7), tty_ioctl(4).
#include "store/standard_error.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "store/kernel.h"

namespace cassette {
namespace {

constexpr int kNumber = 2;
/// PIPE_BUF: what a pipe takes as a whole, or not at all.
constexpr std::size_t kPiece = 4096;
constexpr off_t kMostUnsaid = 256 * 1024;

/// Of a thread, as the kernel has them.
using Signals = unsigned long;
constexpr Signals bit(int signal) { return Signals{1} << (signal - 1); }

/// A background process that writes to its terminal is not stopped while SIGTTOU is blocked.
class WithoutSignals {
 public:
  WithoutSignals() {
    ask_kernel(SYS_rt_sigprocmask, SIG_BLOCK, word_of(&kAll), word_of(&before_), sizeof(Signals));
    // One that was not blocked cannot have been waiting.
    if ((before_ & kAll) != 0) ask_kernel(SYS_rt_sigpending, word_of(&pending_), sizeof(Signals));
  }
  ~WithoutSignals() {
    if (came_ != 0) {
      const timespec at_once{};
      while (ask_kernel(SYS_rt_sigtimedwait, word_of(&came_), 0, word_of(&at_once),
                        sizeof(Signals)) == -EINTR) {
      }
    }
    ask_kernel(SYS_rt_sigprocmask, SIG_SETMASK, word_of(&before_), 0, sizeof(Signals));
  }
  WithoutSignals(const WithoutSignals&) = delete;
  WithoutSignals& operator=(const WithoutSignals&) = delete;

  /// The result of a write: its signal is ours, unless one was waiting already.
  long saw(long result) {
    if (result == -EPIPE) came_ |= bit(SIGPIPE) & ~pending_;
    if (result == -EFBIG) came_ |= bit(SIGXFSZ) & ~pending_;
    return result;
  }

 private:
  static constexpr Signals kAll = bit(SIGPIPE) | bit(SIGTTOU) | bit(SIGXFSZ);
  Signals pending_ = 0;
  Signals before_ = 0;
  Signals came_ = 0;
};

long write_plainly(int fd, const char* bytes, std::size_t size) {
  long result;
  do result = ask_kernel(SYS_write, fd, word_of(bytes), static_cast<long>(size));
  while (result == -EINTR);
  return result;
}

/// The same pipe or terminal once more, for which not waiting can be chosen: the program's descriptor is shared with
/// others. -errno.
long reopen(int fd) {
  char path[32] = "/proc/self/fd/";
  char* end = path + std::strlen(path);
  char digits[12];
  int count = 0;
  do digits[count++] = static_cast<char>('0' + fd % 10);
  while ((fd /= 10) != 0);
  while (count > 0) *end++ = digits[--count];
  *end = '\0';
  return ask_kernel(SYS_openat, AT_FDCWD, word_of(path),
                    O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

bool has_room(int fd) {
  pollfd one{fd, POLLOUT, 0};
  const timespec at_once{};
  return ask_kernel(SYS_ppoll, word_of(&one), 1, word_of(&at_once), 0, 0) == 1 &&
         (one.revents & POLLOUT) != 0;
}

/// A pipe, or a terminal.
long write_without_waiting(int fd, const char* bytes, std::size_t size) {
  // Pipes know it since Linux 6.4.
  const iovec part{const_cast<char*>(bytes), size};
  long result =
      ask_kernel(SYS_pwritev2, fd, word_of(&part), 1, -1, -1, static_cast<long>(RWF_NOWAIT));
  if (result >= 0 || result == -EAGAIN || result == -EPIPE) return result;
  const long again = reopen(fd);
  if (again >= 0) {
    result = write_plainly(static_cast<int>(again), bytes, size);
    ask_kernel(SYS_close, again);
    return result;
  }
  // Not ours to open (another user's). Who writes to it at the same time may take the room.
  return has_room(fd) ? write_plainly(fd, bytes, size) : -EAGAIN;
}

bool is_terminal(int fd) {
  char settings[256];  // struct termios of the kernel
  return ask_kernel(SYS_ioctl, fd, TCGETS, word_of(settings)) == 0;
}

long write_piece(int fd, mode_t kind, const char* bytes, std::size_t size) {
  switch (kind & S_IFMT) {
    case S_IFSOCK:
      return ask_kernel(SYS_sendto, fd, word_of(bytes), static_cast<long>(size),
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    case S_IFIFO:
      return write_without_waiting(fd, bytes, size);
    case S_IFCHR:
      return is_terminal(fd) ? write_without_waiting(fd, bytes, size)
                             : write_plainly(fd, bytes, size);
    default:
      return write_plainly(fd, bytes, size);
  }
}

StandardError the_start;
std::atomic<bool> has_start;
std::atomic<const char*> unsaid_file;
std::atomic<bool> makes_unsaid_file;
std::atomic<unsigned long> lost;

/// True: it is there now.
bool keep(const char* line, std::size_t size) {
  const char* file = unsaid_file.load(std::memory_order_acquire);
  if (file == nullptr) return false;
  const bool make = makes_unsaid_file.load(std::memory_order_relaxed);
  const int how = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  const long fd = ask_kernel(SYS_openat, AT_FDCWD, word_of(file),
                             make ? how | O_CREAT : how | O_NOFOLLOW, 0666);
  if (fd < 0) return false;
  struct stat status {};
  const bool kept = ask_kernel(SYS_fstat, fd, word_of(&status)) == 0 &&
                    (make || (S_ISREG(status.st_mode) && status.st_size < kMostUnsaid)) &&
                    write_at_once(static_cast<int>(fd), line, size) == static_cast<long>(size);
  ask_kernel(SYS_close, fd);
  return kept;
}

/// A line, and in front of it in the same write what was lost before.
bool say_with_lost(const char* line, std::size_t size) {
  char both[kPiece] = "cassette: messages that were lost here, because nobody read them: ";
  std::size_t used = std::strlen(both);
  const unsigned long count = lost.exchange(0, std::memory_order_relaxed);
  char digits[24];
  int digit_count = 0;
  for (unsigned long rest = count; rest != 0; rest /= 10)
    digits[digit_count++] = static_cast<char>('0' + rest % 10);
  while (digit_count > 0) both[used++] = digits[--digit_count];
  both[used++] = '\n';
  if (count == 0 || size > sizeof both - used) used = 0;
  bool said = false;
  if (used == 0) {
    said = write_at_once(kNumber, line, size) == static_cast<long>(size);
  } else {
    std::memcpy(both + used, line, size);
    used += size;
    said = write_at_once(kNumber, both, used) == static_cast<long>(used);
  }
  if (count != 0 && (!said || used == 0)) lost.fetch_add(count, std::memory_order_relaxed);
  return said;
}

bool say_on(bool is_there, const char* line, std::size_t size) {
  const bool said = is_there ? say_with_lost(line, size) : keep(line, size);
  if (!said) lost.fetch_add(1, std::memory_order_relaxed);
  return said;
}

}  // namespace

StandardError StandardError::now() {
  StandardError found;
  struct stat status {};
  if (ask_kernel(SYS_fstat, kNumber, word_of(&status)) != 0) return found;
  found.device = status.st_dev;
  found.inode = status.st_ino;
  found.is_usable = true;
  if (S_ISSOCK(status.st_mode)) {
    int domain = 0;
    socklen_t length = sizeof domain;
    found.is_usable = ask_kernel(SYS_getsockopt, kNumber, SOL_SOCKET, SO_DOMAIN, word_of(&domain),
                                 word_of(&length)) == 0 &&
                      domain == AF_UNIX;
  }
  return found;
}

void use_standard_error(const StandardError& start) {
  the_start = start;
  has_start.store(true, std::memory_order_release);
}

void keep_unsaid_in(const char* file, bool make) {
  makes_unsaid_file.store(make, std::memory_order_relaxed);
  unsaid_file.store(file, std::memory_order_release);
}

bool say(const char* line, std::size_t size) {
  const StandardError present = StandardError::now();
  const bool same = !has_start.load(std::memory_order_acquire) || present == the_start;
  return say_on(present.is_usable && same, line, size);
}

bool say_of_next_program(const char* line, std::size_t size) {
  return say_on(StandardError::now().is_usable, line, size);
}

long write_at_once(int fd, const char* bytes, std::size_t size) {
  struct stat status {};
  if (const long result = ask_kernel(SYS_fstat, fd, word_of(&status)); result != 0) return result;
  WithoutSignals guard;
  std::size_t done = 0;
  long result = 0;
  while (done < size) {
    const std::size_t rest = size - done;
    const bool whole = S_ISREG(status.st_mode) || rest < kPiece;
    result = guard.saw(write_piece(fd, status.st_mode, bytes + done, whole ? rest : kPiece));
    if (result <= 0) break;
    done += static_cast<std::size_t>(result);
  }
  return done > 0 ? static_cast<long>(done) : result;
}

}  // namespace cassette
