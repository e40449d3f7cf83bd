// The engine's heap by itself: the tests' own allocations stay with the C library.
#include "preload/heap/heap.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace cassette {
namespace {

struct Block {
  unsigned char* bytes;
  std::size_t size;
  unsigned char content;

  bool intact() const {
    for (std::size_t i = 0; i < size; ++i) {
      if (bytes[i] != content) return false;
    }
    return is_of_heap(bytes) && header_of(bytes)->size == size;
  }
};

Block filled(std::size_t size, unsigned char content) {
  Block block{static_cast<unsigned char*>(kHeap.allocate(size, 16)), size, content};
  std::memset(block.bytes, content, size);
  return block;
}

/// Takes and gives back blocks of all sizes at random. False when one does not hold what was put there.
bool churn(unsigned seed, int rounds) {
  std::mt19937 random(seed);
  std::vector<Block> blocks;
  bool well = true;
  for (int i = 0; i < rounds; ++i) {
    if (blocks.size() > 200 || (!blocks.empty() && random() % 3 == 0)) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      well = well && blocks.back().intact();
      kHeap.release(blocks.back().bytes);
      blocks.pop_back();
    } else {
      // Small ones most of all, a few that are mappings of their own.
      const std::size_t most = std::size_t{1} << (random() % 19);
      blocks.push_back(filled(random() % most, static_cast<unsigned char>(random())));
    }
  }
  for (Block& block : blocks) {
    well = well && block.intact();
    kHeap.release(block.bytes);
  }
  return well;
}

TEST(Heap, BlocksOfAllSizesDoNotOverlap) { EXPECT_TRUE(churn(1, 20000)); }

TEST(Heap, ThreadsDoNotMeet) {
  std::atomic<int> well = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 8; ++i) {
    threads.emplace_back([&well, i] { well += churn(i, 5000); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(8, well);
}

TEST(Heap, AlignsAsAsked) {
  for (std::size_t alignment : {1, 8, 16, 32, 64, 256, 4096}) {
    for (std::size_t size : {0, 1, 100, 200'000}) {
      void* block = kHeap.allocate(size, alignment);
      ASSERT_NE(nullptr, block);
      EXPECT_EQ(0u, reinterpret_cast<std::uintptr_t>(block) % std::max<std::size_t>(alignment, 16));
      std::memset(block, 1, size);
      kHeap.release(block);
    }
  }
}

TEST(Heap, KnowsItsOwn) {
  void* ours = kHeap.allocate(100, 16);
  // As in life, the compiler does not know whose it is.
  void* volatile theirs = std::malloc(100);
  EXPECT_TRUE(is_of_heap(ours));
  EXPECT_FALSE(is_of_heap(theirs));
  std::free(theirs);
  kHeap.release(ours);
}

TEST(Heap, UsesAgainWhatWasGivenBack) {
  // 100 MB in all; the pools would be seen to grow.
  rusage before{}, after{};
  ASSERT_TRUE(churn(3, 1000));
  getrusage(RUSAGE_SELF, &before);
  for (int i = 0; i < 100'000; ++i) {
    Block block = filled(1000, 1);
    kHeap.release(block.bytes);
  }
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 10'000);  // KiB
}

TEST(Heap, SaysWhenThereIsNoMemory) {
  for (std::size_t size : {~std::size_t{0}, ~std::size_t{0} - 100, std::size_t{1} << 50}) {
    errno = 0;
    EXPECT_EQ(nullptr, kHeap.allocate(size, 16));
    EXPECT_EQ(ENOMEM, errno);
  }
}

/// Runs `body` in a child, which ends with the status that it gives.
template <typename Body>
int in_child(Body body) {
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(body());
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST(Heap, SurvivesTheLackOfMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a limit of addresses is none for a sanitizer";
#endif
  EXPECT_EQ(0, in_child([] {
              rlimit little{.rlim_cur = 256 << 20, .rlim_max = 256 << 20};
              setrlimit(RLIMIT_AS, &little);
              std::vector<void*> blocks(1 << 20);
              std::size_t count = 0;
              while (count < blocks.size()) {
                void* block = kHeap.allocate(1000, 16);
                if (block == nullptr) break;
                blocks[count++] = block;
              }
              if (count == blocks.size()) return 1;
              for (std::size_t i = 0; i < count; ++i) kHeap.release(blocks[i]);
              for (std::size_t i = 0; i < count; ++i) {
                Block block = filled(1000, 1);
                if (!block.intact()) return 2;
              }
              return 0;
            }));
}

TEST(Heap, AChildOfAThreadedProcessCanUseIt) {
  std::atomic<bool> end = false;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) {
    threads.emplace_back([&end, i] {
      while (!end) churn(i, 100);
    });
  }
  int well = 0;
  for (int i = 0; i < 50; ++i) well += in_child([] { return churn(7, 500) ? 0 : 1; }) == 0;
  end = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(50, well);
}

}  // namespace
}  // namespace cassette
