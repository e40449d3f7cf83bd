// Get-and-advance under threads and processes: each recorded answer exactly once, in order.
#include "store/session/cursors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

class CursorsTest : public StoreTest {
 protected:
  Image make(const std::vector<Interaction>& interactions) {
    auto bytes = compile_image(Cassette{interactions}, matcher_, {"/c.yaml", "", true});
    EXPECT_TRUE(bytes.ok());
    auto image = Image::from_bytes(std::move(*bytes));
    EXPECT_TRUE(image.ok());
    return std::move(*image);
  }
  Image equal_ones(std::size_t count) {
    return make(std::vector<Interaction>(count, interaction("http://a/1", "x")));
  }
  Image::Group group(const Image& image, const std::string& uri) {
    RequestView request;
    request.method = "GET";
    request.uri = *parse_uri(uri);
    return image.find(matcher_.key(request));
  }
  static bool any(std::uint32_t) { return true; }

  Matcher matcher_{MatchOn{}, Redactor({}, {}, {})};
};

using Kind = Turn::Kind;

TEST_F(CursorsTest, MatchedGivesEachOnceInOrder) {
  Image image = make({interaction("http://a/1", "1"), interaction("http://a/2", "2"),
                      interaction("http://a/1", "3")});
  Cursors cursors = std::move(*Cursors::in_memory(image));
  Image::Group one = group(image, "http://a/1");
  EXPECT_EQ(cursors.take_matched(image, one, false, any).interaction, 0u);
  EXPECT_EQ(cursors.take_matched(image, one, false, any).interaction, 2u);
  EXPECT_EQ(cursors.take_matched(image, one, false, any).kind, Kind::kUsedUp);
  EXPECT_EQ(cursors.take_matched(image, one, true, any).interaction, 2u);
  EXPECT_EQ(cursors.take_matched(image, {}, true, any).kind, Kind::kNone);
  EXPECT_EQ(cursors.replayed(), 3u);
  EXPECT_EQ(cursors.unplayed(), 1u);
}

TEST_F(CursorsTest, ARefusedMemberDoesNotHideTheOthers) {
  Image image = equal_ones(4);
  Cursors cursors = std::move(*Cursors::in_memory(image));
  Image::Group all = group(image, "http://a/1");
  auto odd = [](std::uint32_t i) { return i % 2 == 1; };
  EXPECT_EQ(cursors.take_matched(image, all, false, odd).interaction, 1u);
  EXPECT_EQ(cursors.take_matched(image, all, false, odd).interaction, 3u);
  EXPECT_EQ(cursors.take_matched(image, all, false, odd).kind, Kind::kUsedUp);
  EXPECT_EQ(cursors.take_matched(image, all, false, any).interaction, 0u);
  EXPECT_EQ(cursors.take_matched(image, all, false, any).interaction, 2u);
  EXPECT_EQ(cursors.take_matched(image, all, false, [](std::uint32_t) { return false; }).kind,
            Kind::kNone);
}

TEST_F(CursorsTest, SequentialMovesOnlyAfterAMatch) {
  Image image = make({interaction("http://a/1", "1"), interaction("http://a/2", "2")});
  Cursors cursors = std::move(*Cursors::in_memory(image));
  Image::Group one = group(image, "http://a/1"), two = group(image, "http://a/2");
  Turn wrong = cursors.take_in_sequence(image, two, false, any);
  EXPECT_EQ(wrong.kind, Kind::kOutOfSequence);
  EXPECT_EQ(wrong.interaction, 0u);
  EXPECT_EQ(cursors.take_in_sequence(image, {}, false, any).kind, Kind::kNone);
  EXPECT_EQ(cursors.index(image), 0u);
  EXPECT_EQ(cursors.take_in_sequence(image, one, false, any).kind, Kind::kPlay);
  EXPECT_EQ(cursors.take_in_sequence(image, one, false, any).kind, Kind::kUsedUp);
  EXPECT_EQ(cursors.take_in_sequence(image, two, false, any).kind, Kind::kPlay);
  EXPECT_EQ(cursors.take_in_sequence(image, two, false, any).kind, Kind::kUsedUp);
  EXPECT_EQ(cursors.take_in_sequence(image, two, true, any).interaction, 1u);
}

