// The table of descriptors that concern the library, by number: which connection is behind one, or
// that it is private to the engine. The bypass of every hook is one look into it.
//
// Thread and signal safety: lock-free throughout, plain atomics, no allocation but mmap(2). A chunk,
// once published, is never taken back. An entry is a hint: numbers can be closed and reused past the
// hooks, so whoever acts on a connection checks the socket's identity first.
#pragma once

#include <atomic>
#include <cstdint>

namespace cassette {

class DescriptorTable {
 public:
  /// What stands for a number: nothing, the engine's own descriptor, or a connection's address.
  using Owner = std::uintptr_t;
  static constexpr Owner kNobody = 0;
  static constexpr Owner kPrivate = 1;

  Owner owner(int fd) const {
    const Slot* slot = find(fd);
    return slot != nullptr ? slot->owner.load(std::memory_order_acquire) : kNobody;
  }
  /// False when the number is beyond the table (2^20) or there is no memory for its chunk.
  bool set_owner(int fd, Owner owner);
  /// Has the memory for numbers like this one, for later.
  void make_room(int fd) { find_or_make(fd); }
  /// Whether anything was ever noted of `fd`, or of its neighbours.
  bool knows(int fd) const { return find(fd) != nullptr; }
  /// Around a close(), or a dup2() onto `fd`, of the program's: begin_change() waits while the number is held. False, and
  /// nothing to end, where nobody holds numbers.
  bool begin_change(int fd);
  void end_change(int fd);
  /// The same for all numbers.
  void begin_changes();
  void end_changes() { sweeping_.fetch_sub(1); }
  /// Between both, for some microseconds, nobody begins such a change; and whoever was in one has ended it, unless it blocks
  /// (SO_LINGER). False as set_owner().
  bool hold(int fd);
  void free(int fd, Owner owner);

  /// Clears every entry, or every one of a connection: for the child of a fork, which owns no connection of its parent.
  void clear(bool but_private);

  /// The epoll descriptor that `fd` was added to last, or -1. A registration made before connect()
  /// vanishes with the socket that the swap replaces; this says where to renew it.
  int epoll_of(int fd) const;
  void note_epoll(int fd, int epoll_fd);

  /// Two numbers were made one file, and may be one still. A socket that is copied before connect() is swapped under all of them.
  /// Cheap, since programs copy all kinds of files: numbers below 1024 alone are noted.
  void note_copy(int fd, int copy);
  /// The first number at or above `from` that may be a copy of `fd`, or -1.
  int next_copy(int fd, int from) const;

  /// The first number at or above `from` whose owner is kPrivate, or -1: close_range() is split there.
  int next_private(unsigned from) const;

 private:
  static constexpr unsigned kChunkBits = 9;
  static constexpr unsigned kChunkSize = 1U << kChunkBits;
  static constexpr unsigned kChunks = (1U << 20) >> kChunkBits;

  struct Slot {
    std::atomic<Owner> owner;
    std::atomic<int> epoll_plus_one;
    std::atomic<bool> held;
    std::atomic<std::uint16_t> changing;
  };

  const Slot* find(int fd) const {
    auto number = static_cast<unsigned>(fd);
    if (__builtin_expect(number >= kChunks * kChunkSize, 0)) return nullptr;
    const Slot* chunk = chunks_[number >> kChunkBits].load(std::memory_order_acquire);
    return chunk != nullptr ? &chunk[number & (kChunkSize - 1)] : nullptr;
  }
  Slot* find_or_make(int fd);

  static constexpr int kNotedCopies = 1024;
  bool is_noted(int fd) const {
    const auto number = static_cast<unsigned>(fd);
    return number < kNotedCopies &&
           (copies_[number / 64].load(std::memory_order_relaxed) >> (number % 64) & 1) != 0;
  }

  std::atomic<Slot*> chunks_[kChunks];
  std::atomic<std::uint64_t> copies_[kNotedCopies / 64];
  std::atomic<int> held_count_;
  std::atomic<int> sweeping_;
};

/// Zero-initialised: usable before any constructor has run.
extern DescriptorTable descriptors;

}  // namespace cassette
