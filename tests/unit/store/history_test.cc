// The history under threads, processes, sudden deaths, damage and want of memory: what is read was
// written, and what is not there is counted.
#include "store/session/history.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <thread>

#include "tests/unit/store/allocations.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

constexpr std::uint64_t kSmall = History::kLeastBytes;
constexpr std::uint64_t kSlot = 32;
constexpr std::uint64_t kHeader = 256;

/// Entry `count` of writer `writer`: whatever is in it follows from these two.
struct Sample {
  Sample(int writer, std::uint32_t count)
      : writer(writer),
        count(count),
        mixed((count + 1) * 2654435761u ^ static_cast<std::uint32_t>(writer) * 40503u) {
    uri = "http://" + std::to_string(writer) + ".example.org/" + std::to_string(count) + "/";
    uri.append(mixed % 97, static_cast<char>('a' + mixed % 26));
    if (mixed % 61 == 0) uri.append(1000, '+');
    method = mixed % 3 == 0 ? "GET" : "OPTIONS";
    program = std::string(mixed % 15, 'p');
  }
  /// Views into this.
  HistoryEntry entry() const {
    HistoryEntry entry;
    entry.began = static_cast<std::int64_t>(mixed) * 1000003;
    entry.duration = mixed;
    entry.cassette = ~std::uint64_t{mixed};
    entry.interaction = count;
    entry.pid = writer;
    entry.tid = -writer;
    entry.status = static_cast<std::uint16_t>(mixed);
    entry.outcome = static_cast<HistoryOutcome>(mixed % 4);
    entry.reason = static_cast<std::uint8_t>(mixed >> 8);
    entry.uri = uri;
    entry.method = method;
    entry.program = program;
    return entry;
  }
  std::uint64_t slots() const {
    return (64 + uri.size() + method.size() + program.size() + kSlot - 1) / kSlot;
  }

  int writer;
  std::uint32_t count, mixed;
  std::string uri, method, program;
};

bool equal(const HistoryEntry& a, const HistoryEntry& b) {
  return a.began == b.began && a.duration == b.duration && a.cassette == b.cassette &&
         a.interaction == b.interaction && a.pid == b.pid && a.tid == b.tid &&
         a.status == b.status && a.outcome == b.outcome && a.reason == b.reason &&
         a.program == b.program && a.method == b.method && a.uri == b.uri;
}

bool intact(const HistoryEntry& entry) {
  return equal(entry, Sample(entry.pid, entry.interaction).entry());
}

std::size_t damaged_entries(const History::Contents& contents) {
  return static_cast<std::size_t>(
      std::count_if(contents.entries.begin(), contents.entries.end(),
                    [](const HistoryEntry& entry) { return !intact(entry); }));
}

/// The counts of each writer in the order in which they are there.
std::map<int, std::vector<std::uint32_t>> by_writer(const History::Contents& contents) {
  std::map<int, std::vector<std::uint32_t>> result;
  for (const HistoryEntry& entry : contents.entries) result[entry.pid].push_back(entry.interaction);
  return result;
}

class HistoryTest : public StoreTest {
 protected:
  std::string file() const { return directory_ + "/history"; }

