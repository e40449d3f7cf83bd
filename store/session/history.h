// The history of a session: every request that it handled, in the order in which they were handled.
// A ring in memory-backed storage that every process of the session maps; no lock anywhere. Bounded:
// the oldest entries are dropped, and how many is told.
//
// What goes in is redacted already: this file knows bytes.
//
// Bytes (little-endian, naturally aligned):
//   0    magic "casshist", u32 version, u32 slots n (a power of two)
//   64   u64 ready     slots whose memory is there
//        u64 wanted    slots that somebody has set out to get memory for: a hint
//        u64 base      a number of entries, at most 2^31 behind the present one
//   128  u64 head      low half: number of entries, high half: number of slots given out, both
//                      modulo 2^32
//   192  u64 unstored  entries that found no memory
//   256  n slots of 32 bytes
// An entry takes as many consecutive slots as it needs (the first one follows the last one):
//   0    u64 checksum  XXH3 of the bytes behind it
//   8    u32 slot      the first one, counted from the beginning of the session modulo 2^32;
//        u16 length of the uri, u8 of the program, u8 of the method
//   16   u64 number    of the entry, from 0; never the same twice
//   24   i64 began, u64 duration, u64 cassette, u32 interaction, i32 pid, i32 tid, u16 status,
//        u8 outcome, u8 reason: as in HistoryEntry
//   64   uri, program, method, without anything between them
//
// Invariants
//  1. The one step that makes room for an entry is a compare-and-swap of `head`, which gives it its
//     number and its slots together: numbers ascend with slots. Nobody waits for the one who took
//     them, and whoever is killed behind that step leaves these slots unreadable, and no others.
//  2. A slot is given out only when it is one of the first `ready` ones, or all are ready. `ready`
//     only grows, after the memory is reserved. So no store finds a hole that cannot be filled,
//     which would be a SIGBUS in the program.
//  3. An entry is what a reader takes for one: at the slot that it names, of a number that belongs
//     to the window, with its checksum. All that may be in the slots otherwise (an entry that is
//     being written, the rest of one that was killed, two in one place because a writer was stopped
//     until it was lapped) is left out, a slot at a time.
//  4. base <= number of entries < base + 2^31. It is raised every 2^16 entries, from a `base` that
//     did not change while `head` was read (a compare-and-swap makes sure), so that it is never
//     ahead, however long a thread was stopped.
//  5. All zero (behind the first line; but `ready` is what create() reserved) is the valid
//     beginning, and every state in between is valid.
//
//  6. A process that may not have much memory maps the beginning of the file only. It gives out no
//     slots behind that, and reads none; what it would have appended is counted as unstored.
//
// Memory order: the words of an entry are stored relaxed but for the first one, the checksum, which
// is stored with release after the others and loaded with acquire before them: who sees it sees the
// entry, if nothing newer is there, which the checksum tells. `head` is swapped with release and
// loaded by readers with acquire, so that a reader's `ready` covers every slot that was given out
// (the thread that gave it out had loaded that `ready` with acquire, from a store with release).
// All else is relaxed: counters, and hints.
//
// What is counted: every append() that finds memory gets a number, and `unstored` counts the others.
// So the sum is exact, but for a process that is killed between finding none and counting it.
//
// Thread safety: append() and read() from any thread of any process. append() takes no lock and
// allocates nothing.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"

namespace cassette {

/// What became of a request.
enum class HistoryOutcome : std::uint8_t {
  kReplayed,   ///< `interaction` answered it
  kRecorded,   ///< the real server answered it, and the answer is in the journal
  kForwarded,  ///< the real server answered it (or failed to), and nothing was recorded
  kMissed,     ///< `reason` says why
};

/// One request. The texts are views: into the ring's copy when read, into anything when appended.
struct HistoryEntry {
  static constexpr std::uint32_t kNoInteraction = std::numeric_limits<std::uint32_t>::max();
  // How many bytes of each text are kept; more is cut.
  static constexpr std::size_t kMaxProgram = 15;
  static constexpr std::size_t kMaxMethod = 31;
  static constexpr std::size_t kMaxUri = 4000;