TEST_F(CursorsTest, FirstUsesNothingUp) {
  Image image = equal_ones(3);
  Cursors cursors = std::move(*Cursors::in_memory(image));
  Image::Group all = group(image, "http://a/1");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(cursors.take_first(image, all, any).interaction, 0u);
  EXPECT_EQ(cursors.replayed(), 5u);
  EXPECT_EQ(cursors.unplayed(), 2u);
}

TEST_F(CursorsTest, FilesOfAnotherImageAreRefused) {
  Image image = equal_ones(3), other = equal_ones(300);
  const std::string path = directory_ + "/cursors", hints = directory_ + "/hints";
  int file = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_TRUE(Cursors::create(file, image).ok());
  ::close(file);
  file = ::open(hints.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_TRUE(Cursors::create_hints(file, image).ok());
  ::close(file);
  auto opened = Cursors::open(path, hints, image);
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(opened->belongs_to(image));
  Image same_size = make({interaction("http://a/1", "x"), interaction("http://a/2", "x"),
                          interaction("http://a/3", "x")});
  EXPECT_FALSE(Cursors::open(path, hints, other).ok());
  EXPECT_FALSE(Cursors::open(hints, path, image).ok());
  for (const std::string& damaged : {path, hints}) {
    std::string bytes = read(damaged);
    std::string before = bytes;
    bytes[0] = 'X';
    write(damaged, bytes);
    EXPECT_FALSE(Cursors::open(path, hints, image).ok());
    write(damaged, before.substr(0, before.size() - 8));
    EXPECT_FALSE(Cursors::open(path, hints, image).ok());
    write(damaged, before);
  }
}

// ---- times and priority ----

TEST_F(CursorsTest, AnInteractionIsUsedUpAfterItsTimes) {
  std::vector<Interaction> two = {interaction("http://a/1", "1"), interaction("http://a/1", "2")};
  two[0].times = 3;
  Image image = make(two);
  Image::Group all = group(image, "http://a/1");
  for (bool sequential : {false, true}) {
    Cursors cursors = std::move(*Cursors::in_memory(image));
    std::string taken;
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(cursors.index(image), i < 3 ? 0u : i < 4 ? 1u : 2u);
      Turn turn = sequential ? cursors.take_in_sequence(image, all, false, any)
                             : cursors.take_matched(image, all, false, any);
      taken += turn.kind == Kind::kPlay ? std::to_string(turn.interaction) : "-";
    }
    EXPECT_EQ(taken, "0001-");
    EXPECT_EQ(cursors.replayed(), 4u);
  }
}

TEST_F(CursorsTest, TimesZeroIsNeverUsedUpAndHasNoPlaceInASequence) {
  std::vector<Interaction> three = {interaction("http://a/1", "1"),
                                    interaction("http://a/poll", "p"),
                                    interaction("http://a/2", "2")};
  three[1].times = 0;
  Image image = make(three);
  Image::Group one = group(image, "http://a/1"), poll = group(image, "http://a/poll"),
               two = group(image, "http://a/2");
  Cursors cursors = std::move(*Cursors::in_memory(image));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cursors.take_in_sequence(image, poll, false, any).interaction, 1u);
    EXPECT_EQ(cursors.index(image), 0u);
  }
  EXPECT_EQ(cursors.take_in_sequence(image, one, false, any).interaction, 0u);
  EXPECT_EQ(cursors.index(image), 2u);
  EXPECT_EQ(cursors.take_in_sequence(image, two, false, any).interaction, 2u);
  EXPECT_EQ(cursors.take_in_sequence(image, poll, false, any).kind, Kind::kPlay);
  EXPECT_EQ(cursors.index(image), 3u);
  Cursors matched = std::move(*Cursors::in_memory(image));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(matched.take_matched(image, poll, false, any).kind, Kind::kPlay);
  }
}

