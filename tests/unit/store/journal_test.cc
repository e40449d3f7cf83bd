// The journal: what was appended is read back whole, and what is torn or damaged takes nothing with
// it.
#include "store/journal/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <thread>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/journal/merge.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

class JournalTest : public StoreTest {
 protected:
  static JournalRecord record(const std::string& body, std::uint64_t sequence = 0) {
    JournalRecord result;
    result.session = "1-2@3";
    result.mode = RecordMode::kNewEpisodes;
    result.began = 1700000000000000000u + sequence;
    result.pid = getpid();
    result.sequence = sequence;
    result.interaction = interaction("http://a/1", body, 1700000000000000);
    return result;
  }
  static std::uint64_t xxh64(const std::string& bytes) {
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    XXH64_update(&state, bytes.data(), bytes.size());
    return XXH64_digest(&state);
  }
  static std::string bodies_of(const JournalContents& contents) {
    std::string result;
    for (const auto& each : contents.records) result += each.interaction.response.body + " ";
    return result;
  }
  JournalContents contents() { return read_journal(read(journal()), journal()); }
};

TEST_F(JournalTest, ReadsBackWhatWasAppended) {
  Journal writer(cassette());
  std::string binary;
  for (int i = 0; i < 256; ++i) binary.push_back(static_cast<char>(i));
  ASSERT_TRUE(writer.append(record("one", 1)).ok());
  ASSERT_TRUE(writer.append(record(binary, 2)).ok());
  JournalContents read_back = contents();
  ASSERT_EQ(read_back.records.size(), 2u);
  const JournalRecord& first = read_back.records[0];
  EXPECT_EQ(first.session, "1-2@3");
  EXPECT_EQ(first.mode, RecordMode::kNewEpisodes);
  EXPECT_EQ(first.began, 1700000000000000001u);
  EXPECT_EQ(first.pid, getpid());
  EXPECT_EQ(first.sequence, 1u);
  EXPECT_EQ(first.interaction.uri, "http://a/1");
  EXPECT_EQ(first.interaction.recorded_at, 1700000000000000);
  EXPECT_EQ(read_back.records[1].interaction.response.body, binary);
  EXPECT_EQ(read_back.damaged_bytes, 0u);
  EXPECT_EQ(read_back.whole_end, read(journal()).size());
}

TEST_F(JournalTest, CutAtEveryByteItKeepsEveryWholeRecord) {
  std::string one = encode_record(record("one", 1)), two = encode_record(record("two", 2));
  std::string all = one + two;
  for (std::size_t size = 0; size < all.size(); ++size) {
    JournalContents cut = read_journal(std::string_view(all).substr(0, size), "j");
    std::size_t whole = size < one.size() ? 0 : 1;
    ASSERT_EQ(cut.records.size(), whole) << size;
    ASSERT_EQ(cut.whole_end, whole * one.size()) << size;
    ASSERT_EQ(cut.damaged_bytes, size - whole * one.size()) << size;
  }
}

TEST_F(JournalTest, TheNextToAppendCutsATornTailOff) {
  std::string one = encode_record(record("one", 1)), two = encode_record(record("two", 2));
  for (std::size_t torn : {std::size_t{1}, std::size_t{8}, std::size_t{30}, two.size() - 1}) {
    write(journal(), one + two.substr(0, torn));
    Journal writer(cassette());
    ASSERT_TRUE(writer.append(record("three", 3)).ok());
    EXPECT_EQ(bodies_of(contents()), "one three ");
    EXPECT_EQ(contents().damaged_bytes, 0u) << torn;
  }
  EXPECT_NE(read(log_file()).find("never finished"), std::string::npos);
}

