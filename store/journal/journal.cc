#include "store/journal/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/cassette.h"
#include "store/file_size_signal.h"
#include "store/files.h"
#include "store/formats/json.h"
#include "store/log.h"

namespace cassette {

namespace {

constexpr std::string_view kMagic = "cassjnl1";
constexpr std::string_view kCloseMagic = "cassjnl2";
/// Of a record that was merged in a file that could not be replaced: only the length counts.
constexpr std::string_view kVoidMagic = "cassjnl0";
constexpr std::string_view kAnyVersion = kMagic.substr(0, 7);
constexpr std::size_t kHeadSize = 24;
constexpr std::size_t kTailSize = 8;

std::uint64_t number_at(std::string_view bytes, std::size_t at) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

void append_number(std::string& out, std::uint64_t number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::uint64_t checksum(std::string_view head, std::string_view payload) {
  XXH64_state_t state;
  XXH64_reset(&state, 0);
  XXH64_update(&state, head.data(), head.size());
  XXH64_update(&state, payload.data(), payload.size());
  return XXH64_digest(&state);
}

/// The size of the record that begins here, as far as its two ends say, or 0.
std::size_t framed_record(std::string_view bytes) {
  if (bytes.size() < kHeadSize + kTailSize || !bytes.starts_with(kAnyVersion)) return 0;
  std::uint64_t payload = number_at(bytes, 8);
  if (payload > bytes.size() - kHeadSize - kTailSize) return 0;
  std::size_t size = kHeadSize + static_cast<std::size_t>(payload) + kTailSize;
  return number_at(bytes, size - kTailSize) == size ? size : 0;
}

/// The size of the whole record that begins here, of whatever version, or 0.
std::size_t whole_record(std::string_view bytes) {
  const std::size_t size = framed_record(bytes);
  if (size == 0 || bytes.starts_with(kVoidMagic)) return size;
  const std::string_view payload = bytes.substr(kHeadSize, size - kHeadSize - kTailSize);
  return checksum(bytes.substr(0, 16), payload) == number_at(bytes, 16) ? size : 0;
}

std::optional<RecordMode> mode_of(std::string_view name) {
  for (RecordMode mode : {RecordMode::kOnce, RecordMode::kNewEpisodes, RecordMode::kNone,
                          RecordMode::kAll, RecordMode::kRewrite, RecordMode::kOff}) {
    if (name_of(mode) == name) return mode;
  }
  return std::nullopt;
}

std::string_view next_word(std::string_view& line) {
  std::size_t end = std::min(line.find(' '), line.size());
  std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

template <typename Number>
bool to_number(std::string_view word, Number& number) {
  auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), number);
  return problem == std::errc() && end == word.data() + word.size();
}

bool decode_payload(std::string_view payload, const std::string& name, JournalRecord& record) {
  std::size_t end = payload.find('\n');
  if (end == std::string_view::npos) return false;
  std::string_view line = payload.substr(0, end);
  record.session = next_word(line);
  auto mode = mode_of(next_word(line));
  if (!mode || !to_number(next_word(line), record.began) ||
      !to_number(next_word(line), record.pid) || !to_number(next_word(line), record.sequence)) {
    return false;
  }
  record.mode = *mode;
  auto interaction = interaction_from_json(payload.substr(end + 1), name);
  if (!interaction) return false;
  record.interaction = std::move(*interaction);
  return true;
}

/// What follows the magic of a record that closes another. False: it cannot be understood.
bool close_record(std::string_view line, std::vector<JournalRecord>& records, std::size_t offset,
                  std::size_t size) {
  const std::string_view session = next_word(line);
  std::uint64_t began = 0;
  std::int64_t pid = 0;
  std::uint64_t sequence = 0;
  if (!to_number(next_word(line), began) || !to_number(next_word(line), pid) ||
      !to_number(next_word(line), sequence) || line != "closes\n") {
    return false;
  }
  // Seldom far behind. Without it there is nothing to say: it was damaged, or has been merged.
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->sequence != sequence || record->began != began || record->pid != pid ||
        record->session != session) {
      continue;
    }
    record->interaction.closes = true;
    record->close_offset = offset;
    record->close_size = size;
    break;
  }
  return true;
}

std::string framed(std::string_view magic, std::string_view payload) {
  std::string bytes;
  bytes.reserve(kHeadSize + payload.size() + kTailSize);
  bytes.append(magic);
  append_number(bytes, payload.size());
  append_number(bytes, checksum(bytes, payload));
  bytes.append(payload);
  append_number(bytes, kHeadSize + payload.size() + kTailSize);
  return bytes;
}