  Result<void> create(std::uint64_t bytes) {
    int descriptor = ::open(file().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    auto created = History::create(descriptor, bytes);
    ::close(descriptor);
    return created;
  }
  History make(std::uint64_t bytes) {
    auto created = create(bytes);
    EXPECT_TRUE(created.ok()) << created.error().message;
    return reopen();
  }
  History reopen() {
    auto opened = History::open(file());
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(*opened);
  }
  static void append(History& history, int writer, std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t i = from; i < to; ++i) history.append(Sample(writer, i).entry());
  }
  std::uint64_t memory_taken() const {
    struct stat status {};
    EXPECT_EQ(stat(file().c_str(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  /// Changes 8 bytes of the file.
  void poke(std::uint64_t offset, std::uint64_t value) {
    int descriptor = ::open(file().c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_EQ(pwrite(descriptor, &value, sizeof value, static_cast<off_t>(offset)), 8);
    ::close(descriptor);
  }
};

// ---- what goes in comes out ----

TEST_F(HistoryTest, AnEmptyOneIsEmpty) {
  History history = make(kSmall);
  auto contents = history.read();
  EXPECT_TRUE(contents.entries.empty());
  EXPECT_EQ(contents.dropped, 0u);
}

TEST_F(HistoryTest, GivesBackEveryField) {
  History history = make(History::kDefaultBytes);
  HistoryEntry least;
  least.began = std::numeric_limits<std::int64_t>::min();
  HistoryEntry most;
  most.began = std::numeric_limits<std::int64_t>::max();
  most.duration = most.cassette = std::numeric_limits<std::uint64_t>::max();
  most.interaction = HistoryEntry::kNoInteraction - 1;
  most.pid = most.tid = std::numeric_limits<std::int32_t>::max();
  most.status = 65535;
  most.outcome = HistoryOutcome::kForwarded;
  most.reason = 255;
  most.program = "fifteen-letters";
  most.method = "A-METHOD-THAT-HAS-31-CHARACTERS";
  const std::string uri(HistoryEntry::kMaxUri, '\xff');
  most.uri = uri;
  HistoryEntry binary;
  binary.uri = std::string_view("a\0b", 3);
  history.append(least);
  history.append(most);
  history.append(binary);
  auto contents = reopen().read();
  ASSERT_EQ(contents.entries.size(), 3u);
  EXPECT_TRUE(equal(contents.entries[0], least));
  EXPECT_TRUE(equal(contents.entries[1], most));
  EXPECT_TRUE(equal(contents.entries[2], binary));
  EXPECT_EQ(contents.dropped, 0u);
}

TEST_F(HistoryTest, KeepsTextsOfEveryLength) {
  History history = make(History::kDefaultBytes);
  std::string text(HistoryEntry::kMaxUri, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 26);
  for (std::size_t length = 0; length <= text.size(); ++length) {
    HistoryEntry entry;
    entry.uri = std::string_view(text).substr(0, length);
    entry.method = std::string_view(text).substr(0, length % (HistoryEntry::kMaxMethod + 1));
    entry.program = std::string_view(text).substr(0, length % (HistoryEntry::kMaxProgram + 1));
    history.append(entry);
  }
  auto contents = history.read();
  ASSERT_EQ(contents.entries.size(), text.size() + 1);
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const HistoryEntry& entry = contents.entries[length];
    ASSERT_EQ(entry.uri, text.substr(0, length));
    ASSERT_EQ(entry.method, text.substr(0, length % (HistoryEntry::kMaxMethod + 1)));
    ASSERT_EQ(entry.program, text.substr(0, length % (HistoryEntry::kMaxProgram + 1)));
  }
}

TEST_F(HistoryTest, CutsWhatIsTooLong) {
  History history = make(kSmall);
  const std::string uri = std::string(HistoryEntry::kMaxUri, 'u') + "more";
  const std::string huge(1 << 20, 'x');
  HistoryEntry entry;
  entry.uri = uri;
  entry.method = huge;
  entry.program = huge;
  history.append(entry);
  auto contents = history.read();
  ASSERT_EQ(contents.entries.size(), 1u);
  EXPECT_EQ(contents.entries[0].uri, uri.substr(0, HistoryEntry::kMaxUri));
  EXPECT_EQ(contents.entries[0].method, huge.substr(0, HistoryEntry::kMaxMethod));
  EXPECT_EQ(contents.entries[0].program, huge.substr(0, HistoryEntry::kMaxProgram));
}

TEST_F(HistoryTest, ContentsCanBeMoved) {
  History history = make(kSmall);
  append(history, 1, 0, 3);
  auto contents = history.read();
  auto moved = std::move(contents);
  History other = std::move(history);
  append(other, 1, 3, 4);
  EXPECT_EQ(damaged_entries(moved), 0u);
  EXPECT_EQ(moved.entries.size(), 3u);
  EXPECT_EQ(other.read().entries.size(), 4u);
}

// ---- the ring ----

// After each append: the newest ones, as many as there is room for, and the number of the others.
TEST_F(HistoryTest, DropsTheOldestAndCountsThemExactly) {
  History history = make(kSmall);
  constexpr std::uint64_t kSlots = kSmall / kSlot;
  for (std::uint32_t count = 1; count <= 1000; ++count) {
    append(history, 1, count - 1, count);
    std::uint32_t first = count;
    for (std::uint64_t used = 0; first > 0; --first) {
      used += Sample(1, first - 1).slots();
      if (used > kSlots) break;
    }
    auto contents = history.read();
    ASSERT_EQ(damaged_entries(contents), 0u);
    ASSERT_EQ(contents.dropped, first);
    ASSERT_EQ(contents.entries.size(), count - first);
    for (std::size_t i = 0; i < contents.entries.size(); ++i) {
      ASSERT_EQ(contents.entries[i].interaction, first + i);
    }
  }
}

TEST_F(HistoryTest, CountsBeyondWhatTheHeadHolds) {
  History history = make(kSmall);
  append(history, 1, 0, 200000);  // raises the base
  auto contents = history.read();
  EXPECT_EQ(contents.entries.size() + contents.dropped, 200000u);
  std::uint64_t base = 0;
  const std::string bytes = read(file());
  std::memcpy(&base, bytes.data() + 80, sizeof base);
  EXPECT_LE(base, 200000u);
  EXPECT_GT(base, 200000u - (1u << 16));

  // As if 2^32 - 100 entries and 2^33 - 50 slots had been.
  const std::uint64_t numbers = (std::uint64_t{1} << 32) - 100;
  ASSERT_TRUE(create(kSmall).ok());
  poke(64, kSmall / kSlot);
  poke(80, numbers - 60000);
  poke(128, std::uint64_t{0xffffffff - 49} << 32 | (numbers & 0xffffffff));
  History later = reopen();
  EXPECT_EQ(later.read().dropped, numbers);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    append(later, 1, i, i + 1);
    contents = later.read();
    ASSERT_EQ(contents.entries.size() + contents.dropped, numbers + i + 1);
    ASSERT_FALSE(contents.entries.empty());
    ASSERT_EQ(contents.entries.back().interaction, i);
    ASSERT_EQ(damaged_entries(contents), 0u);
  }
}

TEST_F(HistoryTest, SizesOutOfRangeAreRefused) {
  EXPECT_FALSE(create(History::kLeastBytes - 1).ok());
  EXPECT_FALSE(create(History::kMostBytes + 1).ok());
  EXPECT_TRUE(create(History::kLeastBytes + 1000).ok());
  EXPECT_TRUE(create(History::kMostBytes).ok());
  append(*std::make_unique<History>(reopen()), 1, 0, 10);
}

TEST_F(HistoryTest, AppendAllocatesNothingAndKeepsErrno) {
  History history = make(1 << 20);
  std::vector<Sample> samples;
  for (std::uint32_t i = 0; i < 1000; ++i) samples.emplace_back(1, i);
  const std::size_t before = allocations();
  for (int round = 0; round < 20; ++round) {  // while it grows, and when it is full
    for (const Sample& sample : samples) {
      errno = 4711;
      history.append(sample.entry());
      ASSERT_EQ(errno, 4711);
    }
  }
  if (kCountsAllocations) {
    EXPECT_EQ(allocations(), before);
    std::string probe(1000, 'x');
    EXPECT_GT(allocations(), before);
  }
  EXPECT_GT(history.read().dropped, 0u);
}

// ---- threads ----

TEST_F(HistoryTest, EightThreadsLoseNothing) {
  History history = make(History::kDefaultBytes);
  constexpr std::uint32_t kEach = 20000;
  std::vector<std::thread> threads;
  for (int t = 1; t <= 8; ++t) threads.emplace_back([&, t] { append(history, t, 0, kEach); });
  for (auto& thread : threads) thread.join();
  auto contents = history.read();
  EXPECT_EQ(contents.dropped, 0u);
  EXPECT_EQ(damaged_entries(contents), 0u);
  auto counts = by_writer(contents);
  ASSERT_EQ(counts.size(), 8u);
  for (const auto& [writer, seen] : counts) {
    ASSERT_EQ(seen.size(), kEach);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  }
}

TEST_F(HistoryTest, AReaderSeesOnlyWholeEntriesWhileEightThreadsLapIt) {
  History history = make(64 << 10);
  constexpr std::uint32_t kEach = 20000;
  std::atomic<int> running = 8;
  std::vector<std::thread> threads;
  for (int t = 1; t <= 8; ++t) {
    threads.emplace_back([&, t] {
      append(history, t, 0, kEach);
      --running;
    });
  }
  std::size_t damaged = 0, disorder = 0, reads = 0;
  std::uint64_t seen_before = 0;
  bool last = false;
  do {
    last = running == 0;
    auto contents = history.read();
    ++reads;
    damaged += damaged_entries(contents);
    for (const auto& [writer, seen] : by_writer(contents)) {
      bool ascending =
          std::adjacent_find(seen.begin(), seen.end(), std::greater_equal<>()) == seen.end();
      disorder += ascending ? 0 : 1;
    }
    const std::uint64_t seen_now = contents.entries.size() + contents.dropped;
    if (contents.dropped > 0) {  // from then on all that was appended is one or the other
      disorder += seen_now >= seen_before ? 0 : 1;
      seen_before = seen_now;
    }
  } while (!last);
  for (auto& thread : threads) thread.join();
  EXPECT_GT(reads, 1u);
  EXPECT_EQ(damaged, 0u);
  EXPECT_EQ(disorder, 0u);
  EXPECT_EQ(seen_before, 8u * kEach);
}

// ---- processes ----

struct Tally {
  std::atomic<std::uint32_t> done[16];
};

Tally* shared_tally() {
  void* memory =
      mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return new (memory) Tally{};
}

// Killed at random moments: at most the entry is missing that was being written.
TEST_F(HistoryTest, KilledProcessesTakeOneEntryAtMostWithThem) {
  std::mt19937 random(11);
  constexpr int kVictims = 4, kSurvivor = 5;
  for (int round = 0; round < 20; ++round) {
    // In turn one that keeps all, and one that goes around.
    const bool small = round % 2 == 1;
    { History made = make(small ? 32 << 10 : History::kDefaultBytes); }
    Tally* tally = shared_tally();
    auto work = [&](int writer, std::uint32_t end) {
      auto history = History::open(file());
      if (!history) return 1;
      for (std::uint32_t i = 0; i < end; ++i) {
        append(*history, writer, i, i + 1);
        tally->done[writer] = i + 1;
      }
      return 0;
    };
    std::vector<pid_t> victims;
    for (int i = 1; i <= kVictims; ++i) {
      victims.push_back(spawn([&, i] {
        int status = work(i, 50000);
        pause();
        return status;
      }));
    }
    pid_t survivor = spawn([&] { return work(kSurvivor, 5000); });
    usleep(1000 + random() % 10000);
    for (pid_t victim : victims) kill(victim, SIGKILL);
    for (pid_t victim : victims) EXPECT_EQ(wait_for(victim), 128 + SIGKILL);
    EXPECT_EQ(wait_for(survivor), 0);
    auto contents = reopen().read();
    EXPECT_EQ(damaged_entries(contents), 0u);
    auto counts = by_writer(contents);
    std::uint64_t done = 0;
    for (int writer = 1; writer <= kSurvivor; ++writer) {
      const auto& seen = counts[writer];
      done += tally->done[writer];
      if (small) continue;
      ASSERT_GE(seen.size(), tally->done[writer]);
      ASSERT_LE(seen.size(), tally->done[writer] + 1u);
      for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], i);
    }
    EXPECT_EQ(tally->done[kSurvivor], 5000u);
    EXPECT_EQ(contents.dropped > 0, small);
    EXPECT_GE(contents.entries.size() + contents.dropped, done);
    EXPECT_LE(contents.entries.size() + contents.dropped, done + kVictims);
    munmap(tally, sizeof(Tally));
  }
}

// ---- memory ----

TEST_F(HistoryTest, TakesMemoryAsItFills) {
  History history = make(History::kDefaultBytes);
  EXPECT_LE(memory_taken(), 16u << 10);
  append(history, 1, 0, 10);
  EXPECT_LE(memory_taken(), 16u << 10);
  append(history, 1, 10, 1000);
  std::uint64_t used = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) used += Sample(1, i).slots() * kSlot;
  EXPECT_GE(memory_taken(), used);
  EXPECT_LE(memory_taken(), used + (200 << 10));
}

