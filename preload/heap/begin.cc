// What an object of the engine allocates while it is loaded, before use_heap(): libstdc++ and others have constructors that
// do. It comes from the object's own data, and is not given back (kKeptForever in heap.h). Not for the unit tests.
#include <cerrno>

#include "preload/heap/heap.h"

namespace cassette {
namespace {

// 73 KB of it are for exceptions that are thrown when there is no memory (libstdc++'s emergency pool).
constexpr std::size_t kSize = 96 * 1024;
alignas(64) char arena[kSize];
std::size_t used = 0;

void* allocate(std::size_t size, std::size_t alignment) {
  // One thread loads the object.
  alignment = alignment > sizeof(BlockHeader) ? alignment : sizeof(BlockHeader);
  const std::size_t begin = (used + alignment - 1) & ~(alignment - 1);
  if (size > kSize || begin + alignment > kSize - size) {
    errno = ENOMEM;
    return nullptr;
  }
  used = begin + alignment + size;
  void* block = make_block(arena + begin, size, alignment);
  header_of(block)->alignment = kKeptForever;
  return block;
}

constexpr HeapApi kArena = {allocate, [](void*) {}};

// Before all other constructors.
__attribute__((constructor(101))) void begin() { use_heap(&kArena, nullptr); }

}  // namespace
}  // namespace cassette

// libstdc++ counts references without atomic operations while this says that there is one thread. A program that is no
// PIE may have libc's in its own data (a copy relocation), where the objects of the engine do not look: theirs says never.
extern "C" __attribute__((visibility("hidden"))) char __libc_single_threaded;
char __libc_single_threaded = 0;