TEST_F(CursorsTest, AHigherPriorityIsPlayedFirst) {
  std::vector<Interaction> four(4, interaction("http://a/1", "x"));
  four[1].priority = 5;
  four[3].priority = 5;
  four[2].priority = -1;
  Image image = make(four);
  Cursors cursors = std::move(*Cursors::in_memory(image));
  std::string taken;
  for (int i = 0; i < 4; ++i) {
    Turn turn = cursors.take_matched(image, group(image, "http://a/1"), false, any);
    taken += std::to_string(turn.interaction);
  }
  EXPECT_EQ(taken, "1302");
}

// ---- positions ----

TEST_F(CursorsTest, ARewindBeginsAnewInEveryOrder) {
  Image image = equal_ones(3);
  Image::Group all = group(image, "http://a/1");
  Cursors cursors = std::move(*Cursors::in_memory(image));
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < 3; ++i) {
      EXPECT_EQ(cursors.index(image), i);
      EXPECT_EQ(cursors.take_matched(image, all, false, any).interaction, i);
    }
    EXPECT_EQ(cursors.take_matched(image, all, false, any).kind, Kind::kUsedUp);
    EXPECT_EQ(cursors.index(image), 3u);
    cursors.rewind();
    EXPECT_EQ(cursors.index(image), 0u);
    EXPECT_FALSE(cursors.used_up(image, 0));
    EXPECT_TRUE(cursors.played(0));
    EXPECT_EQ(cursors.take_in_sequence(image, all, false, any).interaction, 0u);
    cursors.rewind();
  }
  EXPECT_EQ(cursors.replayed(), 12u);
  EXPECT_EQ(cursors.unplayed(), 0u);
}

TEST_F(CursorsTest, AdvanceSkipsTheOneWhoseTurnItIs) {
  Image image = equal_ones(4);
  Image::Group all = group(image, "http://a/1");
  Cursors cursors = std::move(*Cursors::in_memory(image));
  EXPECT_EQ(cursors.advance(image, false), 0u);
  EXPECT_EQ(cursors.take_matched(image, all, false, any).interaction, 1u);
  EXPECT_EQ(cursors.advance(image, true), 2u);
  EXPECT_EQ(cursors.take_in_sequence(image, all, false, any).interaction, 3u);
  EXPECT_EQ(cursors.advance(image, false), 4u);
  EXPECT_FALSE(cursors.played(0));  // skipped, which is not played
  EXPECT_TRUE(cursors.played(2));
  EXPECT_EQ(cursors.replayed(), 2u);
  EXPECT_EQ(cursors.unplayed(), 1u);
}

TEST_F(CursorsTest, WhoeverHasItMappedSeesThatTheSessionEnded) {
  Image image = equal_ones(1);
  Cursors cursors = std::move(*Cursors::in_memory(image));
  EXPECT_FALSE(cursors.ended());
  EXPECT_EQ(in_child([&] {
              cursors.end();
              return 0;
            }),
            0);
  EXPECT_TRUE(cursors.ended());
}

// ---- threads and processes ----

struct Tally {
  std::atomic<std::uint32_t> given[100000];
  std::atomic<std::uint32_t> disorder;
};

/// One thread's work: takes until there is nothing left, and checks that it goes upwards.
template <typename Take>
void drain(Tally& tally, Take take) {
  std::int64_t last = -1;
  for (;;) {
    Turn turn = take();
    if (turn.kind != Kind::kPlay) return;
    if (static_cast<std::int64_t>(turn.interaction) <= last) tally.disorder.fetch_add(1);
    last = turn.interaction;
    tally.given[turn.interaction].fetch_add(1);
  }
}

Tally* shared_tally() {
  void* memory =
      mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return new (memory) Tally{};
}