TEST_F(HistoryTest, WhatIsWrongBehindItsNameIsNotTouchedAndStopsItCheaply) {
  History history = make(1 << 20);
  append(history, 1, 0, 10);
  const std::string aside = directory_ + "/aside";
  ASSERT_EQ(rename(file().c_str(), aside.c_str()), 0);
  int other = ::open(file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(ftruncate(other, kHeader + (1 << 20)), 0);
  ::close(other);
  int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ASSERT_GE(inotify_add_watch(watch, file().c_str(), IN_OPEN | IN_CLOSE), 0);

  constexpr std::uint32_t kCount = 10000;
  append(history, 1, 10, kCount);
  alignas(inotify_event) char events[1 << 14];
  ssize_t bytes = ::read(watch, events, sizeof events);
  ::close(watch);
  ASSERT_GT(bytes, 0);
  // Most of the entries asked nobody. Two events each, which differ: equal ones would be merged.
  EXPECT_LT(static_cast<std::size_t>(bytes) / sizeof(inotify_event), 2 * kCount / 100);
  EXPECT_LE(memory_taken(), 4096u);
  auto contents = history.read();
  EXPECT_EQ(damaged_entries(contents), 0u);
  EXPECT_GE(contents.entries.size(), 10u);
  EXPECT_GT(contents.dropped, 9000u);
  EXPECT_EQ(contents.entries.size() + contents.dropped, kCount);

  // Back in its place: it goes on.
  const std::uint64_t dropped = contents.dropped;
  ASSERT_EQ(rename(aside.c_str(), file().c_str()), 0);
  append(history, 1, kCount, kCount + 1000);
  contents = history.read();
  EXPECT_EQ(damaged_entries(contents), 0u);
  EXPECT_LE(contents.dropped, dropped + 256);
  EXPECT_EQ(contents.entries.size() + contents.dropped, kCount + 1000);
  EXPECT_EQ(contents.entries.back().interaction, kCount + 999);
}

TEST_F(HistoryTest, GrowsWhereADescriptorMustBeHad) {
  History history = make(1 << 20);
  EXPECT_EQ(in_child([&] {
              rlimit old{};
              getrlimit(RLIMIT_NOFILE, &old);
              rlimit none{0, old.rlim_max};
              setrlimit(RLIMIT_NOFILE, &none);
              errno = 4711;
              append(history, 1, 0, 100);
              if (errno != 4711) return 1;
              auto contents = history.read();
              if (contents.dropped == 0 || contents.entries.size() + contents.dropped != 100)
                return 2;
              setrlimit(RLIMIT_NOFILE, &old);
              append(history, 1, 100, 400);
              contents = history.read();
              if (contents.entries.size() + contents.dropped != 400) return 3;
              return contents.entries.back().interaction == 399 ? 0 : 4;
            }),
            0);
}

// SIGXFSZ would end the program.
TEST_F(HistoryTest, RespectsTheLimitOfFileSizes) {
  EXPECT_EQ(in_child([&] {
              signal(SIGXFSZ, SIG_DFL);
              rlimit limit{1 << 20, 1 << 20};
              setrlimit(RLIMIT_FSIZE, &limit);
              if (!create(History::kDefaultBytes).ok()) return 1;
              const auto size = std::filesystem::file_size(file());
              if (size > 1 << 20 || size < 1 << 19) return 2;
              append(*std::make_unique<History>(reopen()), 1, 0, 20000);
              auto contents = reopen().read();
              if (contents.entries.size() + contents.dropped != 20000) return 3;
              limit = {5000, 5000};
              setrlimit(RLIMIT_FSIZE, &limit);
              return create(kSmall).ok() ? 4 : 0;
            }),
            0);
  // One that was made elsewhere, and is larger than this process may make files.
  History history = make(1 << 20);
  EXPECT_EQ(in_child([&] {
              signal(SIGXFSZ, SIG_DFL);
              rlimit limit{4096, 4096};
              setrlimit(RLIMIT_FSIZE, &limit);
              append(history, 1, 0, 1000);
              return history.read().entries.size() == 1000 ? 0 : 1;
            }),
            0);
}

/// A file system with little room, seen by this process alone. False where this is not permitted.
bool mount_small(const std::string& directory, const char* size) {
  const uid_t user = getuid();
  if (unshare(CLONE_NEWNS) != 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
  }
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("tmpfs", directory.c_str(), "tmpfs", 0, size) == 0;
}

TEST_F(HistoryTest, AFullFileSystemIsNoSigbus) {
  constexpr int kNotPermitted = 77;
  const int status = in_child([&] {
    if (!mount_small(directory_, "size=256k")) return kNotPermitted;
    if (!create(1 << 20).ok()) return 1;
    auto opened = History::open(file());
    if (!opened.ok()) return 2;
    const std::string rest = directory_ + "/rest";
    {
      std::ofstream out(rest);
      out << std::string(100 << 10, 'x');
    }
    errno = 4711;
    append(*opened, 1, 0, 10000);
    if (errno != 4711) return 3;
    auto contents = opened->read();
    if (damaged_entries(contents) != 0 || contents.entries.size() < 100) return 4;
    if (contents.entries.size() + contents.dropped != 10000) return 5;
    if (contents.dropped == 0 || contents.entries.front().interaction != 0) return 6;
    // What is said to be there, and is not, is asked for when it is opened.
    std::uint64_t all = (1 << 20) / kSlot;
    poke(64, all);
    if (History::open(file()).ok()) return 7;
    poke(64, 120);
    poke(128, 0);
    // With room again, more is kept.
    unlink(rest.c_str());
    auto again = History::open(file());
    if (!again.ok()) return 8;
    const std::size_t before = contents.entries.size();
    append(*again, 1, 0, 10000);
    contents = again->read();
    return contents.entries.size() > before ? 0 : 9;
  });
  if (status == kNotPermitted) GTEST_SKIP() << "file systems cannot be mounted here";
  EXPECT_EQ(status, 0);
}

// ---- damage ----

TEST_F(HistoryTest, WhatIsNoHistoryIsAnError) {
  EXPECT_FALSE(History::open(file()).ok());
  EXPECT_FALSE(History::open(directory_).ok());
  EXPECT_FALSE(History::open("/dev/zero").ok());
  ASSERT_EQ(mkfifo(file().c_str(), 0600), 0);
  EXPECT_FALSE(History::open(file()).ok());
  unlink(file().c_str());
  write(file(), "");
  EXPECT_FALSE(History::open(file()).ok());
  write(file(), std::string(kHeader + kSmall, '\0'));
  EXPECT_FALSE(History::open(file()).ok());
  ASSERT_EQ(symlink(file().c_str(), (directory_ + "/link").c_str()), 0);
  { History made = make(kSmall); }
  EXPECT_FALSE(History::open(directory_ + "/link").ok());

  const std::string good = read(file());
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{kHeader}, good.size() - 1}) {
    write(file(), good.substr(0, size));
    EXPECT_FALSE(History::open(file()).ok()) << size;
  }
  write(file(), good + std::string(kSmall, '\0'));
  EXPECT_FALSE(History::open(file()).ok());
  // The magic, the version, and the number of slots.
  for (std::size_t i = 0; i < 16; ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    write(file(), bad);
    auto opened = History::open(file());
    ASSERT_FALSE(opened.ok()) << i;
    EXPECT_NE(opened.error().message.find(file()), std::string::npos);
  }
  write(file(), good);
  EXPECT_TRUE(History::open(file()).ok());
}

