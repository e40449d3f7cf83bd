// The journal beside a cassette: interactions that were recorded and not merged yet. Each is
// appended before the last byte of its response reaches the program, by any thread of any process.
//
// Its format and the rules that keep it whole are in docs/durability.md; "rule n" means those. Knows nothing
// of how it is merged (merge.h).
//
// Thread safety: Journal from any thread; LockedJournal by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/result.h"
#include "store/inherited_files.h"
#include "store/interaction.h"
#include "store/session/descriptor.h"
#include "store/settings/settings.h"

namespace cassette {

std::string journal_path(const std::string& cassette_path);

struct JournalRecord {
  std::string session;  ///< token
  RecordMode mode = RecordMode::kOnce;
  std::uint64_t began = 0;
  std::int64_t pid = 0;
  std::uint64_t sequence = 0;
  Interaction interaction;
  /// Where it stands in the bytes it was read from.
  std::size_t offset = 0;
  std::size_t size = 0;
  /// And the one that says of it that the server closed the connection behind it; size 0: there is none.
  std::size_t close_offset = 0;
  std::size_t close_size = 0;
};

/// The bytes of one record.
std::string encode_record(const JournalRecord& record);
/// Of one that says of `record`, which stands before it, that the server closed the connection behind it.
std::string encode_close(const JournalRecord& record);

struct JournalContents {
  std::vector<JournalRecord> records;  ///< as they stand in the file
  std::uint64_t damaged_bytes = 0;
  std::size_t whole_end = 0;        ///< where the last whole record ends
  std::uint64_t void_bytes = 0;     ///< of records that were merged and could not be taken out
  std::uint64_t closing_bytes = 0;  ///< of encode_close(), whether or not its record is there
  /// Records that are whole and cannot be understood (a later version's): kept, not merged.
  std::vector<std::pair<std::size_t, std::size_t>> unknown;  ///< offset, size
};

/// Reads what is whole. `name` is for messages.
JournalContents read_journal(std::string_view bytes, const std::string& name);

/// The writing side, one for each process and cassette.
class Journal {
 public:
  explicit Journal(std::string cassette_path);

  /// Opens, locks, writes, closes: nothing stays open that the program could close by accident.
  /// Makes missing directories. On an error the file holds what it held before (but for rule 2).
  Result<void> append(const JournalRecord& record);
  /// The same for what encode_close() makes of a record that was appended.
  Result<void> append_close(const JournalRecord& record);

  /// Keeps the file open for who may not open it later: this process when it has another user or root directory, and the
  /// programs that it becomes. Makes the file. From then on it is appended to that one, whatever the path leads to.
  Result<void> keep_open(const KeepFile& keep);

  /// Around fork(): the child must not share a description that is locked just now.
  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

 private:
  Result<void> append_bytes(std::string_view bytes);
  Result<Descriptor> open_to_append() const;
  Result<Descriptor> open_kept(int kept) const;

  std::string cassette_path_;
  std::string path_;
  const std::string kept_name_;  ///< store/inherited_files.h
  std::mutex mutex_;
};

/// The journal under its lock, for merging.
class LockedJournal {
 public:
  /// Waits for the lock. Nothing when there is no journal.
  static Result<std::optional<LockedJournal>> open(const std::string& cassette_path);
  /// The same for one who changes the cassette: makes an empty journal where there is none.
  static Result<LockedJournal> make(const std::string& cassette_path);

  const std::string& bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  /// Makes what it holds survive a power cut, too.
  Result<void> sync() const;
  /// Of its records only those at these places (offset, size) stay; without any it is removed. One that a process keeps open
  /// (Journal::keep_open()) stays the file that it is, and is emptied.
  Result<void> keep_only(std::vector<std::pair<std::size_t, std::size_t>> places);

 private:
  Result<void> keep_in_place(const std::vector<std::pair<std::size_t, std::size_t>>& places);

  std::string path_;
  Descriptor descriptor_;
  std::string bytes_;
};

}  // namespace cassette
