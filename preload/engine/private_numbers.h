// The numbers of the engine's descriptors: out of the program's way, close-on-exec.
//
// Where the hard limit leaves room they are above the program's soft one, which is raised for the moment of making one: a number
// stays valid there (getrlimit(2), RLIMIT_NOFILE), the program has all of its own ones, and no dup2(2) of its can hit ours.
// Elsewhere they are high among the program's. Nor where the soft limit is very high: the kernel's table reaches up to the highest
// number in use, and is copied by fork(2).
//
// Thread-safe. A program that another thread starts (vfork(2), execve(2)) within that microsecond has a soft limit that is higher by
// about as many numbers as the engine has, and so does getrlimit(2); a fork(2) waits. Where another thread sets the limit meanwhile,
// its value holds.
#pragma once

namespace cassette {

/// Copies `count` descriptors. False with errno, and then none is copied. The table is not told. `*scarce`: they are of the
/// program's own, who has few.
bool copy_to_private_numbers(const int* from, int* to, int count, bool* scarce);

/// Around fork(2), which would hand the raised limit on.
void lock_private_numbers();
void unlock_private_numbers();

}  // namespace cassette
