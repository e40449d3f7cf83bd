// The ring behind a session's history. See history.h for its bytes, its invariants and its memory
// orders. Must not trust what is in the file: whatever `head`, `ready` and the entries say, nothing
// outside of the mapping is touched, and no loop goes further than once around.
#include "store/session/history.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/inherited_files.h"
#include "store/session/descriptor.h"

namespace cassette {

namespace {

constexpr char kMagic[8] = {'c', 'a', 's', 's', 'h', 'i', 's', 't'};
constexpr std::uint32_t kVersion = 1;

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHeaderBytes = 256;
/// Small: memory that is touched for the first time costs more than all the rest of append(), so
/// that what an entry leaves unused of its last slot counts.
constexpr std::uint32_t kSlotBytes = 32;
constexpr std::uint32_t kWordsPerSlot = kSlotBytes / 8;
constexpr std::uint32_t kLeastSlots = History::kLeastBytes / kSlotBytes;
constexpr std::uint32_t kMostSlots = History::kMostBytes / kSlotBytes;
/// What create() reserves: the rest of the header's page.
constexpr std::uint64_t kFirstReady = (kPage - kHeaderBytes) / kSlotBytes;
/// How much memory is reserved at a time: little, because one request pays for it (some 30 us).
constexpr std::uint64_t kStep = (64u << 10) / kSlotBytes;
constexpr std::uint32_t kRaiseBaseEvery = 1u << 16;

constexpr std::uint64_t offset_of(std::uint64_t slot) { return kHeaderBytes + slot * kSlotBytes; }

/// What each entry begins with.
struct Fixed {
  std::uint64_t checksum;
  std::uint32_t slot;
  std::uint16_t uri_length;
  std::uint8_t program_length;
  std::uint8_t method_length;
  std::uint64_t number;
  std::int64_t began;
  std::uint64_t duration;
  std::uint64_t cassette;
  std::uint32_t interaction;
  std::int32_t pid;
  std::int32_t tid;
  std::uint16_t status;
  std::uint8_t outcome;
  std::uint8_t reason;

  std::size_t size() const { return sizeof(Fixed) + uri_length + program_length + method_length; }
  std::uint32_t slots() const {
    return static_cast<std::uint32_t>((size() + kSlotBytes - 1) / kSlotBytes);
  }
};
static_assert(sizeof(Fixed) == 64);

constexpr std::size_t kMostEntryBytes =
    sizeof(Fixed) + HistoryEntry::kMaxUri + HistoryEntry::kMaxProgram + HistoryEntry::kMaxMethod;
constexpr std::size_t kMostEntrySlots = (kMostEntryBytes + kSlotBytes - 1) / kSlotBytes;
static_assert(kMostEntrySlots < kLeastSlots, "an entry must not overwrite itself");
// Position::beyond() relies on it.
static_assert(std::uint64_t{kMostSlots} * kMostEntrySlots < (std::uint64_t{1} << 32));

/// An entry outside of the ring, where it is put together and checked.
struct Copy {
  alignas(8) std::array<char, kMostEntrySlots * kSlotBytes> bytes;

  std::uint64_t checksum(std::size_t size) const {
    return XXH3_64bits(bytes.data() + sizeof(std::uint64_t), size - sizeof(std::uint64_t));
  }
  std::uint64_t word(std::size_t index) const {
    std::uint64_t value;
    std::memcpy(&value, bytes.data() + 8 * index, sizeof value);
    return value;
  }
  void set_word(std::size_t index, std::uint64_t value) {
    std::memcpy(bytes.data() + 8 * index, &value, sizeof value);
  }
  Fixed fixed() const {
    Fixed fixed;
    std::memcpy(&fixed, bytes.data(), sizeof fixed);
    return fixed;
  }
};

char* put(char* place, std::string_view text) { return place + text.copy(place, text.size()); }

constexpr std::uint64_t make_head(std::uint32_t slot, std::uint32_t number) {
  return std::uint64_t{slot} << 32 | number;
}
constexpr std::uint32_t slot_of(std::uint64_t head) {
  return static_cast<std::uint32_t>(head >> 32);
}
constexpr std::uint32_t number_of(std::uint64_t head) { return static_cast<std::uint32_t>(head); }

/// The number whose low half is `low` and that is nearest to `base`.
constexpr std::uint64_t extend(std::uint64_t base, std::uint32_t low) {
  auto distance = static_cast<std::int32_t>(low - static_cast<std::uint32_t>(base));
  return base + static_cast<std::uint64_t>(std::int64_t{distance});
}

}  // namespace

struct History::Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t slots;
  // Read by each append(), rarely written: not in one line with what each append() writes.
  alignas(64) Atomic64 ready;
  Atomic64 wanted;
  Atomic64 base;
  alignas(64) Atomic64 head;
  alignas(64) Atomic64 unstored;
};

