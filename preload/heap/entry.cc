// Where --wrap leads an object's calls of malloc() and its family: to the heap that it was told of. Linked into each object
// of the engine, and into the unit tests, which have no heap of their own.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "preload/heap/heap.h"

namespace cassette {
namespace {

// Set while the object is loaded, before another thread can be in it.
const HeapApi* heap = nullptr;
const ProgramHeap* program = nullptr;

}  // namespace

void use_heap(const HeapApi* used, const ProgramHeap* of_program) {
  heap = used;
  program = of_program;
}

const ProgramHeap* program_heap() { return program; }

}  // namespace cassette

using namespace cassette;

extern "C" {

void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void* __real_realloc(void* block, std::size_t size);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
void __real_free(void* block);

void* __wrap_malloc(std::size_t size) {
  if (heap == nullptr) return __real_malloc(size);
  return heap->allocate(size, alignof(std::max_align_t));
}

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  return heap == nullptr ? __real_aligned_alloc(alignment, size) : heap->allocate(size, alignment);
}

void* __wrap_calloc(std::size_t count, std::size_t size) {
  if (heap == nullptr) return __real_calloc(count, size);
  std::size_t all = 0;
  if (__builtin_mul_overflow(count, size, &all)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* block = heap->allocate(all, alignof(std::max_align_t));
  return block == nullptr ? nullptr : std::memset(block, 0, all);
}

void __wrap_free(void* block) {
  if (block == nullptr) return;
  if (is_of_heap(block)) {
    heap->release(block);
  } else if (program != nullptr) {
    program->release(block);
  } else {
    __real_free(block);
  }
}

void* __wrap_realloc(void* block, std::size_t size) {
  if (block == nullptr) return __wrap_malloc(size);
  if (!is_of_heap(block))
    return program != nullptr ? program->resize(block, size) : __real_realloc(block, size);
  if (size == 0) {  // as glibc has it
    __wrap_free(block);
    return nullptr;
  }
  void* moved = heap->allocate(size, alignof(std::max_align_t));
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min<std::size_t>(header_of(block)->size, size));
  heap->release(block);
  return moved;
}

}  // extern "C"
