// The numbers of the engine's descriptors: out of the program's way, close-on-exec.
//
// Where the hard limit leaves room they are above the program's soft one, which is raised for the moment of making one: a number
// stays valid there (getrlimit(2), RLIMIT_NOFILE), the program has all of its own ones, and no dup2(2) of its can hit ours.
// Elsewhere they are high among the program's. Nor where the soft limit is very high: the kernel's table reaches up to the highest
// number in use, and is copied by fork(2).
//
// Thread-safe. Around a raise another thread may begin a program with the raised limit, for a microsecond.
#pragma once

namespace cassette {

/// Copies `count` descriptors. False with errno, and then none is copied. The table is not told. `*scarce`: they are of the
/// program's own, who has few.
bool copy_to_private_numbers(const int* from, int* to, int count, bool* scarce);

}  // namespace cassette