struct History::Reserved {
  std::uint32_t slot;
  std::uint64_t number;
};

/// Where the ring's end is: `number` entries were given their slots, the next one begins at `slot`.
struct History::Position {
  std::uint64_t number;
  std::uint32_t slot;  ///< modulo 2^32

  /// Whether all slots were given out, and some more than once. An entry takes at least two slots
  /// and at most kMostEntrySlots: with fewer entries than slots, `slot` has not gone around 2^32.
  bool beyond(std::uint32_t slots) const { return number >= slots || slot > slots; }
};

// ---- making and mapping ----

Result<void> History::create(int descriptor, std::uint64_t bytes) {
  if (bytes < kLeastBytes || bytes > kMostBytes) {
    return Error{"a history has " + std::to_string(kLeastBytes) + " to " +
                 std::to_string(kMostBytes) + " bytes, not " + std::to_string(bytes)};
  }
  // A file above the limit would be a SIGXFSZ in the program.
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < kHeaderBytes + bytes) {
    if (limit.rlim_cur < kHeaderBytes + kLeastBytes) {
      return Error{"no memory for the history: files may have " + std::to_string(limit.rlim_cur) +
                   " bytes here (ulimit -f)"};
    }
    bytes = limit.rlim_cur - kHeaderBytes;
  }
  const auto slots = static_cast<std::uint32_t>(std::bit_floor(bytes / kSlotBytes));
  if (ftruncate(descriptor, static_cast<off_t>(offset_of(slots))) != 0) {
    return Error{std::string("no memory for the history: ") + strerror(errno)};
  }
  if (int problem = posix_fallocate(descriptor, 0, kPage); problem != 0) {
    return Error{std::string("no memory for the history: ") + strerror(problem)};
  }
  static_assert(sizeof(Header) == kHeaderBytes);
  alignas(Header) char space[sizeof(Header)] = {};
  Header& header = *new (space) Header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.slots = slots;
  header.ready.store(kFirstReady, std::memory_order_relaxed);
  if (pwrite(descriptor, space, sizeof space, 0) != static_cast<ssize_t>(sizeof space)) {
    return Error{std::string("no memory for the history: ") + strerror(errno)};
  }
  return {};
}

namespace {

/// How much of the file is mapped: all of it, but for a process that may not have much address space (RLIMIT_AS), and needs
/// that for itself.
std::uint64_t mapped_bytes(std::uint64_t bytes) {
  constexpr std::uint64_t kPart = 128;
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return bytes;
  const std::uint64_t most =
      std::max(std::uint64_t{limit.rlim_cur} / kPart, offset_of(kLeastSlots));
  return bytes <= most ? bytes : most & ~(kPage - 1);
}

/// Less than `*bytes` where there is no room, and then that many.
void* map_beginning(int descriptor, std::uint64_t* bytes) {
  for (;;) {
    void* memory = mmap(nullptr, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory != MAP_FAILED || errno != ENOMEM || *bytes <= kPage) return memory;
    *bytes = std::max(*bytes / 2 & ~(kPage - 1), kPage);
  }
}

}  // namespace

Result<History> History::open(const std::string& file) {
  Descriptor descriptor = open_or_inherit(file, O_RDWR);
  struct stat status {};
  if (!descriptor || fstat(descriptor.get(), &status) != 0) {
    return file_error("open the history", file, errno);
  }
  const Error damaged{"the history " + file + " is damaged or of another version"};
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || bytes < offset_of(kLeastSlots) || bytes > offset_of(kMostSlots)) {
    return damaged;
  }
  std::uint64_t mapped = mapped_bytes(bytes);
  void* memory = map_beginning(descriptor.get(), &mapped);
  if (memory == MAP_FAILED) return file_error("map the history", file, errno);
  History history;
  history.memory_ = memory;
  history.bytes_ = bytes;
  history.mapped_ = mapped;
  history.file_ = file;
  history.device_ = status.st_dev;
  history.inode_ = status.st_ino;
  const Header& header = history.header();
  history.slots_ = header.slots;
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != kVersion ||
      !std::has_single_bit(history.slots_) || offset_of(history.slots_) != bytes) {
    return damaged;
  }
  // In this order, while others append: the first ones cannot be ahead of the later ones.
  const std::uint64_t head = header.head.load(std::memory_order_acquire);
  const std::uint64_t ready = header.ready.load(std::memory_order_acquire);
  if (fstat(descriptor.get(), &status) != 0) return file_error("open the history", file, errno);
  if (ready < kFirstReady || ready > history.slots_ ||
      (ready < history.slots_ && (slot_of(head) > ready || number_of(head) > slot_of(head)))) {
    return damaged;
  }
  // What is said to be reserved and is not would be a SIGBUS. Not an error: there are file systems
  // that store zeros in no blocks.
  if (static_cast<std::uint64_t>(status.st_blocks) * 512 < offset_of(ready)) {
    int problem = posix_fallocate(descriptor.get(), 0, static_cast<off_t>(offset_of(ready)));
    if (problem != 0) return file_error("get memory for the history", file, problem);
  }
  return history;
}

