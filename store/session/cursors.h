// The shared, changing half of an opened cassette: what was played, and what happened otherwise. Two
// files in memory-backed storage that every process of a session maps; no lock anywhere.
//
// Bytes of `cursors`, one for a cassette (little-endian, naturally aligned):
//   0      magic "casscur\n", u32 version, u32 number of interactions n, u64 fingerprint of them
//   64     u64 state           round << 32 | position
//   128    u32 ended, u32 held
//   192    u64 missed, recorded, record_failures, settled, relayed, refused, redacted
//   256    16 x u64 replayed   64 bytes apart: a thread counts in one of them
//   1280   u64 turns[n]        round << 33 | played << 32 | count
// Bytes of `hints`, one for each match settings, because they decide about the groups:
//   0      magic "casshin\n", u32 version, u32 n
//   64     u64 hints[n]        round << 32 | how many of a group's first members are used up
//
// The round is counted up by a rewind. A turn or hint of an earlier round counts as 0: so a rewind is
// one atomic step, however large the cassette. (31 bits of it, compared modulo 2^31.)
//
// Invariants
//  1. turns[i] is the truth: interaction i has been taken `count` times in `round`. It is used up
//     when its `times` is not 0 and count has reached it. Taking it is one compare-and-swap that adds
//     one, and never adds to one that is used up: exactly `times` threads of all processes make it.
//     `played` stays set once it is: no rewind takes back that somebody got the answer. Only
//     forget_played() clears it, which touches nothing else.
//  2. hints and the position may lag behind, never lead: every member before a hint, and every
//     interaction before the position, is used up, or has no turn (`times` 0). It follows that the
//     first one whose turn it is stands at or behind them, and that a thread that takes several
//     takes them in ascending order.
//  3. Whoever finds a hint or the position lagging moves it on, whoever made it lag: nobody waits for
//     one who was stopped or killed in the middle.
//  4. Within a round turns, hints and position only grow. A thread that finds a later round than the
//     one it began with begins anew, and never takes a word back to an earlier round.
//  5. All zero (behind the first line) is the valid beginning, and every state in between is valid:
//     a process killed at any instruction leaves at most a hint, a position or a counter that lags.
//
// Memory order: relaxed everywhere. The atomics order nothing but themselves: what an index leads
// to (the image) was complete before it could be mapped. Exactly-once needs only that each
// compare-and-swap is atomic; invariant 2 holds in any order of visibility, because what is used up
// stays so within its round; ascending order per thread follows from coherence (a thread that saw a
// turn used up never sees it otherwise in that round).
//
// Thread safety: everything, from any thread of any process.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
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
  /// Make empty files the beginning for an image: reserve the memory, so that no later store fails.
  static Result<void> create(int descriptor, const Image& image);
  static Result<void> create_hints(int descriptor, const Image& image);
  static Result<Cursors> open(const std::string& cursors, const std::string& hints,
                              const Image& image);
  /// Walks all interactions: false when the image is of another state of the cassette.
  bool belongs_to(const Image& image) const;
  /// Shared with children of a fork only.
  static Result<Cursors> in_memory(const Image& image);

  Cursors(Cursors&& other) noexcept;
  Cursors& operator=(Cursors&&) = delete;
  ~Cursors();

  // The three orders. `accepts(interaction)` says whether a member of the group matches in what the
  // match key does not cover; `repeats`: a used-up match plays the most recently played one again.

  template <typename Accepts>
  Turn take_matched(const Image& image, const Image::Group& group, bool repeats, Accepts accepts);
  /// Uses nothing up: `times` has no meaning here.
  template <typename Accepts>
  Turn take_first(const Image& image, const Image::Group& group, Accepts accepts);
  /// An interaction with `times` 0 has no place in the sequence: it answers whenever it matches.
  template <typename Accepts>
  Turn take_in_sequence(const Image& image, const Image::Group& group, bool repeats,
                        Accepts accepts);

  // Whatever the order.

  /// The first interaction that is not used up and has a turn; the image's size when there is none.
  std::uint32_t index(const Image& image) const;
  /// Uses up the interaction whose turn it is, and gives its index; the image's size when there is
  /// none. One atomic step: no two callers get the same. `plays`: the caller plays it himself, so
  /// that it counts as played.
  std::uint32_t advance(const Image& image, bool plays);
  /// Back to the beginning: nothing is used up. What was played stays counted.
  void rewind();

  /// The session has ended: whoever still has it mapped must not go on.
  void end() { header().ended.store(1, std::memory_order_relaxed); }
  bool ended() const { return header().ended.load(std::memory_order_relaxed) != 0; }
  /// The session itself tracks the cassette: no end of tracking rewinds it.
  void hold() { header().held.store(1, std::memory_order_relaxed); }
  bool held() const { return header().held.load(std::memory_order_relaxed) != 0; }

  void count_miss() { header().missed.fetch_add(1, std::memory_order_relaxed); }
  void count_recorded() { header().recorded.fetch_add(1, std::memory_order_relaxed); }
  void count_record_failure() { header().record_failures.fetch_add(1, std::memory_order_relaxed); }
  /// A connection that went to the real server past the cassette.
  void count_relayed() { header().relayed.fetch_add(1, std::memory_order_relaxed); }
  /// A connection that would have, and was refused.
  void count_refused() { header().refused.fetch_add(1, std::memory_order_relaxed); }
  /// So many values of recorded responses were replaced by a placeholder.
  void count_redacted(std::uint64_t values) {
    header().redacted.fetch_add(values, std::memory_order_relaxed);
  }

  /// So many of the recorded ones are out of the journal: merged, or dropped on purpose.
  void count_settled(std::uint64_t records) {
    header().settled.fetch_add(records, std::memory_order_relaxed);
  }

  /// Ever, in any round, or since forget_played().
  bool played(std::uint32_t interaction) const;
  /// Nothing was played. What is used up stays so.
  void forget_played();
  /// In this round. False for one with `times` 0.
  bool used_up(const Image& image, std::uint32_t interaction) const;
  std::uint64_t replayed() const;
  /// Walks all interactions.
  std::uint64_t unplayed() const;
  std::uint64_t missed() const { return header().missed.load(std::memory_order_relaxed); }
  std::uint64_t recorded() const { return header().recorded.load(std::memory_order_relaxed); }
  std::uint64_t record_failures() const {
    return header().record_failures.load(std::memory_order_relaxed);
  }
  std::uint64_t settled() const { return header().settled.load(std::memory_order_relaxed); }
  std::uint64_t relayed() const { return header().relayed.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return header().refused.load(std::memory_order_relaxed); }
  std::uint64_t redacted() const { return header().redacted.load(std::memory_order_relaxed); }

 private:
  using Word = std::atomic<std::uint64_t>;
  using Flag = std::atomic<std::uint32_t>;
  static_assert(Word::is_always_lock_free && sizeof(Word) == 8);
  static_assert(Flag::is_always_lock_free && sizeof(Flag) == 4);

  static constexpr unsigned kShards = 16;
  static constexpr std::uint64_t kPlayed = std::uint64_t{1} << 32;
  static constexpr std::uint32_t kRoundMask = 0x7fffffff;
  /// A count that is never exceeded, and that is used up whatever `times` is.
  static constexpr std::uint32_t kFull = std::numeric_limits<std::uint32_t>::max();

  struct Header {
    char magic[8];
    std::uint32_t version;
    std::uint32_t interactions;
    std::uint64_t fingerprint;
    alignas(64) Word state;
    alignas(64) Flag ended;
    Flag held;
    alignas(64) Word missed;
    Word recorded;
    Word record_failures;
    Word settled;
    Word relayed;
    Word refused;
    Word redacted;
    struct alignas(64) Shard {
      Word replayed;
    } shards[kShards];
  };
  static_assert(sizeof(Header) == 1280);

  struct HintsHeader {
    char magic[8];
    std::uint32_t version;
    std::uint32_t interactions;
    char end[48];
  };
  static_assert(sizeof(HintsHeader) == 64);

  /// A part of the file that is mapped.
  struct Mapping {
    void* memory = nullptr;
    std::uint64_t bytes = 0;
  };

  enum class Take : std::uint8_t { kTaken, kUsedUp, kRewound };

  Cursors() = default;
  static void fill(Header& header, const Image& image);
  static void fill(HintsHeader& header, const Image& image);
  static Result<Mapping> map_file(const std::string& file, std::uint64_t bytes);
  void adopt(const Image& image);

  Header& header() const { return *static_cast<Header*>(cursors_.memory); }
  static std::uint32_t round_of_state(std::uint64_t state) {
    return static_cast<std::uint32_t>(state >> 32) & kRoundMask;
  }
  static std::uint32_t position_of(std::uint64_t state) {
    return static_cast<std::uint32_t>(state);
  }
  static std::uint64_t state_of(std::uint32_t round, std::uint32_t position) {
    return std::uint64_t{round} << 32 | position;
  }
  static std::uint32_t round_of_turn(std::uint64_t turn) {
    return static_cast<std::uint32_t>(turn >> 33);
  }
  static bool later(std::uint32_t a, std::uint32_t b) {
    return a != b && ((a - b) & kRoundMask) < kRoundMask / 2;
  }
  static std::uint32_t count_in(std::uint64_t turn, std::uint32_t round) {
    return round_of_turn(turn) == round ? static_cast<std::uint32_t>(turn) : 0;
  }
  static bool is_used_up(std::uint32_t count, std::uint32_t times) {
    return times != 0 && count >= times;
  }
  std::uint64_t state() const { return header().state.load(std::memory_order_relaxed); }
  bool used_up_in(const Image& image, std::uint32_t interaction, std::uint32_t round) const {
    return is_used_up(count_in(turns_[interaction].load(std::memory_order_relaxed), round),
                      image.times(interaction));
  }

  Take take(std::uint32_t interaction, std::uint32_t round, std::uint32_t times,
            std::uint32_t* count);
  void play_again(std::uint32_t interaction, std::uint32_t round);
  void count_replayed();
  void raise_hint(std::uint32_t group, std::uint32_t round, std::uint32_t value);
  void raise_position(std::uint32_t round, std::uint32_t value) const;
  std::uint32_t first_open(const Image& image, std::uint32_t round, std::uint32_t from) const;
  template <typename Accepts>
  static std::uint32_t last_accepted(const Image& image, const Image::Group& group,
                                     Accepts accepts);

  Mapping cursors_;
  Mapping hints_file_;
  std::uint32_t interactions_ = 0;
  Word* turns_ = nullptr;
  Word* hints_ = nullptr;
};

