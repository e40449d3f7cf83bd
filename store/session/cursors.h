// The shared, changing half of an opened cassette: what was played, and what happened otherwise. A
// file in memory-backed storage that every process of a session maps; no lock anywhere.
//
// Bytes (all 32- or 64-bit little-endian, naturally aligned):
//   0    magic "casscur\n", u32 version, u32 number of interactions n, u32 number of groups g
//   64   u32 position          order `sequential`: the interaction whose turn it is
//   128  u64 missed, u64 recorded, u64 record_failures
//   256  u32 plays[n]          how often each interaction was played
//        u32 hints[g]          for each group: how many of its first members are known as played
//
// Invariants
//  1. plays[i] only grows. Taking interaction i in order `matched` is the one change 0 -> 1 of
//     plays[i], a compare-and-swap: exactly one thread of one process makes it.
//  2. hints[g] may lag behind, never lead: every member of g before hints[g] has plays > 0. It
//     follows that the first unplayed member is at or behind the hint, and that a thread that takes
//     several members takes them in ascending order.
//  3. position only grows, by one, by compare-and-swap; the interactions before it have been played
//     (their plays[] may lag behind by those that are being taken or whose process died just then).
//  4. All zero (behind the first line) is the valid beginning, and every state in between is valid:
//     a process killed at any instruction leaves at most a hint or a count of plays that lags.
//
// Memory order: relaxed everywhere. The atomics order nothing but themselves: what an index leads
// to (the image) was complete before it could be mapped. Exactly-once needs only that each
// compare-and-swap is atomic; invariant 2 holds in any order of visibility, because a member once
// played stays so; ascending order per thread follows from coherence (a thread that saw plays[i] >
// 0 never sees 0 again).
//
// Thread safety: everything, from any thread of any process.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>

#include "parser/result.h"
#include "store/image/image.h"

namespace cassette {

/// What get-and-advance came to.
struct Turn {
  enum class Kind : std::uint8_t {
    kPlay,           ///< `interaction` is the caller's
    kNone,           ///< nothing matches
    kUsedUp,         ///< what matches has been played
    kOutOfSequence,  ///< what matches comes later
  };
  Kind kind = Kind::kNone;
  std::uint32_t interaction = 0;  ///< order `sequential`, not kPlay: the expected one (or the size)
};

class Cursors {
 public:
  /// Makes an empty file the beginning for an image: reserves the memory, so that no later store
  /// fails.
  static Result<void> create(int descriptor, const Image& image);
  static Result<Cursors> open(const std::string& file, const Image& image);
  /// Shared with children of a fork only.
  static Result<Cursors> in_memory(const Image& image);

  Cursors(Cursors&& other) noexcept;
  Cursors& operator=(Cursors&&) = delete;
  ~Cursors();

  // The three orders. `accepts(interaction)` says whether a member of the group matches in what the
  // match key does not cover; `repeats`: a used-up match plays the most recently played one again.

  template <typename Accepts>
  Turn take_matched(const Image& image, const Image::Group& group, bool repeats, Accepts accepts);
  template <typename Accepts>
  Turn take_first(const Image& image, const Image::Group& group, Accepts accepts);
  template <typename Accepts>
  Turn take_in_sequence(const Image& image, const Image::Group& group, bool repeats,
                        Accepts accepts);

  void count_miss() { header().missed.fetch_add(1, std::memory_order_relaxed); }
  void count_recorded() { header().recorded.fetch_add(1, std::memory_order_relaxed); }
  void count_record_failure() { header().record_failures.fetch_add(1, std::memory_order_relaxed); }

  bool played(std::uint32_t interaction) const;
  std::uint32_t position() const { return header().position.load(std::memory_order_relaxed); }
  /// Sum over all interactions: walks them.
  std::uint64_t replayed() const;
  std::uint64_t unplayed() const;
  std::uint64_t missed() const { return header().missed.load(std::memory_order_relaxed); }
  std::uint64_t recorded() const { return header().recorded.load(std::memory_order_relaxed); }
  std::uint64_t record_failures() const {
    return header().record_failures.load(std::memory_order_relaxed);
  }

 private:
  using Atomic32 = std::atomic<std::uint32_t>;
  using Atomic64 = std::atomic<std::uint64_t>;
  static_assert(Atomic32::is_always_lock_free && sizeof(Atomic32) == 4);
  static_assert(Atomic64::is_always_lock_free && sizeof(Atomic64) == 8);