History::History(History&& other) noexcept
    : file_(std::move(other.file_)),
      device_(other.device_),
      inode_(other.inode_),
      memory_(other.memory_),
      bytes_(other.bytes_),
      mapped_(other.mapped_),
      slots_(other.slots_),
      refused_(other.refused_.load(std::memory_order_relaxed)) {
  other.memory_ = nullptr;
}

History::~History() {
  if (memory_ != nullptr) munmap(memory_, mapped_);
}

History::Header& History::header() const { return *static_cast<Header*>(memory_); }

History::Atomic64& History::word(std::uint64_t index) const {
  auto* words = reinterpret_cast<Atomic64*>(static_cast<char*>(memory_) + kHeaderBytes);
  return words[index & (std::uint64_t{slots_} * kWordsPerSlot - 1)];
}

bool History::is_mapped(std::uint32_t slot, std::uint32_t count) const {
  if (mapped_ == bytes_) return true;
  return offset_of(std::uint64_t{slot & (slots_ - 1)} + count) <= mapped_;
}

std::uint64_t History::ready() const {
  return std::min<std::uint64_t>(header().ready.load(std::memory_order_acquire), slots_);
}

// ---- appending ----

void History::append(const HistoryEntry& entry) noexcept {
  const std::string_view uri = entry.uri.substr(0, HistoryEntry::kMaxUri);
  const std::string_view program = entry.program.substr(0, HistoryEntry::kMaxProgram);
  const std::string_view method = entry.method.substr(0, HistoryEntry::kMaxMethod);
  Copy copy;  // not initialised: as far as it is used, it is written here
  Fixed& fixed = *new (copy.bytes.data()) Fixed;
  fixed.uri_length = static_cast<std::uint16_t>(uri.size());
  fixed.program_length = static_cast<std::uint8_t>(program.size());
  fixed.method_length = static_cast<std::uint8_t>(method.size());
  fixed.began = entry.began;
  fixed.duration = entry.duration;
  fixed.cassette = entry.cassette;
  fixed.interaction = entry.interaction;
  fixed.pid = entry.pid;
  fixed.tid = entry.tid;
  fixed.status = entry.status;
  fixed.outcome = static_cast<std::uint8_t>(entry.outcome);
  fixed.reason = entry.reason;
  const std::size_t size = fixed.size();
  const std::size_t words = (size + 7) / 8;
  if (size > sizeof fixed) copy.set_word(words - 1, 0);
  put(put(put(copy.bytes.data() + sizeof fixed, uri), program), method);

  Reserved place{};
  if (!reserve(fixed.slots(), place)) return;
  fixed.slot = place.slot;
  fixed.number = place.number;
  fixed.checksum = copy.checksum(size);

  const std::uint64_t first = std::uint64_t{place.slot} * kWordsPerSlot;
  for (std::size_t i = 1; i < words; ++i) {
    word(first + i).store(copy.word(i), std::memory_order_relaxed);
  }
  word(first).store(copy.word(0), std::memory_order_release);
}