// As one who was stopped in the middle of append() holds it.
TEST_F(JournalTest, AStoppedWriterHoldsNobodyUp) {
  std::string one = encode_record(record("one", 1));
  for (std::size_t torn : {std::size_t{0}, std::size_t{30}}) {
    write(journal(), one + one.substr(0, torn));
    int stopped = ::open(journal().c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(flock(stopped, LOCK_SH), 0);
    EXPECT_EQ(in_child([&] {
                alarm(10);
                return Journal(cassette()).append(record("two", 2)).ok() ? 0 : 1;
              }),
              0);
    close(stopped);
    EXPECT_EQ(bodies_of(contents()), "one two ");
    EXPECT_EQ(contents().damaged_bytes, torn);
  }
}

TEST_F(JournalTest, DamageInTheMiddleTakesOneRecord) {
  std::string one = encode_record(record("one", 1)), two = encode_record(record("two", 2)),
              three = encode_record(record("three", 3));
  for (std::size_t at = 0; at < two.size(); ++at) {
    std::string damaged = two;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    JournalContents contents = read_journal(one + damaged + three, "j");
    ASSERT_EQ(bodies_of(contents), "one three ") << at;
    ASSERT_EQ(contents.damaged_bytes, two.size()) << at;
  }
}

// XXH64 of a record whose version is another: made by the frame's rules, not by the writer's code.
TEST_F(JournalTest, WhatIsKnownOfARecordAfterwardsIsSaidOfThatOneAlone) {
  Journal writer(cassette());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(writer.append(record(std::to_string(i), i)).ok());
  ASSERT_TRUE(writer.append_close(record("", 1)).ok());
  ASSERT_TRUE(writer.append_close(record("", 7)).ok());  // of one that is not there
  JournalContents read_back = contents();
  ASSERT_EQ(read_back.records.size(), 3u);
  EXPECT_TRUE(read_back.unknown.empty());
  EXPECT_EQ(read_back.damaged_bytes, 0u);
  EXPECT_EQ(read_back.whole_end, read(journal()).size());
  EXPECT_EQ(read_back.closing_bytes,
            encode_close(record("", 1)).size() + encode_close(record("", 7)).size());
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(read_back.records[i].interaction.closes, i == 1) << i;
    EXPECT_EQ(read_back.records[i].close_size != 0, i == 1) << i;
  }
}

TEST_F(JournalTest, WhatIsKnownOfARecordAfterwardsIsMergedWithIt) {
  Journal writer(cassette());
  ASSERT_TRUE(writer.append(record("one", 1)).ok());
  ASSERT_TRUE(writer.append_close(record("", 1)).ok());
  auto unmerged = load_with_journal(cassette());
  ASSERT_TRUE(unmerged.ok());
  EXPECT_TRUE(unmerged->interactions.at(0).closes);
  ASSERT_TRUE(merge_journal(cassette(), settings_.runtime_dir, std::nullopt).ok());
  EXPECT_FALSE(std::filesystem::exists(journal()));
  auto merged = load_cassette(cassette());
  ASSERT_TRUE(merged.ok());
  EXPECT_TRUE(merged->interactions.at(0).closes);
}

TEST_F(JournalTest, RecordsOfALaterVersionAreKeptAsTheyAre) {
  std::string one = encode_record(record("one", 1)), later = encode_record(record("later", 2));
  later[7] = '2';
  const std::string payload = later.substr(24, later.size() - 32);
  const std::uint64_t sum = xxh64(later.substr(0, 16) + payload);
  std::memcpy(later.data() + 16, &sum, sizeof sum);
  JournalContents contents = read_journal(one + later + one, "j");
  EXPECT_EQ(bodies_of(contents), "one one ");
  EXPECT_EQ(contents.damaged_bytes, 0u);
  ASSERT_EQ(contents.unknown.size(), 1u);
  EXPECT_EQ(contents.unknown[0].first, one.size());
  EXPECT_EQ(contents.unknown[0].second, later.size());
  // Nobody takes it for a torn end, or merges it away.
  write(journal(), later);
  ASSERT_TRUE(Journal(cassette()).append(record("three", 3)).ok());
  ASSERT_TRUE(merge_journal(cassette(), settings_.runtime_dir, std::nullopt).ok());
  EXPECT_EQ(read(journal()), later);
  EXPECT_EQ(saved_bodies(), "three");
}

TEST_F(JournalTest, AnyBytesAreReadWithoutHarm) {
  std::string all = encode_record(record("one", 1)) + encode_record(record("two", 2));
  std::mt19937 random(3);
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = all;
    for (int i = 0; i < 5; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    JournalContents contents = read_journal(damaged, "j");
    EXPECT_LE(contents.damaged_bytes, damaged.size());
  }
}

