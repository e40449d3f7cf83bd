// A write beyond the limit of file sizes (RLIMIT_FSIZE) raises SIGXFSZ, which ends the program: for
// a program that never wrote a file itself the error is enough. Around each write to a file that may
// grow; must not be held across anything of the program's.
#pragma once

#include <pthread.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace cassette {

/// Holds the signal back in this thread, and takes it away when it came. Keeps errno.
class WithoutFileSizeSignal {
 public:
  WithoutFileSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~WithoutFileSizeSignal() {
    const int saved = errno;
    if (sigismember(&before_, SIGXFSZ) == 0) {
      const timespec at_once{};
      while (came_ && sigtimedwait(&signal_, nullptr, &at_once) < 0 && errno == EINTR) {
      }
      pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    errno = saved;
  }
  WithoutFileSizeSignal(const WithoutFileSizeSignal&) = delete;
  WithoutFileSizeSignal& operator=(const WithoutFileSizeSignal&) = delete;

  /// A write failed with EFBIG.
  void came() { came_ = true; }

 private:
  sigset_t signal_{};
  sigset_t before_{};
  bool came_ = false;
};

}  // namespace cassette