TEST_F(HistoryTest, ADamagedHeaderIsAnErrorOrHarmless) {
  {
    History history = make(kSmall);
    append(history, 1, 0, 20);
  }
  const std::string good = read(file());
  const std::uint64_t values[] = {0,
                                  1,
                                  119,
                                  121,
                                  255,
                                  256,
                                  257,
                                  0x7fffffff,
                                  0x80000000,
                                  0xffffffff,
                                  std::uint64_t{1} << 32,
                                  std::uint64_t{256} << 32 | 256,
                                  std::uint64_t{257} << 32 | 1,
                                  std::uint64_t{0xffffffff} << 32,
                                  std::uint64_t{1} << 63,
                                  ~std::uint64_t{0}};
  int opened = 0;
  for (std::uint64_t offset : {64, 72, 80, 128, 192}) {
    for (std::uint64_t value : values) {
      write(file(), good);
      poke(offset, value);
      // Ends, without a signal, with whole entries or none.
      int status = in_child([&] {
        alarm(20);
        auto history = History::open(file());
        if (!history.ok()) return 1;
        if (damaged_entries(history->read()) != 0) return 2;
        append(*history, 2, 0, 500);
        return damaged_entries(history->read()) != 0 ? 3 : 0;
      });
      EXPECT_LE(status, 1) << offset << " " << value;
      opened += status == 0 ? 1 : 0;
    }
  }
  EXPECT_GT(opened, 20);
}