TEST_F(JournalTest, ManyThreadsAndProcessesAppendWhole) {
  std::vector<pid_t> children;
  children.reserve(4);
  for (int child = 0; child < 4; ++child) {
    children.push_back(spawn([this] {
      Journal writer(cassette());
      std::vector<std::thread> threads;
      threads.reserve(4);
      std::atomic<int> failed{0};
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
          for (int i = 0; i < 25; ++i) {
            if (!writer.append(record(std::string(3000, 'x'))).ok()) ++failed;
          }
        });
      }
      for (auto& thread : threads) thread.join();
      return failed.load();
    }));
  }
  for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(contents().records.size(), 400u);
  EXPECT_EQ(contents().damaged_bytes, 0u);
}

// Found by killing: who came second, while the first was making the directory, recorded nothing.
TEST_F(JournalTest, ManyMakeTheMissingDirectoryAtOnce) {
  for (int round = 0; round < 100; ++round) {
    const std::string path = directory_ + "/new" + std::to_string(round) + "/deep/c.yaml";
    std::atomic<int> ready{0}, failed{0};
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        Journal writer(path);
        for (++ready; ready < 4;) {
        }
        if (!writer.append(record("x")).ok()) ++failed;
      });
    }
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(failed, 0) << round;
  }
}

// A merger removes or replaces the file while others append: nothing goes into a file that nobody
// will read.
TEST_F(JournalTest, AppendsWhileTheJournalIsTakenAwayAreNotLost) {
  std::atomic<bool> done{false};
  std::size_t taken = 0;
  std::thread appender([&] {
    Journal writer(cassette());
    for (int i = 0; i < 300; ++i) {
      if (!writer.append(record("x")).ok()) break;
    }
    done = true;
  });
  while (!done) {
    auto opened = LockedJournal::open(cassette());
    ASSERT_TRUE(opened.ok());
    if (!*opened) continue;
    taken += read_journal((*opened)->bytes(), "j").records.size();
    ASSERT_TRUE((*opened)->keep_only({}).ok());
  }
  appender.join();
  EXPECT_EQ(taken + contents().records.size(), 300u);
}

TEST_F(JournalTest, AWriterKilledAnywhereLeavesWholeRecords) {
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    pid_t child = spawn([this] {
      Journal writer(cassette());
      for (;;) (void)writer.append(record(std::string(200000, 'x'))).ok();
      return 0;
    });
    usleep(static_cast<useconds_t>(random() % 20000));
    kill(child, SIGKILL);
    wait_for(child);
  }
  Journal writer(cassette());
  ASSERT_TRUE(writer.append(record("last")).ok());
  JournalContents all = contents();
  EXPECT_EQ(all.damaged_bytes, 0u);
  EXPECT_EQ(all.records.back().interaction.response.body, "last");
}

TEST_F(JournalTest, AFileSizeLimitIsAnErrorAndKeepsWhatWasThere) {
  Journal writer(cassette());
  ASSERT_TRUE(writer.append(record("one")).ok());
  std::string before = read(journal());
  int status = in_child([&] {
    rlimit limit{before.size() + 100, before.size() + 100};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto appended = writer.append(record(std::string(1000, 'x')));
    return appended.ok() ? 1 : 0;
  });
  EXPECT_EQ(status, 0);  // and not killed by SIGXFSZ
  EXPECT_EQ(read(journal()), before);
}

TEST_F(JournalTest, ADirectoryOrALinkInItsPlaceIsAnError) {
  std::filesystem::create_directory(journal());
  Journal writer(cassette());
  EXPECT_FALSE(writer.append(record("one")).ok());
  std::filesystem::remove(journal());
  write(directory_ + "/other", "");
  std::filesystem::create_symlink(directory_ + "/other", journal());
  EXPECT_FALSE(writer.append(record("one")).ok());
  EXPECT_EQ(read(directory_ + "/other"), "");
}

TEST_F(JournalTest, APathWithASlashAtItsEndHasItsJournalBesideIt) {
  EXPECT_EQ(journal_path("/a/b/"), "/a/b.journal");
  EXPECT_EQ(journal_path("/a/b.yaml"), "/a/b.yaml.journal");
}

}  // namespace
}  // namespace cassette
