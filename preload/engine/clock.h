// The two clocks of the engine: when something happened, for people; and how long it took.
#pragma once

#include <cstdint>
#include <ctime>

namespace cassette {

/// Nanoseconds of a clock that never jumps.
inline std::int64_t steady_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

/// Nanoseconds since 1970 UTC.
inline std::int64_t wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace cassette
