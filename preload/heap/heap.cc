// See heap.h. No destructor runs for anything here: threads of the program may be in it while the process ends.
#include "preload/heap/heap.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <memory_resource>
#include <new>

namespace cassette {
namespace {

// Beyond it, the kernel's price for a mapping is small beside what is done with the block.
constexpr std::size_t kLarge = 128 * 1024;
constexpr std::size_t kPage = 4096;

void* map(std::size_t size) {
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

/// Where the pools get theirs from: pieces of ever larger mappings, never given back.
class Pages final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    std::size_t at = (used_ + alignment - 1) & ~(alignment - 1);
    if (at + size > mapped_) {
      const std::size_t least = (size + kPage - 1) & ~(kPage - 1);
      std::size_t want = std::max(least, std::clamp(total_ / 4, kLeast, kMost));
      auto* begin = static_cast<char*>(map(want));
      // Where memory is scarce (RLIMIT_AS), what is needed and no more.
      if (begin == nullptr) begin = static_cast<char*>(map(want = least));
      if (begin == nullptr) throw std::bad_alloc();
      begin_ = begin;
      mapped_ = want;
      total_ += want;
      at = 0;
    }
    used_ = at + size;
    return begin_ + at;
  }
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  static constexpr std::size_t kLeast = 64 << 10;
  static constexpr std::size_t kMost = 8 << 20;
  char* begin_ = nullptr;
  std::size_t used_ = 0;
  std::size_t mapped_ = 0;
  std::size_t total_ = 0;
};

struct Pools {
  Pages pages;
  // No more blocks at once than a program with a few connections needs: pages that were touched stay.
  std::pmr::unsynchronized_pool_resource small{
      {.max_blocks_per_chunk = 1024, .largest_required_pool_block = kLarge}, &pages};
};
alignas(Pools) char pools_memory[sizeof(Pools)];
Pools* pools = nullptr;  // under the lock

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
// Who holds it. Pools that get no memory throw, and what is thrown is allocated: not here, then.
std::atomic<pthread_t> holder{};

bool lock() {
  if (holder.load(std::memory_order_relaxed) == pthread_self()) return false;
  pthread_mutex_lock(&mutex);
  holder.store(pthread_self(), std::memory_order_relaxed);
  return true;
}

void unlock() {
  holder.store({}, std::memory_order_relaxed);
  pthread_mutex_unlock(&mutex);
}

// False when a signal handler forks that interrupted who holds the lock. Under the lock.
bool locked_for_fork = false;

Pools& ready_pools() {
  if (pools == nullptr) {
    pools = new (pools_memory) Pools();
    // The first to be registered is the last to be asked before a fork(): the engine's own handlers allocate.
    pthread_atfork(lock_heap_to_fork, unlock_heap_after_fork, unlock_heap_after_fork);
  }
  return *pools;
}

void* from_pools(std::size_t size) {
  if (!lock()) return nullptr;
  void* block = nullptr;
  try {
    block = ready_pools().small.allocate(size, sizeof(BlockHeader));
  } catch (const std::bad_alloc&) {
  }
  unlock();
  return block;
}

void* allocate(std::size_t size, std::size_t alignment) {
  constexpr std::size_t kMostSize = std::size_t{1} << 47;  // no address is beyond it
  alignment = std::max(alignment, sizeof(BlockHeader));
  void* begin = nullptr;
  if (size < kMostSize && alignment <= kPage) {
    const std::size_t whole = size + alignment;
    // Aligned to more than its header, a block has a mapping of its own: few ask for that.
    begin = whole > kLarge || alignment > sizeof(BlockHeader) ? map(whole) : from_pools(whole);
  }
  if (begin == nullptr) {
    errno = ENOMEM;
    return nullptr;
  }
  return make_block(begin, size, alignment);
}

void release(void* block) {
  BlockHeader& header = *header_of(block);
  if (header.alignment == kKeptForever) return;
  const std::size_t alignment = std::size_t{1} << header.alignment;
  const std::size_t whole = header.size + alignment;
  void* begin = static_cast<char*>(block) - alignment;
  header.mark = 0;
  if (whole > kLarge || alignment > sizeof(BlockHeader)) {
    munmap(begin, whole);
  } else if (lock()) {
    pools->small.deallocate(begin, whole, sizeof(BlockHeader));
    unlock();
  }
}

}  // namespace

void lock_heap_to_fork() { locked_for_fork = lock(); }

void unlock_heap_after_fork() {
  if (locked_for_fork) unlock();
}

const HeapApi kHeap = {allocate, release};

}  // namespace cassette
