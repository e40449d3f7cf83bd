// See private_numbers.h.
#include "preload/engine/private_numbers.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

namespace cassette {

namespace {

/// Among the program's numbers: above what one that counts from 3 meets, and not where shells keep theirs (255 is bash's).
int low_base(const rlimit64& limit) {
  constexpr rlim64_t kShells = 256;
  constexpr rlim64_t kMost = 4096;
  rlim64_t base = std::min(limit.rlim_cur / 4 * 3, kMost);
  if (base < kShells && limit.rlim_cur >= kShells + 64) base = kShells;
  return static_cast<int>(base);
}

/// The soft limit of RLIMIT_NOFILE, raised to `soft`.
class Raised {
 public:
  Raised(const rlimit64& before, rlim64_t soft) : before_(before), raised_(before) {
    raised_.rlim_cur = soft;
    works_ = ::prlimit64(0, RLIMIT_NOFILE, &raised_, nullptr) == 0;
  }
  ~Raised() {
    if (!works_) return;
    int saved = errno;
    rlimit64 now{};
    // Another thread may have set one of its own meanwhile.
    const bool same = ::prlimit64(0, RLIMIT_NOFILE, &before_, &now) == 0 &&
                      now.rlim_cur == raised_.rlim_cur && now.rlim_max == raised_.rlim_max;
    if (!same) ::prlimit64(0, RLIMIT_NOFILE, &now, nullptr);
    errno = saved;
  }
  Raised(const Raised&) = delete;
  Raised& operator=(const Raised&) = delete;

 private:
  rlimit64 before_;
  rlimit64 raised_;
  bool works_;
};

constexpr rlim64_t kHighest = 20000;

bool has_room_above(const rlimit64& limit) {
  constexpr rlim64_t kWorthIt = 64;
  return limit.rlim_cur < kHighest && limit.rlim_max >= limit.rlim_cur + kWorthIt;
}

/// Of two that raise the limit at a time the second one would take the raised one for the program's.
std::mutex raising;

/// How many numbers above the soft limit were enough last time. No more than needed: a program that is started right now would
/// have them for its own.
rlim64_t room_above = 64;

template <typename Copy>
bool copy_above(const rlimit64& limit, Copy copy_all) {
  for (;;) {
    const rlim64_t soft = std::min(limit.rlim_max, limit.rlim_cur + room_above);
    {
      const Raised raised(limit, soft);
      if (copy_all(static_cast<int>(limit.rlim_cur))) return true;
    }
    if (errno != EMFILE || soft == limit.rlim_max) return false;
    room_above *= 2;
  }
}

}  // namespace

void lock_private_numbers() { raising.lock(); }
void unlock_private_numbers() { raising.unlock(); }

bool copy_to_private_numbers(const int* from, int* to, int count, bool* scarce) {
  auto copy_all = [&](int base) {
    for (int i = 0; i < count; ++i) {
      to[i] = ::fcntl(from[i], F_DUPFD_CLOEXEC, base);
      if (to[i] >= 0) continue;
      int saved = errno;
      while (--i >= 0) ::close(to[i]);
      errno = saved;
      return false;
    }
    return true;
  };
  const std::lock_guard guard(raising);
  rlimit64 limit{256, 256};
  ::prlimit64(0, RLIMIT_NOFILE, nullptr, &limit);
  if (has_room_above(limit)) {
    *scarce = false;
    if (copy_above(limit, copy_all)) return true;
    // A limit that may not be raised (a filter of system calls), or no room there after all.
    if (errno != EINVAL && errno != EMFILE) return false;
  }
  *scarce = limit.rlim_cur < kHighest;
  if (copy_all(low_base(limit))) return true;
  return errno == EMFILE && copy_all(3);
}

}  // namespace cassette
