// The places of named sessions: never more than the limit, none lost for good.
#include "store/session/pool.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <set>

#include "store/session/control.h"
#include "store/session/session_files.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

using std::chrono::milliseconds;

class PoolTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    settings_.max_sessions = 4;
  }
  Registration add(const std::string& id) {
    auto registered = register_session(settings_, id);
    EXPECT_TRUE(registered.ok()) << registered.error().message;
    return registered.ok() ? registered->outcome : Registration::kPoolFull;
  }
  std::size_t places() const { return names_in(directory_ + "/run/places").size(); }
};

TEST_F(PoolTest, RegistersUpToTheLimitAndGivesPlacesBack) {
  for (const char* id : {"a", "b", "c", "d"}) EXPECT_EQ(add(id), Registration::kRegistered);
  EXPECT_EQ(add("b"), Registration::kAlreadyRegistered);
  auto full = register_session(settings_, "e");
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->outcome, Registration::kPoolFull);
  EXPECT_EQ(full->limit, 4u);
  EXPECT_EQ(places(), 4u);
  EXPECT_TRUE(*end_session_now(settings_, "b"));
  EXPECT_EQ(places(), 3u);
  EXPECT_EQ(add("e"), Registration::kRegistered);
  EXPECT_EQ(add("b"), Registration::kPoolFull);
  settings_.max_sessions = 5;
  EXPECT_EQ(add("b"), Registration::kRegistered);
}

TEST_F(PoolTest, MadeUpIdsAreNeverGivenTwice) {
  std::set<std::string> ids;
  for (int i = 0; i < 50; ++i) {
    auto registered = register_session(settings_, "");
    ASSERT_TRUE(registered.ok());
    EXPECT_EQ(registered->outcome, Registration::kRegistered);
    EXPECT_TRUE(ids.insert(registered->id).second);
    EXPECT_TRUE(*end_session_now(settings_, registered->id));
  }
  EXPECT_EQ(places(), 0u);
}

TEST_F(PoolTest, ManyProcessesAtOnceGetExactlyTheLimit) {
  for (int round = 0; round < 5; ++round) {
    std::vector<pid_t> children;
    for (int i = 0; i < 16; ++i) {
      children.push_back(spawn([this, i] {
        auto registered = register_session(settings_, "s" + std::to_string(i));
        if (!registered.ok()) return 2;
        return registered->outcome == Registration::kRegistered ? 0 : 1;
      }));
    }
    int registered = 0, failed = 0;
    for (pid_t child : children) {
      int status = wait_for(child);
      registered += status == 0 ? 1 : 0;
      failed += status > 1 ? 1 : 0;
    }
    EXPECT_EQ(registered, 4);
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(places(), 4u);
    for (int i = 0; i < 16; ++i) (void)end_session_now(settings_, "s" + std::to_string(i)).ok();
    EXPECT_EQ(places(), 0u);
  }
}

TEST_F(PoolTest, ManyProcessesThatWantTheSameOneShareIt) {
  settings_.max_sessions = 1;
  std::vector<pid_t> children;
  for (int i = 0; i < 16; ++i) {
    children.push_back(spawn([this] {
      auto registered = register_session(settings_, "one");
      return !registered.ok() ? 3 : static_cast<int>(registered->outcome);
    }));
  }
  int outcomes[4] = {};
  for (pid_t child : children) ++outcomes[wait_for(child) & 3];
  EXPECT_EQ(outcomes[static_cast<int>(Registration::kRegistered)], 1);
  EXPECT_EQ(outcomes[static_cast<int>(Registration::kAlreadyRegistered)], 15);
}

TEST_F(PoolTest, APlaceOfOneWhoDiedBeforeItsSessionWasThereIsReclaimed) {
  ASSERT_EQ(add("a"), Registration::kRegistered);
  // As one leaves it who is killed between taking the place and naming the session.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(in_child([this, i] {
                std::string made = sessions() + "/.new-dead" + std::to_string(i);
                mkdir(made.c_str(), 0700);
                auto place = Place::claim(settings_, made, "named-dead");
                return place.ok() && place->has_value() ? 0 : 1;
              }),
              0);
  }
  EXPECT_EQ(places(), 4u);
  EXPECT_EQ(add("b"), Registration::kRegistered);
  EXPECT_EQ(add("c"), Registration::kRegistered);
  EXPECT_EQ(add("d"), Registration::kRegistered);
  EXPECT_EQ(add("e"), Registration::kPoolFull);
}

TEST_F(PoolTest, APlaceThatIsBeingTakenIsNotReclaimed) {
  settings_.max_sessions = 1;
  ASSERT_TRUE(prepare_sessions_directory(settings_.runtime_dir).ok());
  std::string made = sessions() + "/.new-alive";
  mkdir(made.c_str(), 0700);
  auto place = Place::claim(settings_, made, "named-x");
  ASSERT_TRUE(place.ok() && place->has_value());
  EXPECT_EQ(add("a"), Registration::kPoolFull);
  (*place)->give_back();
  EXPECT_EQ(add("a"), Registration::kRegistered);
}

TEST_F(PoolTest, ExpiredSessionsMakeRoom) {
  settings_.max_sessions = 2;
  settings_.session_ttl = milliseconds(50);
  EXPECT_EQ(add("short"), Registration::kRegistered);
  settings_.session_ttl = milliseconds(0);
  EXPECT_EQ(add("for-ever"), Registration::kRegistered);
  EXPECT_EQ(add("third"), Registration::kPoolFull);
  usleep(80'000);
  EXPECT_EQ(add("third"), Registration::kRegistered);
  EXPECT_EQ(add("for-ever"), Registration::kAlreadyRegistered);
  EXPECT_EQ(add("short"), Registration::kPoolFull);
}

TEST_F(PoolTest, UseRenewsASession) {
  settings_.session_ttl = milliseconds(300);
  EXPECT_EQ(add("a"), Registration::kRegistered);
  for (int i = 0; i < 5; ++i) {
    usleep(120'000);
    EXPECT_EQ(add("a"), Registration::kAlreadyRegistered);
  }
  usleep(400'000);
  EXPECT_EQ(add("a"), Registration::kRegistered);
}

TEST_F(PoolTest, TreeSessionsAreNotCounted) {
  settings_.max_sessions = 1;
  save({interaction("http://a/1", "1")});
  auto tree = open(RecordMode::kNone);
  EXPECT_EQ(answer(*tree, "http://a/1"), "1");
  EXPECT_EQ(add("a"), Registration::kRegistered);
  tree.leave();
}

TEST_F(PoolTest, AFullPoolIsAReasonThatTheProgramIsTold) {
  settings_.max_sessions = 1;
  EXPECT_EQ(add("a"), Registration::kRegistered);
  settings_.session = "b";
  save({interaction("http://a/1", "1")});
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, "http://a/1").reason, MissReason::kUnusable);
  EXPECT_EQ(player->upstream_policy("a", 80), UpstreamPolicy::kNever);
  EXPECT_NE(read(log_file()).find("CASSETTE_MAX_SESSIONS"), std::string::npos);
}

}  // namespace
}  // namespace cassette