  struct Header {
    char magic[8];
    std::uint32_t version;
    std::uint32_t interactions;
    std::uint32_t groups;
    alignas(64) Atomic32 position;
    alignas(64) Atomic64 missed;
    Atomic64 recorded;
    Atomic64 record_failures;
    alignas(64) char end[64];
  };
  static_assert(sizeof(Header) == 256);

  Cursors() = default;
  static std::uint64_t bytes_for(const Image& image);
  static void write_header(const Image& image, Header& header);
  Header& header() const { return *static_cast<Header*>(memory_); }
  Atomic32& plays(std::uint32_t interaction) const { return plays_[interaction]; }
  void count_play(std::uint32_t interaction);
  void raise_hint(std::uint32_t group, std::uint32_t value);
  template <typename Accepts>
  static std::uint32_t last_accepted(const Image& image, const Image::Group& group,
                                     Accepts accepts);

  void* memory_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint32_t interactions_ = 0;
  std::uint32_t groups_ = 0;
  Atomic32* plays_ = nullptr;
  Atomic32* hints_ = nullptr;
};

// ---- the orders ----

/// The last member of the group that matches, or the image's size. In orders that play ascending it
/// is the most recently played one once all are used up.
template <typename Accepts>
std::uint32_t Cursors::last_accepted(const Image& image, const Image::Group& group,
                                     Accepts accepts) {
  for (std::uint32_t i = group.count; i-- > 0;) {
    std::uint32_t interaction = image.member(group, i);
    if (interaction < image.size() && accepts(interaction)) return interaction;
  }
  return image.size();
}

template <typename Accepts>
Turn Cursors::take_matched(const Image& image, const Image::Group& group, bool repeats,
                           Accepts accepts) {
  if (group.count == 0 || group.number >= groups_) return {};
  const std::uint32_t begin = hints_[group.number].load(std::memory_order_relaxed);
  std::uint32_t all_played = begin;  // every member before it is known as played
  for (std::uint32_t i = begin; i < group.count; ++i) {
    std::uint32_t interaction = image.member(group, i);
    if (interaction >= interactions_) break;  // a damaged image
    Atomic32& count = plays(interaction);
    if (count.load(std::memory_order_relaxed) == 0) {
      if (!accepts(interaction)) continue;
      std::uint32_t unplayed = 0;
      if (count.compare_exchange_strong(unplayed, 1, std::memory_order_relaxed)) {
        raise_hint(group.number, all_played == i ? i + 1 : all_played);
        return {Turn::Kind::kPlay, interaction};
      }
      // Another took it between the load and the swap: the next one, then.
    }
    if (all_played == i) all_played = i + 1;
  }
  raise_hint(group.number, all_played);
  std::uint32_t last = last_accepted(image, group, accepts);
  if (last >= interactions_) return {};
  if (!repeats) return {Turn::Kind::kUsedUp, 0};
  count_play(last);
  return {Turn::Kind::kPlay, last};
}

template <typename Accepts>
Turn Cursors::take_first(const Image& image, const Image::Group& group, Accepts accepts) {
  for (std::uint32_t i = 0; i < group.count; ++i) {
    std::uint32_t interaction = image.member(group, i);
    if (interaction >= interactions_) break;
    if (!accepts(interaction)) continue;
    count_play(interaction);
    return {Turn::Kind::kPlay, interaction};
  }
  return {};
}

template <typename Accepts>
Turn Cursors::take_in_sequence(const Image& image, const Image::Group& group, bool repeats,
                               Accepts accepts) {
  Atomic32& position = header().position;
  std::uint32_t expected = position.load(std::memory_order_relaxed);
  while (expected < interactions_ && group.count != 0 &&
         image.group_of(expected).number == group.number && accepts(expected)) {
    if (position.compare_exchange_weak(expected, expected + 1, std::memory_order_relaxed)) {
      count_play(expected);
      return {Turn::Kind::kPlay, expected};
    }
    // `expected` is the present position now: the question is asked anew.
  }
  std::uint32_t last = last_accepted(image, group, accepts);
  if (last >= interactions_) return {Turn::Kind::kNone, expected};
  if (last >= expected) return {Turn::Kind::kOutOfSequence, expected};
  if (!repeats) return {Turn::Kind::kUsedUp, expected};
  count_play(last);
  return {Turn::Kind::kPlay, last};
}

}  // namespace cassette
