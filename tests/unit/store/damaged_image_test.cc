// A session whose compiled cassette is damaged, cut short or of another version: it is made anew, and
// the session goes on where it was.
#include <gtest/gtest.h>

#include "store/image/image_layout.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

class DamagedImageTest : public StoreTest {
 protected:
  static constexpr char kUri[] = "http://a/1";

  void save_numbered(int count, std::size_t size = 0) {
    std::vector<Interaction> all;
    for (int i = 0; i < count; ++i) {
      all.push_back(interaction(kUri, std::to_string(i) + std::string(size, ' ')));
    }
    save(all);
  }
  std::string file_that_ends_in(const std::string& end) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(sessions())) {
      if (entry.path().string().ends_with(end)) return entry.path();
    }
    return {};
  }
  std::string image_file() const { return file_that_ends_in(".image"); }
  std::string first_answer() const {
    OpenDeck deck = open_deck();
    return answer(*deck, kUri);
  }
};

TEST_F(DamagedImageTest, WhicheverByteIsChangedTheSessionGoesOn) {
  constexpr int kRounds = 150;
  save_numbered(kRounds + 1);
  OpenDeck holder = open_deck();  // the session lives as long as it
  EXPECT_EQ(answer(*holder, kUri), "0");
  const std::string good = read(image_file());
  for (int round = 1; round <= kRounds; ++round) {
    std::string bytes = read(image_file());
    ASSERT_EQ(bytes.size(), good.size());
    const std::size_t at = static_cast<std::size_t>(round - 1) * (good.size() - 1) / (kRounds - 1);
    bytes[at] = static_cast<char>(bytes[at] ^ 1 << round % 8);
    write(image_file(), bytes);
    ASSERT_EQ(first_answer(), std::to_string(round)) << "byte " << at;
  }
  EXPECT_NE(read(log_file()).find("it is damaged; it is made anew"), std::string::npos);
}

TEST_F(DamagedImageTest, HoweverShortItIsCutTheSessionGoesOn) {
  save_numbered(40);
  OpenDeck holder = open_deck();
  const std::string good = read(image_file());
  for (int round = 0; round < 40; ++round) {
    // A new file: who has mapped the old one would be hit by a real cut, which nothing can mend.
    const std::size_t size = static_cast<std::size_t>(round) * (good.size() - 1) / 39;
    write(image_file() + ".cut", good.substr(0, size));
    std::filesystem::rename(image_file() + ".cut", image_file());
    ASSERT_EQ(first_answer(), std::to_string(round)) << size << " bytes";
  }
}

TEST_F(DamagedImageTest, OneOfAnotherVersionIsMadeAnew) {
  save_numbered(2);
  OpenDeck holder = open_deck();
  std::string bytes = read(image_file());
  ++bytes[8];
  image_layout::seal(bytes);
  write(image_file(), bytes);
  EXPECT_EQ(first_answer(), "0");
  EXPECT_NE(read(log_file()).find("version"), std::string::npos);
  EXPECT_EQ(first_answer(), "1");
}

TEST_F(DamagedImageTest, ALargeOneIsMadeAnew) {
  save_numbered(2, 1 << 20);
  OpenDeck holder = open_deck();
  std::fstream file(image_file(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(1 << 20);
  file.put('x');
  file.close();
  EXPECT_EQ(first_answer(), "0" + std::string(1 << 20, ' '));
}

TEST_F(DamagedImageTest, HintsThatAreDamagedAreMadeAnew) {
  save_numbered(3);
  OpenDeck holder = open_deck();
  EXPECT_EQ(answer(*holder, kUri), "0");
  write(file_that_ends_in(".hints") + ".cut", "cass");
  std::filesystem::rename(file_that_ends_in(".hints.cut"), file_that_ends_in(".hints"));
  EXPECT_EQ(first_answer(), "1");
  EXPECT_EQ(answer(*holder, kUri), "2");
}

// What was played cannot be made anew: an answer would be given twice.
TEST_F(DamagedImageTest, CursorsThatAreDamagedAreAnError) {
  save_numbered(2);
  OpenDeck holder = open_deck();
  write(file_that_ends_in("/cursors") + ".cut", "cass");
  std::filesystem::rename(file_that_ends_in("/cursors.cut"), file_that_ends_in("/cursors"));
  EXPECT_EQ(first_answer(), "miss");
  EXPECT_NE(read(log_file()).find("do not belong to the compiled cassette"), std::string::npos);
}

TEST_F(DamagedImageTest, OneWhoseCassetteHasChangedSinceIsAnError) {
  save_numbered(2);
  OpenDeck holder = open_deck();
  std::string bytes = read(image_file());
  ++bytes[bytes.size() - 1];
  write(image_file(), bytes);
  save_numbered(5);
  EXPECT_EQ(first_answer(), "miss");
  EXPECT_NE(read(log_file()).find("it is damaged"), std::string::npos);
}

}  // namespace
}  // namespace cassette