int lock(int descriptor, int operation) {
  int result;
  do {
    result = flock(descriptor, operation);
  } while (result != 0 && errno == EINTR);
  return result;
}

bool leads_to(const std::string& path, const struct stat& opened) {
  struct stat there {};
  return lstat(path.c_str(), &there) == 0 && there.st_dev == opened.st_dev &&
         there.st_ino == opened.st_ino;
}

/// Opens and locks what the path leads to once the lock is held. `flags` with O_CREAT: makes it.
Result<Descriptor> open_locked(const std::string& path, int flags, mode_t mode, int operation) {
  // Whoever replaced it just now was merging; it is not the same file forever.
  for (int attempt = 0; attempt < 10000; ++attempt) {
    Descriptor descriptor(
        open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode));
    if (!descriptor) return file_error("open the journal", path, errno);
    struct stat opened {};
    if (fstat(descriptor.get(), &opened) != 0) return file_error("open the journal", path, errno);
    if (!S_ISREG(opened.st_mode)) {
      return Error{"cannot open the journal " + path + ": it is not a regular file"};
    }
    if (lock(descriptor.get(), operation) != 0) return file_error("lock the journal", path, errno);
    if (leads_to(path, opened)) return descriptor;
  }
  return Error{"cannot lock the journal " + path + ": it is replaced all the time"};
}

