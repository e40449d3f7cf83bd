// Compiled cassettes that are kept for later sessions: used as long as nothing has changed, and never otherwise.
#include "store/session/image_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "store/image/image.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

class ImageCacheTest : public StoreTest {
 protected:
  static constexpr char kUri[] = "http://a/1";

  void save_large(const std::string& first) {
    std::vector<Interaction> all = {interaction(kUri, first)};
    for (int i = 0; i < 200; ++i) {
      all.push_back(interaction("http://a/other/" + std::to_string(i), std::string(500, 'x')));
    }
    save(all);
    settle();
  }
  /// A change in the same tick of the clock would not be seen.
  static void settle() { usleep(150'000); }

  std::vector<std::string> kept() const {
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry :
         std::filesystem::directory_iterator(settings_.state_dir + "/images", none)) {
      files.push_back(entry.path());
    }
    return files;
  }
  std::string answer_in_new_session() {
    tree_ = new_tree();
    OpenDeck deck = open_deck();
    std::string text = answer(*deck, kUri);
    deck.leave();
    return text;
  }
  /// Changes an answer in what was kept, with the right checksum, so that its use shows.
  void mark_kept(const std::string& with) {
    ASSERT_EQ(kept().size(), 1u);
    std::string bytes = read(kept()[0]);
    std::string stamp = bytes.substr(0, 16);
    bytes.erase(0, 16);
    const std::size_t at = bytes.find("first");
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, 5, with);
    Image::set_created(bytes, 1);
    write(kept()[0], stamp + bytes);
  }
};

TEST_F(ImageCacheTest, ALaterSessionUsesWhatWasKept) {
  save_large("first");
  EXPECT_EQ(answer_in_new_session(), "first");
  mark_kept("KEPT!");
  EXPECT_EQ(answer_in_new_session(), "KEPT!");
  EXPECT_EQ(answer_in_new_session(), "KEPT!");
  struct stat file {};
  ASSERT_EQ(stat(kept()[0].c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_F(ImageCacheTest, AChangedCassetteIsReadAnew) {
  save_large("first");
  EXPECT_EQ(answer_in_new_session(), "first");
  mark_kept("KEPT!");
  save_large("other");
  EXPECT_EQ(answer_in_new_session(), "other");
  EXPECT_EQ(kept().size(), 1u);

  // In place, of the same size, with the old time put back: the time of the change tells.
  struct stat before {};
  ASSERT_EQ(stat(cassette().c_str(), &before), 0);
  std::string text = read(cassette());
  text.replace(text.find("other"), 5, "third");
  write(cassette(), text);
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, cassette().c_str(), times, 0), 0);
  settle();
  EXPECT_EQ(answer_in_new_session(), "third");
}

TEST_F(ImageCacheTest, WhatHasChangedJustNowIsNotKept) {
  std::vector<Interaction> all(300, interaction(kUri, std::string(500, 'x')));
  save(all);
  // However slow the machine is: just now is a little later.
  timespec soon{};
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_sec += 60;
  const timespec times[2] = {soon, soon};
  ASSERT_EQ(utimensat(AT_FDCWD, cassette().c_str(), times, 0), 0);
  answer_in_new_session();
  EXPECT_TRUE(kept().empty());
}

TEST_F(ImageCacheTest, ASmallCassetteIsNotKept) {
  save({interaction(kUri, "small")});
  settle();
  EXPECT_EQ(answer_in_new_session(), "small");
  EXPECT_TRUE(kept().empty());
}

TEST_F(ImageCacheTest, WhatIsDamagedCountsAsNotThere) {
  save_large("first");
  EXPECT_EQ(answer_in_new_session(), "first");
  const std::string good = read(kept()[0]);
  for (std::size_t round = 0; round < 60; ++round) {
    std::string bad = good;
    if (round % 2 == 0) {
      bad[round * (good.size() - 1) / 59] ^= 4;
    } else {
      bad.resize(round * good.size() / 60);
    }
    write(kept()[0], bad);
    EXPECT_EQ(answer_in_new_session(), "first") << round;
  }
  EXPECT_EQ(read(kept()[0]).size(), good.size());
}

TEST_F(ImageCacheTest, OtherMatchSettingsHaveAnImageOfTheirOwn) {
  save_large("first");
  EXPECT_EQ(answer_in_new_session(), "first");
  mark_kept("KEPT!");
  settings_.match_on.body = true;
  EXPECT_EQ(answer_in_new_session(), "first");
  EXPECT_EQ(kept().size(), 2u);
}

TEST_F(ImageCacheTest, WhatAJournalAddsIsNotMissed) {
  save_large("first");
  EXPECT_EQ(answer_in_new_session(), "first");
  mark_kept("KEPT!");
  ASSERT_TRUE(std::filesystem::exists(kept()[0]));
  write(journal(), "");
  EXPECT_EQ(answer_in_new_session(), "first");
}

TEST_F(ImageCacheTest, AStateDirectoryThatCannotBeWrittenIsNoTrouble) {
  settings_.state_dir = "/proc/nowhere";
  save_large("first");
  EXPECT_EQ(answer_in_new_session(), "first");
}

TEST_F(ImageCacheTest, TheOldestGoFirst) {
  const CassetteStamp stamp{.sum = {1, 2}, .bytes = 1, .changed = 1, .settled = true};
  auto keep = [&](std::size_t number) {
    keep_image(settings_.state_dir, "/" + std::to_string(number), "", stamp, "no image");
    usleep(10'000);  // a tick of the clock
  };
  for (std::size_t i = 0; i < 5; ++i) keep(i);
  const std::vector<std::string> oldest = kept();
  ASSERT_EQ(oldest.size(), 5u);
  for (std::size_t i = 5; i < kMostImages + 5; ++i) keep(i);
  EXPECT_EQ(kept().size(), kMostImages);
  for (const std::string& file : oldest) EXPECT_FALSE(exists(file));
}

}  // namespace
}  // namespace cassette