  std::int64_t began = 0;      ///< microseconds since 1970 UTC, when the request began
  std::uint64_t duration = 0;  ///< nanoseconds until its answer was complete
  std::uint64_t cassette = 0;  ///< key of the cassette's path (session_files.h), opaque here
  std::uint32_t interaction = kNoInteraction;  ///< index in the cassette, from 0
  std::int32_t pid = 0;
  std::int32_t tid = 0;
  std::uint16_t status = 0;  ///< of the response; 0: there was none
  HistoryOutcome outcome = HistoryOutcome::kMissed;
  std::uint8_t reason =
      0;  ///< opaque here: kMissed: MissReason as a number; kReplayed: Player's remark
  std::string_view program;  ///< name of the process
  std::string_view method;
  std::string_view uri;  ///< redacted
};

class History {
 public:
  static constexpr std::uint64_t kDefaultBytes = 64u << 20;
  static constexpr std::uint64_t kLeastBytes = 8u << 10;
  static constexpr std::uint64_t kMostBytes = 512u << 20;

  /// Makes an empty history in an empty file. Takes a page of memory; grows as entries come, up to
  /// `bytes` for the entries (rounded down to a power of two; less where the process may not make
  /// such a file).
  static Result<void> create(int descriptor, std::uint64_t bytes = kDefaultBytes);
  /// Maps it. Damaged or of another version: an error.
  static Result<History> open(const std::string& file);

  History(History&& other) noexcept;
  History& operator=(History&&) = delete;
  ~History();

  /// Never fails towards the caller: what finds no memory is counted as dropped. Leaves errno alone.
  /// No system call but where memory runs out, every few hundred entries until the ring is full.
  void append(const HistoryEntry& entry) noexcept;

  /// What is there now, oldest first. Moves, but does not copy: the views would not.
  struct Contents {
    Contents() = default;
    Contents(Contents&&) = default;
    Contents& operator=(Contents&&) = default;

    std::vector<HistoryEntry> entries;  ///< views into `text`
    /// Entries that were there, or should have been, and are not: overwritten by newer ones, or
    /// without memory. Exact once nobody is within append(). Before the ring has gone around,
    /// entries that are being written, or whose process was killed over it, are not counted; after
    /// that they are, until they are there.
    std::uint64_t dropped = 0;
    std::vector<char> text;
  };
  /// Entries that are being written just now are left out.
  Contents read() const;

 private:
  using Atomic32 = std::atomic<std::uint32_t>;
  using Atomic64 = std::atomic<std::uint64_t>;
  static_assert(Atomic32::is_always_lock_free && sizeof(Atomic32) == 4);
  static_assert(Atomic64::is_always_lock_free && sizeof(Atomic64) == 8);

  struct Header;
  struct Reserved;
  struct Position;
  class Reader;

  History() = default;
  Header& header() const;
  /// A word of the slots, counted around the ring.
  Atomic64& word(std::uint64_t index) const;
  std::uint64_t ready() const;
  bool is_mapped(std::uint32_t slot, std::uint32_t count) const;
  Position position() const;
  void raise_base();
  bool reserve(std::uint32_t slots, Reserved& reserved);
  bool make_room(std::uint64_t end, std::uint64_t ready);
  void grow(std::uint64_t target);

  std::string file_;  ///< to make it grow
  dev_t device_ = 0;  ///< that `file_` still is what was mapped
  ino_t inode_ = 0;
  void* memory_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint64_t mapped_ = 0;  ///< of them, from the beginning (invariant 6)
  std::uint32_t slots_ = 0;
  Atomic32 refused_ = 0;  ///< appends of this process without memory since it last got some
};

}  // namespace cassette
