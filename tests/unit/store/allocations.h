// What is allocated on this thread, whoever asks for it: the fast path allocates nothing. Not in
// builds with sanitizers, which bring their own malloc().
#pragma once

#include <cstddef>

namespace cassette {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kCountsAllocations = false;
#else
inline constexpr bool kCountsAllocations = true;
#endif

/// Calls of malloc() on this thread so far.
std::size_t allocations();

}  // namespace cassette