TEST_F(HistoryTest, MoreReadyThanThereIsIsRefusedOrMadeTrue) {
  { History made = make(1 << 20); }
  const std::uint64_t all = (1 << 20) / kSlot;
  poke(64, all + 1);
  EXPECT_FALSE(History::open(file()).ok());
  poke(64, 0);
  EXPECT_FALSE(History::open(file()).ok());
  poke(64, all);
  EXPECT_TRUE(History::open(file()).ok());
  EXPECT_GE(memory_taken(), 1u << 20);
  // Given out what is not ready.
  poke(64, 120);
  poke(128, std::uint64_t{121} << 32 | 1);
  EXPECT_FALSE(History::open(file()).ok());
  poke(128, std::uint64_t{10} << 32 | 11);
  EXPECT_FALSE(History::open(file()).ok());
}

TEST_F(HistoryTest, DamagedEntriesAreLeftOutAndTheOthersAreThere) {
  std::mt19937 random(3);
  for (bool full : {false, true}) {
    {
      History history = make(kSmall);
      append(history, 1, 0, full ? 1000 : 30);
    }
    const std::string good = read(file());
    auto all = reopen().read();
    const std::uint64_t used = full ? kSmall : 30 * 64;
    for (int round = 0; round < 300; ++round) {
      std::string bad = good;
      const int changes = 1 + round % 3;
      for (int i = 0; i < changes; ++i) {
        bad[kHeader + random() % used] ^= static_cast<char>(1 + random() % 255);
      }
      write(file(), bad);
      auto contents = reopen().read();
      ASSERT_EQ(damaged_entries(contents), 0u);
      ASSERT_LE(contents.entries.size(), all.entries.size());
      ASSERT_GE(contents.entries.size() + static_cast<std::size_t>(changes), all.entries.size());
      if (full) {
        ASSERT_EQ(contents.entries.size() + contents.dropped, 1000u);
      }
    }
    // Nothing but garbage.
    std::string garbage = good;
    for (std::size_t i = kHeader; i < garbage.size(); ++i) {
      garbage[i] = static_cast<char>(random());
    }
    write(file(), garbage);
    EXPECT_TRUE(reopen().read().entries.empty());
  }
}

// A writer that was stopped until it was lapped writes over newer entries.
TEST_F(HistoryTest, AnOldEntryInTheWrongPlaceIsNoEntry) {
  {
    History history = make(kSmall);
    append(history, 1, 0, 3);
  }
  const std::string early = read(file());
  append(*std::make_unique<History>(reopen()), 1, 3, 1000);
  std::string bytes = read(file());
  const std::size_t old_bytes = (Sample(1, 0).slots() + Sample(1, 1).slots()) * kSlot;
  std::copy_n(early.begin() + kHeader, old_bytes, bytes.begin() + kHeader);
  write(file(), bytes);
  auto contents = reopen().read();
  EXPECT_EQ(damaged_entries(contents), 0u);
  for (const HistoryEntry& entry : contents.entries) EXPECT_GE(entry.interaction, 3u);
  EXPECT_GT(contents.entries.size(), 10u);
  EXPECT_EQ(contents.entries.size() + contents.dropped, 1000u);
}

}  // namespace
}  // namespace cassette