/// Invariant 1. A compare-and-swap, not an addition, because of invariant 2: an entry for which
/// there is no memory must not take slots, or the next one would leave a hole before it.
bool History::reserve(std::uint32_t slots, Reserved& reserved) {
  Atomic64& head = header().head;
  std::uint64_t present = head.load(std::memory_order_relaxed);
  for (;;) {
    if (!is_mapped(slot_of(present), slots)) {
      header().unstored.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    const std::uint64_t ready = this->ready();
    if (ready < slots_) {
      const std::uint64_t end = std::uint64_t{slot_of(present)} + slots;
      // From here on somebody should see to it that there is more, before all run out at once.
      const std::uint64_t spare = std::min(ready / 2, kStep / 2);
      if (end + spare > ready && !make_room(end, ready)) {
        header().unstored.fetch_add(1, std::memory_order_relaxed);
        return false;
      }
    }
    if (head.compare_exchange_weak(present,
                                   make_head(slot_of(present) + slots, number_of(present) + 1),
                                   std::memory_order_release, std::memory_order_relaxed)) {
      break;
    }
  }
  reserved.slot = slot_of(present);
  const std::uint64_t base = header().base.load(std::memory_order_relaxed);
  reserved.number = extend(base, number_of(present));
  if (reserved.number - base >= kRaiseBaseEvery) raise_base();
  return true;
}

/// Invariant 4.
void History::raise_base() {
  Atomic64& base = header().base;
  // Acquire: `head` is read after it. Whoever swaps has a `head` that was read while `base` was
  // what it is, because it never goes back.
  std::uint64_t present = base.load(std::memory_order_acquire);
  const std::uint64_t head = header().head.load(std::memory_order_relaxed);
  const std::uint64_t number = extend(present, number_of(head));
  if (number > present && number - present >= kRaiseBaseEvery) {
    base.compare_exchange_strong(present, number, std::memory_order_relaxed);
  }
}

/// Called when the slots before `end` are not ready, or few are left behind them. False: they are
/// not, and there is no memory.
bool History::make_room(std::uint64_t end, std::uint64_t ready) {
  const std::uint64_t target = std::min<std::uint64_t>(std::max(end, ready + kStep), slots_);
  if (end <= ready) {
    // One of all does it, while the others go on. Should it fail or be killed, they find out below.
    std::uint64_t wanted = header().wanted.load(std::memory_order_relaxed);
    if (wanted <= ready &&
        header().wanted.compare_exchange_strong(wanted, target, std::memory_order_relaxed)) {
      grow(target);
    }
    return true;
  }
  // Asking costs microseconds: after a refusal ever more rarely, up to once in 256 times.
  const std::uint32_t refused = refused_.load(std::memory_order_relaxed);
  if ((refused & (refused - 1)) == 0 || refused % 256 == 0) grow(target);
  if (std::min<std::uint64_t>(end, slots_) <= this->ready()) {
    refused_.store(0, std::memory_order_relaxed);
    return true;
  }
  refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

/// Reserves memory up to the slot, if there is any.
void History::grow(std::uint64_t target) {
  if (ready() >= target) return;
  const int error_number = errno;
  {
    // By name: a descriptor that is kept could be closed by the program, and its number be another
    // file's by now. The name could be, too.
    Descriptor file = open_or_inherit(file_, O_RDWR);
    struct stat status {};
    const std::uint64_t ready = this->ready();
    if (file && ready < target && fstat(file.get(), &status) == 0 && status.st_dev == device_ &&
        status.st_ino == inode_ && static_cast<std::uint64_t>(status.st_size) == bytes_) {
      const std::uint64_t begin = offset_of(ready);
      const std::uint64_t bytes = offset_of(target) - begin;
      int problem = EINTR;  // a signal for the program came; it has its handler called in between
      for (int i = 0; i < 16 && problem == EINTR; ++i) {
        problem = posix_fallocate(file.get(), static_cast<off_t>(begin), static_cast<off_t>(bytes));
      }
      if (problem == 0) {
#ifdef MADV_POPULATE_WRITE
        // Cheaper than a fault for each page. Where the kernel cannot, there are faults.
        if (begin + bytes <= mapped_)
          madvise(static_cast<char*>(memory_) + begin, bytes, MADV_POPULATE_WRITE);
#endif
        std::uint64_t present = ready;
        while (present < target &&
               !header().ready.compare_exchange_weak(present, target, std::memory_order_release,
                                                     std::memory_order_relaxed)) {
        }
      }
    }
  }
  errno = error_number;
}

// ---- reading ----

History::Position History::position() const {
  // Together, or `head` might have moved on too far from `base` for extend(). It is raised so rarely
  // that the second try succeeds; a third one is for files that are none.
  std::uint64_t base = header().base.load(std::memory_order_acquire);
  std::uint64_t head = 0;
  for (int i = 0; i < 3; ++i) {
    head = header().head.load(std::memory_order_acquire);
    const std::uint64_t again = header().base.load(std::memory_order_acquire);
    if (again == base) break;
    base = again;
  }
  return {extend(base, number_of(head)), slot_of(head)};
}

/// One walk through the ring.
class History::Reader {
 public:
  Reader(const History& history, Contents& contents) : history_(history), contents_(contents) {}

  void read() {
    const Position end = history_.position();
    const bool full = end.beyond(history_.slots_);
    end_number_ = end.number;
    first_ = full ? end.slot - history_.slots_ : 0;
    // The second one in a damaged file only (invariant 2): what is not there must not be touched.
    length_ = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(full ? history_.slots_ : end.slot, history_.ready()));

    std::uint64_t next_number = 0;
    for (std::uint32_t i = 0; i < length_;) {
      if (fetch(i, next_number)) {
        const Fixed fixed = copy_.fixed();
        keep(fixed);
        next_number = fixed.number + 1;
        i += fixed.slots();
      } else {
        ++i;
      }
    }
    set_views();

    contents_.dropped = history_.header().unstored.load(std::memory_order_relaxed);
    // Asked again, because the writers may have come around while this was reading.
    if (history_.position().beyond(history_.slots_)) {
      contents_.dropped += end_number_ - contents_.entries.size();
    }
  }

 private:
  /// True when there is an entry (invariant 3), which then is in `copy_`.
  bool fetch(std::uint32_t index, std::uint64_t least_number) {
    const std::uint32_t slot = first_ + index;
    if (!history_.is_mapped(slot, 1)) return false;
    const std::uint64_t first = std::uint64_t{slot} * kWordsPerSlot;
    copy_.set_word(0, history_.word(first).load(std::memory_order_acquire));
    copy_.set_word(1, history_.word(first + 1).load(std::memory_order_relaxed));
    Fixed fixed = copy_.fixed();
    if (fixed.slot != slot || fixed.uri_length > HistoryEntry::kMaxUri ||
        fixed.program_length > HistoryEntry::kMaxProgram ||
        fixed.method_length > HistoryEntry::kMaxMethod || fixed.slots() > length_ - index ||
        !history_.is_mapped(slot, fixed.slots())) {
      return false;
    }
    for (std::size_t i = 2; i < (fixed.size() + 7) / 8; ++i) {
      copy_.set_word(i, history_.word(first + i).load(std::memory_order_relaxed));
    }
    fixed = copy_.fixed();
    return fixed.checksum == copy_.checksum(fixed.size()) && fixed.number >= least_number &&
           fixed.number < end_number_ && end_number_ - fixed.number <= length_ &&
           fixed.outcome <= static_cast<std::uint8_t>(HistoryOutcome::kMissed);
  }

  void keep(const Fixed& fixed) {
    HistoryEntry entry;
    entry.began = fixed.began;
    entry.duration = fixed.duration;
    entry.cassette = fixed.cassette;
    entry.interaction = fixed.interaction;
    entry.pid = fixed.pid;
    entry.tid = fixed.tid;
    entry.status = fixed.status;
    entry.outcome = static_cast<HistoryOutcome>(fixed.outcome);
    entry.reason = fixed.reason;
    contents_.entries.push_back(entry);
    lengths_.push_back({fixed.uri_length, fixed.program_length, fixed.method_length});
    const char* text = copy_.bytes.data() + sizeof fixed;
    contents_.text.insert(contents_.text.end(), text, text + fixed.size() - sizeof fixed);
  }

  /// Last, because the text moves while it grows.
  void set_views() {
    const char* text = contents_.text.data();
    for (std::size_t i = 0; i < lengths_.size(); ++i) {
      HistoryEntry& entry = contents_.entries[i];
      entry.uri = {text, lengths_[i].uri};
      entry.program = {text += lengths_[i].uri, lengths_[i].program};
      entry.method = {text += lengths_[i].program, lengths_[i].method};
      text += lengths_[i].method;
    }
  }

  struct Lengths {
    std::uint16_t uri;
    std::uint8_t program;
    std::uint8_t method;
  };

  const History& history_;
  Contents& contents_;
  std::uint64_t end_number_ = 0;
  std::uint32_t first_ = 0;   ///< the slot to begin with
  std::uint32_t length_ = 0;  ///< how many there are to read
  Copy copy_{};
  std::vector<Lengths> lengths_;
};

History::Contents History::read() const {
  Contents contents;
  Reader(*this, contents).read();
  return contents;
}

}  // namespace cassette
