// Which interactions any run has replayed: a set, whoever adds to it and however often.
#include "store/journal/usage.h"

#include <gtest/gtest.h>

#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

class UsageTest : public StoreTest {
 protected:
  std::string unused() {
    auto report = find_unused(settings_, cassette());
    if (!report.ok()) return "error: " + report.error().message;
    std::string result;
    for (std::size_t i : report->unused) {
      result += report->cassette.interactions[i].response.body + " ";
    }
    return result;
  }
};

TEST_F(UsageTest, IsASet) {
  std::string state = settings_.state_dir;
  EXPECT_TRUE(used_ids(state, cassette())->empty());
  ASSERT_TRUE(mark_used(state, cassette(), {"b", "a"}).ok());
  ASSERT_TRUE(mark_used(state, cassette(), {"b", "c", "", "x\ny"}).ok());
  EXPECT_EQ(*used_ids(state, cassette()), (std::set<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(used_ids(state, "/other.yaml")->empty());
  ASSERT_TRUE(forget_used(state, cassette(), {"b"}).ok());
  EXPECT_EQ(used_ids(state, cassette())->size(), 2u);
  ASSERT_TRUE(reset_used(state, cassette()).ok());
  EXPECT_TRUE(used_ids(state, cassette())->empty());
}

TEST_F(UsageTest, ManyProcessesMarkAtOnce) {
  std::vector<pid_t> children;
  for (int child = 0; child < 8; ++child) {
    children.push_back(spawn([this, child] {
      for (int i = 0; i < 5; ++i) {
        std::string id = std::to_string(child) + "-" + std::to_string(i);
        if (!mark_used(settings_.state_dir, cassette(), {id}).ok()) return 1;
      }
      return 0;
    }));
  }
  for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(used_ids(settings_.state_dir, cassette())->size(), 40u);
}

TEST_F(UsageTest, UnusedIsTheRestOfAllRunsThoseStillAliveIncluded) {
  save({interaction("http://a/1", "1"), interaction("http://a/2", "2"),
        interaction("http://a/3", "3")});
  EXPECT_EQ(unused(), "1 2 3 ");
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, "http://a/1"), "1");
  EXPECT_EQ(unused(), "2 3 ");  // the session is alive
  player.leave();
  EXPECT_EQ(unused(), "2 3 ");  // harvested
  tree_ = new_tree();
  player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, "http://a/3"), "3");
  player.leave();
  EXPECT_EQ(unused(), "2 ");
  ASSERT_TRUE(reset_used(settings_.state_dir, cassette()).ok());
  EXPECT_EQ(unused(), "1 2 3 ");
}

TEST_F(UsageTest, OfADirectoryWhatIsRecordedAnewIsUnusedAgain) {
  settings_.cassette = directory_ + "/dir";
  save({interaction("http://a/1", "1")});
  auto report = [this] { return find_unused(settings_, settings_.cassette + "/")->unused.size(); };
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, "http://a/1"), "1");
  player.leave();
  EXPECT_EQ(report(), 0u);
  for (int i = 0; i < 3; ++i) {
    tree_ = new_tree();
    player = open(RecordMode::kAll);
    ASSERT_TRUE(player->record(interaction("http://a/1", "again")).ok());
    player.leave();
    EXPECT_EQ(report(), 1u);
    tree_ = new_tree();
    player = open(RecordMode::kNone);
    EXPECT_EQ(answer(*player, "http://a/1"), "again");
    player.leave();
    EXPECT_EQ(report(), 0u);
  }
}

TEST_F(UsageTest, SequentialAndRepeatedPlaysCount) {
  save({interaction("http://a/1", "1"), interaction("http://a/2", "2")});
  settings_.order = Order::kSequential;
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, "http://a/1"), "1");
  player.leave();
  EXPECT_EQ(unused(), "2 ");
}

}  // namespace
}  // namespace cassette