/// 0, or the errno. In one write, that no other's comes between; hence all of it again after one that
/// was cut short (and that finds out why it was).
int append_whole(int descriptor, std::string_view bytes) {
  WithoutFileSizeSignal guard;
  for (int tries = 0; tries < 3; ++tries) {
    ssize_t n;
    do {
      n = write(descriptor, bytes.data(), bytes.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EFBIG) guard.came();
    if (n < 0) return errno;
    if (static_cast<std::size_t>(n) == bytes.size()) return 0;
  }
  return ENOSPC;
}

Result<std::string> read_whole(int descriptor, const std::string& path) try {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return file_error("read the journal", path, errno);
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    ssize_t n = pread(descriptor, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("read the journal", path, errno);
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
} catch (const std::exception& problem) {
  return Error{"cannot read the journal " + path + ": " + problem.what()};
}

/// True when the last record of the file is whole, as far as its two ends say.
bool ends_whole(int descriptor, off_t size) {
  if (size == 0) return true;
  if (size < static_cast<off_t>(kHeadSize + kTailSize)) return false;
  std::uint64_t length = 0;
  if (pread(descriptor, &length, sizeof length, size - static_cast<off_t>(kTailSize)) !=
          static_cast<ssize_t>(sizeof length) ||
      length < kHeadSize + kTailSize || length > static_cast<std::uint64_t>(size)) {
    return false;
  }
  char head[16];
  if (pread(descriptor, head, sizeof head, size - static_cast<off_t>(length)) !=
      static_cast<ssize_t>(sizeof head)) {
    return false;
  }
  std::string_view bytes(head, sizeof head);
  return bytes.starts_with(kAnyVersion) && number_at(bytes, 8) == length - kHeadSize - kTailSize;
}

/// What is kept open (Journal::keep_open()) is known by a lock beyond all bytes, which is of the open file description: it goes along
/// with fork and exec, and ends with the last of them.
constexpr off_t kKeptAt = off_t{1} << 62;

struct flock range_lock(short type, off_t begin, off_t length) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = begin;
  range.l_len = length;
  return range;
}

int lock_range(int descriptor, int command, struct flock range) {
  int result;
  do {
    result = fcntl(descriptor, command, &range);
  } while (result != 0 && errno == EINTR);
  return result;
}

/// False also where the file system knows no such locks: nothing is kept there.
bool is_kept(int descriptor) {
  struct flock range = range_lock(F_WRLCK, kKeptAt, 1);
  return fcntl(descriptor, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

/// Rule 2. What cannot be cut off now is cut off by the next to append, or passed over.
void cut_torn_end(const std::string& path) {
  auto journal = open_locked(path, O_RDWR, 0, LOCK_EX | LOCK_NB);
  struct stat status {};
  if (!journal || fstat(journal->get(), &status) != 0) return;  // others append
  if (is_kept(journal->get())) return;                          // not by locks of this kind
  if (status.st_size == 0) unlink(path.c_str());
  if (ends_whole(journal->get(), status.st_size)) return;
  auto all = read_whole(journal->get(), path);
  if (!all) return;
  const auto whole = static_cast<off_t>(read_journal(*all, path).whole_end);
  if (whole >= status.st_size || ftruncate(journal->get(), whole) != 0) return;
  if (whole == 0) unlink(path.c_str());
  log(LogLevel::kWarn, path + ": cut off " + std::to_string(status.st_size - whole) +
                           " bytes of a record that was never finished");
}

}  // namespace

std::string journal_path(const std::string& cassette_path) {
  std::string path = cassette_path;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  // A circle of links is no cassette: whoever opens it says so.
  if (auto target = follow_links(path)) path = std::move(*target);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path + ".journal";
}

std::string encode_record(const JournalRecord& record) {
  std::string payload = record.session;
  payload.append(" ").append(name_of(record.mode));
  payload.append(" ").append(std::to_string(record.began));
  payload.append(" ").append(std::to_string(record.pid));
  payload.append(" ").append(std::to_string(record.sequence)).append("\n");
  payload.append(interaction_to_json(record.interaction, false));
  return framed(kMagic, payload);
}

std::string encode_close(const JournalRecord& record) {
  std::string payload = record.session;
  payload.append(" ").append(std::to_string(record.began));
  payload.append(" ").append(std::to_string(record.pid));
  payload.append(" ").append(std::to_string(record.sequence)).append(" closes\n");
  return framed(kCloseMagic, payload);
}

JournalContents read_journal(std::string_view bytes, const std::string& name) {
  JournalContents contents;
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::size_t size = whole_record(bytes.substr(at));
    if (size == 0) {
      // Not a record: on to the next place that may be one.
      std::size_t next = std::min(bytes.find(kAnyVersion, at + 1), bytes.size());
      contents.damaged_bytes += next - at;
      at = next;
      continue;
    }
    const std::string_view magic = bytes.substr(at, kMagic.size());
    const std::string_view payload = bytes.substr(at + kHeadSize, size - kHeadSize - kTailSize);
    JournalRecord record;
    if (magic == kMagic && decode_payload(payload, name, record)) {
      record.offset = at;
      record.size = size;
      contents.records.push_back(std::move(record));
    } else if (magic == kVoidMagic) {
      contents.void_bytes += size;
    } else if (magic == kCloseMagic && close_record(payload, contents.records, at, size)) {
      contents.closing_bytes += size;
    } else {
      contents.unknown.emplace_back(at, size);
    }
    at += size;
    contents.whole_end = at;
  }
  return contents;
}

Journal::Journal(std::string cassette_path)
    : cassette_path_(std::move(cassette_path)),
      path_(journal_path(cassette_path_)),
      kept_name_("journal of " + cassette_path_) {}

Result<Descriptor> Journal::open_to_append() const {
  if (const int kept = inherited_file(kept_name_); kept >= 0) return open_kept(kept);
  // It holds what the cassette will hold: who may not read the one shall not read the other.
  struct stat cassette {};
  mode_t mode = 0666;
  if (stat(cassette_path_.c_str(), &cassette) == 0) mode = cassette.st_mode & 0666;
  constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT;
  auto journal = open_locked(path_, kFlags, mode, LOCK_SH);
  if (journal) return journal;
  // The directory may be missing. Not asked first: another may be making it at this moment.
  if (auto made = make_directories(directory_of(path_)); !made) return made.error();
  return open_locked(path_, kFlags, mode, LOCK_SH);
}

/// flock(2) is of the one description, which other processes share: theirs would end with ours. So it is the kind of lock that is of the
/// process, for which who merges waits, too.
Result<Descriptor> Journal::open_kept(int kept) const {
  Descriptor copy(fcntl(kept, F_DUPFD_CLOEXEC, 3));
  struct stat status {};
  if (!copy || fstat(copy.get(), &status) != 0)
    return file_error("use the journal that was open,", path_, errno);
  if (lock_range(copy.get(), F_SETLKW, range_lock(F_RDLCK, 0, kKeptAt)) != 0)
    return file_error("lock the journal", path_, errno);
  if (fstat(copy.get(), &status) != 0 || status.st_nlink == 0)
    return Error{"cannot write the journal " + path_ + ": it was removed"};
  return copy;
}

Result<void> Journal::keep_open(const KeepFile& keep) {
  std::lock_guard guard(mutex_);
  if (inherited_file(kept_name_) >= 0) return {};
  auto journal = open_to_append();
  if (!journal) return journal.error();
  // Before the other lock ends: from then on nobody removes it.
  // Where there are no such locks it may be removed all the same: then that is said.
  lock_range(journal->get(), F_OFD_SETLK, range_lock(F_RDLCK, kKeptAt, 1));
  flock(journal->get(), LOCK_UN);
  keep(kept_name_, std::move(*journal));
  return {};
}

Result<void> Journal::append(const JournalRecord& record) try {
  return append_bytes(encode_record(record));
} catch (const std::exception& problem) {
  return Error{"cannot write the journal " + path_ + ": " + problem.what()};
}

Result<void> Journal::append_close(const JournalRecord& record) try {
  return append_bytes(encode_close(record));
} catch (const std::exception& problem) {
  return Error{"cannot write the journal " + path_ + ": " + problem.what()};
}

Result<void> Journal::append_bytes(std::string_view bytes) {
  // Before close(): a description shared with a child that was forked past our hooks stays locked
  // else.
  auto give_back = [](const Descriptor& journal) { flock(journal.get(), LOCK_UN); };

  std::lock_guard guard(mutex_);
  auto journal = open_to_append();
  if (!journal) return journal.error();
  struct stat status {};
  if (fstat(journal->get(), &status) != 0) return file_error("write the journal", path_, errno);
  const bool kept =
      inherited_file(kept_name_) >= 0;  // then it cannot be cut: passed over by who reads
  if (!kept && !ends_whole(journal->get(), status.st_size)) {
    give_back(*journal);
    cut_torn_end(path_);
    journal = open_to_append();
    if (!journal) return journal.error();
  }
  const int problem = append_whole(journal->get(), bytes);
  give_back(*journal);
  if (problem == 0) return {};
  if (!kept) cut_torn_end(path_);
  return file_error("write the journal", path_, problem);
}

Result<std::optional<LockedJournal>> LockedJournal::open(const std::string& cassette_path) {
  LockedJournal journal;
  journal.path_ = journal_path(cassette_path);
  if (access(journal.path_.c_str(), F_OK) != 0) return std::optional<LockedJournal>();
  auto descriptor = open_locked(journal.path_, O_RDWR, 0, LOCK_EX);
  if (!descriptor) {
    // Merged by another just now.
    if (access(journal.path_.c_str(), F_OK) != 0) return std::optional<LockedJournal>();
    return descriptor.error();
  }
  lock_range(descriptor->get(), F_OFD_SETLKW, range_lock(F_WRLCK, 0, kKeptAt));
  auto bytes = read_whole(descriptor->get(), journal.path_);
  if (!bytes) return bytes.error();
  journal.descriptor_ = std::move(*descriptor);
  journal.bytes_ = std::move(*bytes);
  return std::optional<LockedJournal>(std::move(journal));
}

Result<LockedJournal> LockedJournal::make(const std::string& cassette_path) {
  LockedJournal journal;
  journal.path_ = journal_path(cassette_path);
  auto descriptor = open_locked(journal.path_, O_RDWR | O_CREAT, 0666, LOCK_EX);
  if (!descriptor) return descriptor.error();
  lock_range(descriptor->get(), F_OFD_SETLKW, range_lock(F_WRLCK, 0, kKeptAt));
  auto bytes = read_whole(descriptor->get(), journal.path_);
  if (!bytes) return bytes.error();
  journal.descriptor_ = std::move(*descriptor);
  journal.bytes_ = std::move(*bytes);
  return journal;
}

Result<void> LockedJournal::sync() const {
  if (fsync(descriptor_.get()) != 0) return file_error("sync the journal", path_, errno);
  return sync_directory(directory_of(path_));
}

Result<void> LockedJournal::keep_only(std::vector<std::pair<std::size_t, std::size_t>> places) {
  std::sort(places.begin(), places.end());
  if (is_kept(descriptor_.get())) return keep_in_place(places);
  if (places.empty()) {
    if (unlink(path_.c_str()) == 0 || errno == ENOENT) return {};
    return file_error("remove the journal", path_, errno);
  }
  std::string kept;
  for (auto [offset, size] : places) kept.append(bytes_, offset, size);
  return kept.size() != bytes_.size() ? write_file_atomically(path_, kept) : Result<void>();
}

/// It must stay the file that it is. One byte a record, so that each is what it was or void, whenever this ends.
Result<void> LockedJournal::keep_in_place(
    const std::vector<std::pair<std::size_t, std::size_t>>& places) {
  if (places.empty()) {
    if (ftruncate(descriptor_.get(), 0) == 0) return {};
    return file_error("empty the journal", path_, errno);
  }
  auto place = places.begin();
  for (std::size_t at = 0; at < bytes_.size();) {
    while (place != places.end() && place->first < at) ++place;
    const std::size_t size = whole_record(std::string_view(bytes_).substr(at));
    const bool stays = place != places.end() && place->first == at;
    if (size == 0) {
      at = std::min(bytes_.find(kAnyVersion, at + 1), bytes_.size());
      continue;
    }
    const std::size_t version = kAnyVersion.size();
    if (!stays &&
        pwrite(descriptor_.get(), &kVoidMagic[version], 1, static_cast<off_t>(at + version)) != 1)
      return file_error("write the journal", path_, errno);
    at += size;
  }
  return {};
}

}  // namespace cassette
