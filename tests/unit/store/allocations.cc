// Stands in for malloc() in the whole test program; the other tests do not notice.
#include "tests/unit/store/allocations.h"

static thread_local std::size_t count = 0;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" void* __libc_malloc(std::size_t size);
extern "C" __attribute__((visibility("default"))) void* malloc(std::size_t size) noexcept {
  ++count;
  return __libc_malloc(size);
}
#endif

namespace cassette {

std::size_t allocations() { return count; }

}  // namespace cassette
