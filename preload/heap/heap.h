// The engine's own heap: what it allocates in the program's process does not come from the program's malloc().
// A signal handler may write to a connection where it interrupted malloc(), which holds its lock then; a program
// that has damaged its heap, or brings a malloc() of its own that connects somewhere, does not meet us there.
//
// The objects of the engine (libcassette-engine.so, libcassette-tls.so) are linked with --wrap=malloc and so on, which
// leads their calls, and those of the libraries inside them, to entry.cc. The thin library allocates nothing.
//
// What libc allocates for them (strdup, getaddrinfo) is of the program's malloc(), and goes back to the program's free():
// ours would be libc's own, since the objects of the engine look into libc alone (load_object() in hooks/library.cc).
//
// Small blocks come from the pools of libstdc++, over pages of the kernel's; their memory is used again, and not given
// back. Large ones are mappings of their own, and are.
//
// Thread safety: any thread. Not from a signal handler that interrupted it: hooks do not get here then, because
// `inside_engine` is set.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace cassette {

/// What stands in front of each block of ours, and of no other.
struct BlockHeader {
  std::uint64_t size : 56;      ///< as it was asked for, bytes
  std::uint64_t alignment : 8;  ///< its logarithm
  std::uint64_t mark;           ///< kBlockMark and the block's address: this is one
};
inline constexpr std::uint64_t kBlockMark = 0x63617373'68656170;
/// In place of `alignment`: the block was made before there was a heap (begin.cc), and release() leaves it where it is.
inline constexpr std::uint64_t kKeptForever = 255;

inline BlockHeader* header_of(void* block) { return static_cast<BlockHeader*>(block) - 1; }

/// The block in memory that begins at `begin` and has room for `alignment` and `size` bytes.
inline void* make_block(void* begin, std::size_t size, std::size_t alignment) {
  void* block = static_cast<char*>(begin) + alignment;
  *header_of(block) = {.size = size,
                       .alignment = static_cast<std::uint64_t>(std::countr_zero(alignment)),
                       .mark = kBlockMark ^ reinterpret_cast<std::uint64_t>(block)};
  return block;
}

/// False for what the program's malloc() gave, inside libc (strdup, getaddrinfo). It looks in front of a block that may not
/// be ours, where each malloc() has something, which sanitizers forbid.
__attribute__((no_sanitize("address"), no_sanitize("thread"))) inline bool is_of_heap(void* block) {
  return header_of(block)->mark == (kBlockMark ^ reinterpret_cast<std::uint64_t>(block));
}

/// Handed to the objects that use it, across the borders between them.
struct HeapApi {
  /// Not zeroed. `alignment` is a power of two. nullptr and ENOMEM when there is no memory.
  void* (*allocate)(std::size_t size, std::size_t alignment);
  /// A block of allocate(). Keeps errno.
  void (*release)(void* block);
};

extern const HeapApi kHeap;

/// Around a fork that runs no handlers of pthread_atfork(3), in the process that makes it; the second one in its child too.
void lock_heap_to_fork();
void unlock_heap_after_fork();

/// Memory that is not of the heap.
struct ProgramHeap {
  /// The program's functions for what is of its malloc(), as it would call them.
  void (*release)(void* block);
  void* (*resize)(void* block, std::size_t size);
  /// Two words of the calling thread's, zero at first: what is known of its exceptions (exceptions.cc).
  void* (*exception_state)();
};

/// From now on this object allocates there. What it allocated before is of the same kind (begin.cc). Both are kept.
void use_heap(const HeapApi* heap, const ProgramHeap* program);
/// nullptr before that.
const ProgramHeap* program_heap();

}  // namespace cassette
