// Sessions from outside: found by the names that people give them, moved, ended under those in them.
#include "store/session/control.h"

#include <gtest/gtest.h>

#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

constexpr char kOne[] = "http://a/1";

class ControlTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    save({interaction(kOne, "1"), interaction(kOne, "2"), interaction(kOne, "3")});
    settings_.session = "s";
  }
  SessionState state(const std::string& id = "s") {
    auto found = find_session(settings_, id);
    EXPECT_TRUE(found.ok() && found->has_value());
    return found.ok() && *found ? **found : SessionState{};
  }
};

TEST_F(ControlTest, NamesMayBeAnything) {
  std::string long_name(180, 'x');
  for (const std::string& id : {std::string("a b"), std::string("a/../b"), std::string("100%"),
                                std::string("%2F"), std::string("\xC3\xA4"), std::string("."),
                                long_name, std::string("1-2"), std::string("x\ny")}) {
    auto registered = register_session(settings_, id);
    ASSERT_TRUE(registered.ok()) << id;
    EXPECT_EQ(registered->outcome, Registration::kRegistered) << id;
    EXPECT_EQ(state(id).id, id);
    EXPECT_TRUE(*end_session_now(settings_, id)) << id;
    EXPECT_FALSE(*end_session_now(settings_, id)) << id;
  }
  EXPECT_FALSE(register_session(settings_, std::string(300, 'x')).ok());
  EXPECT_FALSE(find_session(settings_, "").value());
}

TEST_F(ControlTest, TellsWhatASessionDid) {
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "1");
  SessionState now = state();
  EXPECT_EQ(now.kind, SessionIdentity::Kind::kNamed);
  EXPECT_TRUE(now.in_use);
  EXPECT_EQ(now.time_to_live, settings_.session_ttl);
  EXPECT_NEAR(static_cast<double>(now.created), static_cast<double>(time(nullptr)) * 1e6, 10e6);
  EXPECT_GE(now.last_used + 1000, now.created);
  ASSERT_EQ(now.cassettes.size(), 1u);
  const CassetteState& cassette = now.cassettes[0];
  EXPECT_EQ(cassette.counts.path, this->cassette());
  EXPECT_EQ(cassette.counts.replayed, 1u);
  EXPECT_EQ(cassette.counts.interactions, 3u);
  EXPECT_EQ(cassette.counts.unused, 2u);
  EXPECT_EQ(cassette.index, 1u);
  ASSERT_EQ(cassette.ids.size(), 3u);
  EXPECT_EQ(cassette.ids[0], load_cassette(this->cassette())->interactions[0].id);
  player.leave();
  EXPECT_FALSE(state().in_use);
  auto all = list_sessions(settings_);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 1u);
  EXPECT_TRUE((*all)[0].cassettes[0].ids.empty());
}

TEST_F(ControlTest, FindsTheSessionOfATree) {
  settings_.session.clear();
  auto player = open(RecordMode::kNone);
  std::string id = tree_.substr(0, tree_.find(':'));
  EXPECT_EQ(state(id).kind, SessionIdentity::Kind::kTree);
  EXPECT_EQ(answer(*player, kOne), "1");
  EXPECT_EQ(**rewind_session(settings_, id, ""), 1u);
  EXPECT_EQ(answer(*player, kOne), "1");
  player.leave();
  EXPECT_FALSE(find_session(settings_, id)->has_value());
}

TEST_F(ControlTest, RewindsOneOrAll) {
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "1");
  EXPECT_EQ(**rewind_session(settings_, "s", directory_ + "/other.yaml"), 0u);
  EXPECT_EQ(answer(*player, kOne), "2");
  EXPECT_EQ(**rewind_session(settings_, "s", cassette()), 1u);
  EXPECT_EQ(answer(*player, kOne), "1");
  EXPECT_EQ(**rewind_session(settings_, "s", ""), 1u);
  EXPECT_EQ(answer(*player, kOne), "1");
  EXPECT_FALSE(rewind_session(settings_, "nobody", "")->has_value());
}

TEST_F(ControlTest, AdvancesALsoBeforeAnybodyHasOpenedIt) {
  ASSERT_TRUE(register_session(settings_, "s").ok());
  Advanced advanced = **advance_session(settings_, "s", cassette());
  EXPECT_EQ(advanced.skipped, 0u);
  EXPECT_EQ(advanced.size, 3u);
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "2");
  EXPECT_EQ((**advance_session(settings_, "s", cassette())).skipped, 2u);
  EXPECT_EQ((**advance_session(settings_, "s", cassette())).skipped, 3u);
  EXPECT_EQ(answer(*player, kOne), "miss");
  EXPECT_FALSE(advance_session(settings_, "s", directory_ + "/none.yaml").ok());
  EXPECT_FALSE(advance_session(settings_, "nobody", cassette())->has_value());
}