// ---- the orders ----

/// The last member of the group that matches, or the image's size. Since members are taken
/// ascending it is the most recently played one once all are used up.
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
  if (group.count == 0 || group.number >= interactions_) return {};
  for (;;) {
    const std::uint32_t round = round_of_state(state());
    const std::uint64_t hint = hints_[group.number].load(std::memory_order_relaxed);
    const std::uint32_t begin = round_of_state(hint) == round ? position_of(hint) : 0;
    std::uint32_t used_up = begin;  // every member before it is known as used up
    bool rewound = false;
    for (std::uint32_t i = begin; i < group.count && !rewound; ++i) {
      const std::uint32_t interaction = image.member(group, i);
      if (interaction >= interactions_) break;  // a damaged image
      if (!used_up_in(image, interaction, round)) {
        if (!accepts(interaction)) continue;
        const std::uint32_t times = image.times(interaction);
        std::uint32_t count = 0;
        switch (take(interaction, round, times, &count)) {
          case Take::kTaken:
            count_replayed();
            if (is_used_up(count, times) && used_up == i) used_up = i + 1;
            if (used_up > begin) raise_hint(group.number, round, used_up);
            return {Turn::Kind::kPlay, interaction};
          case Take::kRewound:
            rewound = true;
            continue;
          case Take::kUsedUp:
            break;  // by others, between the look and the swap: the next one, then
        }
      }
      if (used_up == i) used_up = i + 1;
    }
    if (rewound) continue;
    if (used_up > begin) raise_hint(group.number, round, used_up);
    const std::uint32_t last = last_accepted(image, group, accepts);
    if (last >= interactions_) return {};
    if (!repeats) return {Turn::Kind::kUsedUp, 0};
    play_again(last, round);
    return {Turn::Kind::kPlay, last};
  }
}

