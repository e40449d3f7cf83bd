// The history of a session: every request that it handled, in the order in which they were handled.
// A ring in memory-backed storage that every process of the session maps; no lock anywhere. Bounded:
// the oldest entries are dropped, and how many is told.
//
// What goes in is redacted already: this file knows bytes.
//
// Thread safety: append() and read() from any thread of any process. append() takes no lock and
// allocates nothing.
#pragma once

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

  std::int64_t began = 0;      ///< microseconds since 1970 UTC, when the request began
  std::uint64_t duration = 0;  ///< nanoseconds until its answer was complete
  std::uint64_t cassette = 0;  ///< key of the cassette's path (session_files.h), opaque here
  std::uint32_t interaction = kNoInteraction;  ///< index in the cassette, from 0
  std::int32_t pid = 0;
  std::int32_t tid = 0;
  std::uint16_t status = 0;  ///< of the response; 0: there was none
  HistoryOutcome outcome = HistoryOutcome::kMissed;
  std::uint8_t reason = 0;   ///< MissReason as a number, opaque here
  std::string_view program;  ///< name of the process; at most 15 bytes are kept
  std::string_view method;   ///< at most 31 bytes are kept
  std::string_view uri;      ///< redacted; at most 4000 bytes are kept
};

class History {
 public:
  static constexpr std::uint64_t kDefaultBytes = 64u << 20;

  /// Makes an empty history in an empty file. Takes little memory at first; grows up to `bytes` as
  /// entries come.
  static Result<void> create(int descriptor, std::uint64_t bytes = kDefaultBytes);
  /// Maps it. Damaged or of another version: an error.
  static Result<History> open(const std::string& file);

  History(History&& other) noexcept;
  History& operator=(History&&) = delete;
  ~History();

  /// Never fails towards the caller: what finds no memory is counted as dropped.
  void append(const HistoryEntry& entry) noexcept;

  /// What is there now, oldest first.
  struct Contents {
    std::vector<HistoryEntry> entries;  ///< views into `text`
    std::uint64_t dropped = 0;  ///< entries that were there, or should have been, and are not
    std::vector<char> text;
  };
  /// Entries that are being written just now are left out, and not counted as dropped.
  Contents read() const;

 private:
  History() = default;

  std::string file_;  ///< to make it grow
  void* memory_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace cassette