// Other match settings, the same positions: they are kept by cassette, not by who asks.
TEST_F(ControlTest, PositionsAreSharedByAllMatchSettings) {
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "1");
  settings_.match_on.port = settings_.match_on.scheme = false;
  auto other = open(RecordMode::kNone);
  EXPECT_EQ(answer(*other, kOne), "2");
  EXPECT_EQ(answer(*player, kOne), "3");
  EXPECT_EQ(state().cassettes.size(), 1u);
}

// A cassette that has changed since: there is nothing that could be shared.
TEST_F(ControlTest, AChangedCassetteHasPositionsOfItsOwn) {
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "1");
  save({interaction(kOne, "new")});
  settings_.match_on.port = false;
  auto other = open(RecordMode::kNone);
  EXPECT_EQ(answer(*other, kOne), "new");
  EXPECT_EQ(answer(*player, kOne), "2");
  EXPECT_EQ(**rewind_session(settings_, "s", cassette()), 2u);
}

TEST_F(ControlTest, ThoseInASessionThatIsEndedGoNoFurther) {
  std::filesystem::remove(cassette());
  auto player = open(RecordMode::kOnce);
  EXPECT_EQ(answer(*player, kOne), "forward");
  ASSERT_TRUE(player->record(interaction(kOne, "recorded", 1)).ok());
  EXPECT_TRUE(*end_session_now(settings_, "s"));
  EXPECT_EQ(saved_bodies(), "recorded");
  EXPECT_EQ(session_count(), 0u);
  EXPECT_EQ(ask(*player, kOne).reason, MissReason::kSessionEnded);
  EXPECT_EQ(player->upstream_policy("a", 80), UpstreamPolicy::kNever);
  EXPECT_FALSE(player->index().ok());
  EXPECT_FALSE(player->advance(true).ok());
  EXPECT_FALSE(player->rewind().ok());
  // An answer that was on its way is kept: the next to come by merges it.
  ASSERT_TRUE(player->record(interaction(kOne, "late", 2)).ok());
  player.leave();
  EXPECT_EQ(session_count(), 0u);
  settings_.mode = RecordMode::kNewEpisodes;
  auto next = open_deck();
  EXPECT_EQ(saved_bodies(), "recorded late");
}

TEST_F(ControlTest, ANewSessionOfTheNameIsNotTouchedByThoseOfTheOld) {
  auto old = open(RecordMode::kNone);
  EXPECT_EQ(answer(*old, kOne), "1");
  EXPECT_TRUE(*end_session_now(settings_, "s"));
  auto next = open(RecordMode::kNone);
  EXPECT_EQ(answer(*next, kOne), "1");
  old.leave(false);
  EXPECT_EQ(answer(*next, kOne), "2");
  EXPECT_TRUE(state().in_use);
  EXPECT_FALSE(exists(sessions() + "/named-s/ended-failed"));
}

TEST_F(ControlTest, TheHistoryHasEveryRequestRedacted) {
  auto player = open(RecordMode::kNone);
  static const Headers kNone;
  RequestView request;
  request.method = "GET";
  request.uri = *parse_uri("http://a:80/1?password=geheim&x=1");
  request.headers = &kNone;
  player->handled(request, {HistoryOutcome::kMissed,
                            {Decision::Kind::kMiss, MissReason::kUsedUp, 0},
                            599,
                            5,
                            7,
                            gettid()});
  auto history = session_history(settings_, "s");
  ASSERT_TRUE(history.ok() && *history);
  ASSERT_EQ((*history)->entries.size(), 1u);
  const HistoryEntry& entry = (*history)->entries[0];
  EXPECT_EQ(entry.uri, "http://a/1?password=<redacted>&x=1");
  EXPECT_EQ(entry.method, "GET");
  EXPECT_EQ(entry.pid, getpid());
  EXPECT_EQ(entry.tid, gettid());
  EXPECT_EQ(entry.began, 5);
  EXPECT_EQ(entry.duration, 7u);
  EXPECT_EQ(entry.status, 599);
  EXPECT_EQ(entry.reason, static_cast<std::uint8_t>(MissReason::kUsedUp));
  EXPECT_EQ(entry.cassette, state().cassettes[0].key);
  EXPECT_FALSE(session_history(settings_, "nobody")->has_value());
}

}  // namespace
}  // namespace cassette