template <typename Accepts>
Turn Cursors::take_first(const Image& image, const Image::Group& group, Accepts accepts) {
  for (std::uint32_t i = 0; i < group.count; ++i) {
    std::uint32_t interaction = image.member(group, i);
    if (interaction >= interactions_) break;
    if (!accepts(interaction)) continue;
    play_again(interaction, round_of_state(state()));
    return {Turn::Kind::kPlay, interaction};
  }
  return {};
}

template <typename Accepts>
Turn Cursors::take_in_sequence(const Image& image, const Image::Group& group, bool repeats,
                               Accepts accepts) {
  for (;;) {
    const std::uint64_t now = state();
    const std::uint32_t round = round_of_state(now);
    const std::uint32_t expected = first_open(image, round, position_of(now));
    if (expected > position_of(now)) raise_position(round, expected);
    if (expected < interactions_ && group.count != 0 &&
        image.group_of(expected).number == group.number && accepts(expected)) {
      const std::uint32_t times = image.times(expected);
      std::uint32_t count = 0;
      if (take(expected, round, times, &count) != Take::kTaken) continue;  // what is expected now?
      count_replayed();
      if (is_used_up(count, times)) raise_position(round, expected + 1);
      return {Turn::Kind::kPlay, expected};
    }
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const std::uint32_t interaction = image.member(group, i);
      if (interaction < interactions_ && image.times(interaction) == 0 && accepts(interaction)) {
        play_again(interaction, round);
        return {Turn::Kind::kPlay, interaction};
      }
    }
    const std::uint32_t last = last_accepted(image, group, accepts);
    if (last >= interactions_) return {Turn::Kind::kNone, expected};
    if (last >= expected) return {Turn::Kind::kOutOfSequence, expected};
    if (!repeats) return {Turn::Kind::kUsedUp, expected};
    play_again(last, round);
    return {Turn::Kind::kPlay, last};
  }
}

}  // namespace cassette
