// How many threads the process has, for calls that want one with a single thread. Must need libc alone.
#pragma once

#include <sys/stat.h>

namespace cassette {

/// True when there are two at most: the program's one, and perhaps the engine's.
inline bool is_alone_beside_ours() {
  struct stat tasks {};
  // A directory's links: itself, its parent's entry, and a directory a thread (proc(5), /proc/pid/task).
  constexpr nlink_t kMineAndOurs = 2 + 2;
  return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink <= kMineAndOurs;
}

}  // namespace cassette