TEST_F(CursorsTest, EightProcessesTimesEightThreadsGetEachExactlyOnceAscending) {
  constexpr std::uint32_t kCount = 100000;
  Image image = equal_ones(kCount);
  Image::Group all = group(image, "http://a/1");
  enum class How { kMatched, kSequential, kAdvance };
  for (How how : {How::kMatched, How::kSequential, How::kAdvance}) {
    Cursors cursors = std::move(*Cursors::in_memory(image));
    Tally* tally = shared_tally();
    auto take = [&]() -> Turn {
      if (how == How::kMatched) return cursors.take_matched(image, all, false, any);
      if (how == How::kSequential) return cursors.take_in_sequence(image, all, false, any);
      std::uint32_t index = cursors.advance(image, true);
      return {index < kCount ? Kind::kPlay : Kind::kUsedUp, index};
    };
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      children.push_back(spawn([&] {
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; ++t) threads.emplace_back([&] { drain(*tally, take); });
        for (auto& thread : threads) thread.join();
        return 0;
      }));
    }
    for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
    std::uint32_t wrong = 0;
    for (std::uint32_t i = 0; i < kCount; ++i) wrong += tally->given[i].load() == 1 ? 0 : 1;
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(tally->disorder.load(), 0u);
    EXPECT_EQ(cursors.unplayed(), 0u);
    munmap(tally, sizeof(Tally));
  }
}

// A thread that is overtaken by a rewind must not take a word back to an earlier round: then one
// interaction would be given twice within a round, or none.
TEST_F(CursorsTest, RewindsInTheMiddleGiveNothingTwiceWithinARound) {
  constexpr std::uint32_t kCount = 64;
  constexpr int kRounds = 2000;
  Image image = equal_ones(kCount);
  Image::Group all = group(image, "http://a/1");
  for (bool sequential : {false, true}) {
    Cursors cursors = std::move(*Cursors::in_memory(image));
    std::atomic<std::uint64_t> taken{0};
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        while (!stop.load()) {
          Turn turn = sequential ? cursors.take_in_sequence(image, all, false, any)
                                 : cursors.take_matched(image, all, false, any);
          if (turn.kind == Kind::kPlay) taken.fetch_add(1);
        }
      });
    }
    for (int round = 0; round < kRounds; ++round) {
      cursors.rewind();
      if (round % 16 == 0) usleep(50);
    }
    while (cursors.index(image) < kCount) usleep(100);
    stop.store(true);
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(cursors.replayed(), taken.load());
    EXPECT_LE(taken.load(), std::uint64_t{kCount} * (kRounds + 1));
    // The last round is complete, and nothing of it is left.
    EXPECT_EQ(cursors.take_matched(image, all, false, any).kind, Kind::kUsedUp);
    for (std::uint32_t i = 0; i < kCount; ++i) EXPECT_TRUE(cursors.used_up(image, i));
  }
}

// Killed at random moments: the others get all the rest; only what the killed one had just taken is
// gone.
TEST_F(CursorsTest, KilledProcessesTakeNothingWithThem) {
  constexpr std::uint32_t kCount = 20000;
  Image image = equal_ones(kCount);
  Image::Group all = group(image, "http://a/1");
  std::mt19937 random(7);
  for (int round = 0; round < 10; ++round) {
    Cursors cursors = std::move(*Cursors::in_memory(image));
    Tally* tally = shared_tally();
    auto work = [&] {
      drain(*tally, [&] { return cursors.take_matched(image, all, false, any); });
      return 0;
    };
    constexpr int kVictims = 4;
    std::vector<pid_t> victims;
    for (int i = 0; i < kVictims; ++i) victims.push_back(spawn(work));
    usleep(random() % 1500);
    for (pid_t victim : victims) kill(victim, SIGKILL);
    for (pid_t victim : victims) wait_for(victim);
    EXPECT_EQ(in_child(work), 0);
    std::uint32_t lost = 0, twice = 0;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      lost += tally->given[i].load() == 0 ? 1 : 0;
      twice += tally->given[i].load() > 1 ? 1 : 0;
    }
    EXPECT_EQ(twice, 0u);
    EXPECT_LE(lost, static_cast<std::uint32_t>(kVictims));
    EXPECT_EQ(cursors.unplayed(), 0u);
    munmap(tally, sizeof(Tally));
  }
}

}  // namespace
}  // namespace cassette
