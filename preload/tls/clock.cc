// See clock.h.
#include "preload/tls/clock.h"

#include <atomic>

namespace cassette {
namespace {

std::atomic<std::time_t (*)()> clock_in_use;

}  // namespace

void use_clock(std::time_t (*now)()) { clock_in_use.store(now, std::memory_order_relaxed); }

}  // namespace cassette

extern "C" std::time_t __wrap_time(std::time_t* out) {
  auto* now = cassette::clock_in_use.load(std::memory_order_relaxed);
  std::time_t seconds = 0;
  if (now != nullptr) {
    seconds = now();
  } else {
    timespec real{};
    clock_gettime(CLOCK_REALTIME, &real);
    seconds = real.tv_sec;
  }
  if (out != nullptr) *out = seconds;
  return seconds;
}
