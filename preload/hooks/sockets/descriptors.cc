// See descriptors.h.
#include "preload/hooks/sockets/descriptors.h"

#include <sched.h>
#include <sys/mman.h>

namespace cassette {

DescriptorTable descriptors;

DescriptorTable::Slot* DescriptorTable::find_or_make(int fd) {
  auto number = static_cast<unsigned>(fd);
  if (number >= kChunks * kChunkSize) return nullptr;
  std::atomic<Slot*>& place = chunks_[number >> kChunkBits];
  Slot* chunk = place.load(std::memory_order_acquire);
  if (chunk == nullptr) {
    void* memory = mmap(nullptr, kChunkSize * sizeof(Slot), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    // Zero pages are valid slots. Release: whoever sees the chunk sees it zeroed.
    auto* fresh = static_cast<Slot*>(memory);
    if (place.compare_exchange_strong(chunk, fresh, std::memory_order_acq_rel)) {
      chunk = fresh;
    } else {
      munmap(memory, kChunkSize * sizeof(Slot));
    }
  }
  return &chunk[number & (kChunkSize - 1)];
}

bool DescriptorTable::set_owner(int fd, Owner owner) {
  if (owner == kNobody) {
    if (const Slot* slot = find(fd)) {
      const_cast<Slot*>(slot)->owner.store(kNobody, std::memory_order_release);
    }
    return true;
  }
  Slot* slot = find_or_make(fd);
  if (slot == nullptr) return false;
  slot->owner.store(owner, std::memory_order_release);
  return true;
}

void DescriptorTable::clear(bool but_private) {
  for (std::atomic<Slot*>& place : chunks_) {
    Slot* chunk = place.load(std::memory_order_acquire);
    if (chunk == nullptr) continue;
    for (unsigned i = 0; i < kChunkSize; ++i) {
      if (but_private && chunk[i].owner.load(std::memory_order_relaxed) == kPrivate) continue;
      chunk[i].owner.store(kNobody, std::memory_order_release);
      chunk[i].held.store(false, std::memory_order_relaxed);
      chunk[i].changing.store(0, std::memory_order_relaxed);
    }
  }
  held_count_.store(0, std::memory_order_relaxed);
  sweeping_.store(0, std::memory_order_relaxed);
}

// Each side says what it does before it looks at what the other one does (sequentially consistent): one of them sees it.

bool DescriptorTable::begin_change(int fd) {
  auto* slot = const_cast<Slot*>(find(fd));
  if (slot == nullptr) return false;
  for (;;) {
    slot->changing.fetch_add(1);
    if (!slot->held.load()) return true;
    slot->changing.fetch_sub(1);
    while (slot->held.load()) sched_yield();
  }
}

void DescriptorTable::end_change(int fd) { const_cast<Slot*>(find(fd))->changing.fetch_sub(1); }

void DescriptorTable::begin_changes() {
  for (;;) {
    sweeping_.fetch_add(1);
    if (held_count_.load() == 0) return;
    sweeping_.fetch_sub(1);
    while (held_count_.load() > 0) sched_yield();
  }
}

bool DescriptorTable::hold(int fd) {
  constexpr int kPatience = 1000;  // of a close() that blocks the number is free already
  Slot* slot = find_or_make(fd);
  if (slot == nullptr) return false;
  held_count_.fetch_add(1);
  while (slot->held.exchange(true)) sched_yield();
  for (int i = 0; i < kPatience && (slot->changing.load() > 0 || sweeping_.load() > 0); ++i) {
    sched_yield();
  }
  return true;
}

void DescriptorTable::free(int fd, Owner owner) {
  Slot* slot = find_or_make(fd);
  slot->owner.store(owner, std::memory_order_release);
  slot->held.store(false);
  held_count_.fetch_sub(1);
}

int DescriptorTable::epoll_of(int fd) const {
  const Slot* slot = find(fd);
  return slot != nullptr ? slot->epoll_plus_one.load(std::memory_order_relaxed) - 1 : -1;
}

void DescriptorTable::note_epoll(int fd, int epoll_fd) {
  if (Slot* slot = find_or_make(fd)) {
    slot->epoll_plus_one.store(epoll_fd + 1, std::memory_order_relaxed);
  }
}

void DescriptorTable::note_copy(int fd, int copy) {
  for (int number : {fd, copy}) {
    if (static_cast<unsigned>(number) >= kNotedCopies || is_noted(number)) continue;
    copies_[number / 64].fetch_or(std::uint64_t{1} << (number % 64), std::memory_order_relaxed);
  }
}

int DescriptorTable::next_copy(int fd, int from) const {
  if (!is_noted(fd)) return -1;
  for (int number = from; number < kNotedCopies; ++number) {
    if (number != fd && is_noted(number)) return number;
  }
  return -1;
}

int DescriptorTable::next_private(unsigned from) const {
  for (unsigned number = from; number < kChunks * kChunkSize;) {
    const Slot* chunk = chunks_[number >> kChunkBits].load(std::memory_order_acquire);
    if (chunk == nullptr) {
      number = ((number >> kChunkBits) + 1) << kChunkBits;
      continue;
    }
    if (chunk[number & (kChunkSize - 1)].owner.load(std::memory_order_acquire) == kPrivate) {
      return static_cast<int>(number);
    }
    ++number;
  }
  return -1;
}

}  // namespace cassette
