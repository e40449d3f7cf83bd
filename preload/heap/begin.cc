// What an object of the engine allocates while it is loaded, before use_heap(): libstdc++ and others have constructors that
// do. Each block is a mapping of its own, which looks like a large one of the heap (heap.h) and can be given back there.
// Not for the unit tests.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "preload/heap/heap.h"

namespace cassette {
namespace {

void* allocate(std::size_t size, std::size_t alignment) {
  size = std::max(size, kLargeBlock);
  alignment = std::max(alignment, sizeof(BlockHeader));
  void* begin =
      mmap(nullptr, size + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) {
    errno = ENOMEM;
    return nullptr;
  }
  return make_block(begin, size, alignment);
}

void release(void* block) {
  const BlockHeader& header = *header_of(block);
  const std::size_t alignment = std::size_t{1} << header.alignment;
  munmap(static_cast<char*>(block) - alignment, header.size + alignment);
}

constexpr HeapApi kMappings = {allocate, release};

// Before all other constructors.
__attribute__((constructor(101))) void begin() { use_heap(&kMappings, nullptr); }

}  // namespace
}  // namespace cassette

// libstdc++ counts references without atomic operations while this says that there is one thread. A program that is no
// PIE may have libc's in its own data (a copy relocation), where the objects of the engine do not look: theirs says never.
extern "C" __attribute__((visibility("hidden"))) char __libc_single_threaded;
char __libc_single_threaded = 0;
