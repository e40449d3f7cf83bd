// The player: DESIGN.md's table of record modes, row by row, and what a miss says.
#include "store/player/player.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/unit/store/allocations.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

constexpr char kOne[] = "http://a/1";
constexpr char kTwo[] = "http://a/2";
constexpr char kNew[] = "http://a/new";

class PlayerTest : public StoreTest {
 protected:
  void save_two() { save({interaction(kOne, "one"), interaction(kTwo, "two")}); }
  static std::string uri_after(Player& player, const std::string& uri,
                               std::string_view detail = {}) {
    static const Headers kNone;
    RequestView request;
    request.method = "GET";
    request.uri = *parse_uri(uri);
    request.headers = &kNone;
    return player.miss(request, player.decide(request), detail);
  }
};

// ---- the table: mode | no cassette | unplayed match | used up | no match | on save ----

TEST_F(PlayerTest, OnceRecordsWithoutCassette) {
  auto player = open(RecordMode::kOnce);
  EXPECT_EQ(answer(*player, kOne), "forward");
  EXPECT_EQ(player->upstream_policy("a", 80), UpstreamPolicy::kAtConnect);
  EXPECT_TRUE(player->may_relay());
  EXPECT_TRUE(player->decides_at_headers());
  ASSERT_TRUE(player->record(interaction(kOne, "one")).ok());
  // Not replayed in the session that recorded it.
  EXPECT_EQ(answer(*player, kOne), "forward");
  player.leave();
  EXPECT_EQ(saved_bodies(), "one");
  EXPECT_FALSE(exists(journal()));
  EXPECT_EQ(session_count(), 0u);
}

TEST_F(PlayerTest, OnceReplaysWithCassette) {
  save_two();
  std::string before = read(cassette());
  auto player = open(RecordMode::kOnce);
  EXPECT_EQ(player->upstream_policy("a", 80), UpstreamPolicy::kNever);
  EXPECT_FALSE(player->decides_at_headers());
  EXPECT_EQ(answer(*player, kOne), "one");
  EXPECT_EQ(ask(*player, kOne).reason, MissReason::kUsedUp);
  EXPECT_EQ(ask(*player, kNew).reason, MissReason::kNoSuchRequest);
  player.leave();
  EXPECT_EQ(read(cassette()), before);
}

TEST_F(PlayerTest, NewEpisodesAddsWhatIsNew) {
  auto first = open(RecordMode::kNewEpisodes);
  EXPECT_EQ(answer(*first, kOne), "forward");
  EXPECT_EQ(first->upstream_policy("a", 80), UpstreamPolicy::kAtConnect);
  ASSERT_TRUE(first->record(interaction(kOne, "one")).ok());
  first.leave();
  tree_ = new_tree();
  auto player = open(RecordMode::kNewEpisodes);
  EXPECT_EQ(player->upstream_policy("A", 80), UpstreamPolicy::kOnDemand);
  EXPECT_EQ(player->upstream_policy("a", 81), UpstreamPolicy::kAtConnect);
  EXPECT_EQ(answer(*player, kOne), "one");
  EXPECT_EQ(answer(*player, kOne), "forward");
  EXPECT_EQ(answer(*player, kNew), "forward");
  ASSERT_TRUE(player->record(interaction(kNew, "new")).ok());
  player.leave();
  EXPECT_EQ(saved_bodies(), "one new");
}

TEST_F(PlayerTest, NoneNeverForwardsAndNeverWrites) {
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, kOne).reason, MissReason::kNoCassette);
  EXPECT_EQ(player->upstream_policy("a", 80), UpstreamPolicy::kNever);
  EXPECT_FALSE(player->may_relay());
  EXPECT_FALSE(player->decides_at_headers());
  player.leave();
  EXPECT_FALSE(exists(cassette()));

  save_two();
  tree_ = new_tree();
  player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "one");
  EXPECT_EQ(ask(*player, kOne).reason, MissReason::kUsedUp);
  EXPECT_EQ(ask(*player, kNew).reason, MissReason::kNoSuchRequest);
  player.leave();
}

TEST_F(PlayerTest, AllRecordsAgainAndReplacesWhatMatches) {
  save_two();
  auto player = open(RecordMode::kAll);
  EXPECT_EQ(player->upstream_policy("a", 80), UpstreamPolicy::kAtConnect);
  EXPECT_EQ(answer(*player, kOne), "forward");
  ASSERT_TRUE(player->record(interaction(kOne, "again")).ok());
  ASSERT_TRUE(player->record(interaction(kNew, "new")).ok());
  EXPECT_EQ(saved_bodies(), "one two");
  player.leave();
  EXPECT_EQ(saved_bodies(), "two again new");
}

TEST_F(PlayerTest, RewriteReplacesTheCassette) {
  save_two();
  auto player = open(RecordMode::kRewrite);
  EXPECT_EQ(answer(*player, kOne), "forward");
  ASSERT_TRUE(player->record(interaction(kNew, "new")).ok());
  player.leave();
  EXPECT_EQ(saved_bodies(), "new");
}

TEST_F(PlayerTest, AProgramThatFailedKeepsTheOldCassetteInAllAndRewrite) {
  for (RecordMode mode : {RecordMode::kAll, RecordMode::kRewrite}) {
    save_two();
    tree_ = new_tree();
    auto player = open(mode);
    ASSERT_TRUE(player->record(interaction(kOne, "again")).ok());
    player.leave(false);
    EXPECT_EQ(saved_bodies(), "one two");
    EXPECT_FALSE(exists(journal()));
    EXPECT_NE(read(log_file()).find("dropped"), std::string::npos);
  }
}

TEST_F(PlayerTest, ARewriteThatRecordedNothingKeepsTheOld) {
  save_two();
  auto player = open(RecordMode::kRewrite);
  player.leave();
  EXPECT_EQ(saved_bodies(), "one two");
}

// ---- orders ----

TEST_F(PlayerTest, SequentialSaysWhatWasExpected) {
  save_two();
  settings_.order = Order::kSequential;
  auto player = open(RecordMode::kNone);
  Decision wrong = ask(*player, kTwo);
  EXPECT_EQ(wrong.reason, MissReason::kOutOfSequence);
  EXPECT_EQ(wrong.interaction, 0u);
  EXPECT_EQ(ask(*player, kNew).reason, MissReason::kOutOfSequence);
  std::string text = uri_after(*player, kTwo);
  EXPECT_NE(text.find("X-Cassette-Miss: out of sequence\r\n"), std::string::npos);
  EXPECT_NE(text.find("expected: #1 GET http://a/1\n"), std::string::npos);
  EXPECT_NE(text.find("path: recorded \"/1\", asked for \"/2\""), std::string::npos);
  EXPECT_EQ(answer(*player, kOne), "one");
  EXPECT_EQ(answer(*player, kTwo), "two");
  EXPECT_EQ(ask(*player, kTwo).reason, MissReason::kUsedUp);
  EXPECT_EQ(ask(*player, kNew).reason, MissReason::kNoSuchRequest);
}

TEST_F(PlayerTest, RepeatsPlayTheLastOneAgain) {
  save({interaction(kOne, "one"), interaction(kOne, "two")});
  settings_.allow_playback_repeats = true;
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "one");
  EXPECT_EQ(answer(*player, kOne), "two");
  EXPECT_EQ(answer(*player, kOne), "two");
}

TEST_F(PlayerTest, FirstPlaysTheFirst) {
  save({interaction(kOne, "one"), interaction(kOne, "two")});
  settings_.order = Order::kFirst;
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "one");
  EXPECT_EQ(answer(*player, kOne), "one");
}

TEST_F(PlayerTest, HeadersSelectWithinEqualRequests) {
  Interaction english = interaction(kOne, "hello"), german = interaction(kOne, "hallo");
  english.request.headers.add("Accept-Language", "en");
  german.request.headers.add("Accept-Language", "de");
  save({english, german});
  settings_.match_on.headers = true;
  auto player = open(RecordMode::kNone);
  Headers headers;
  headers.add("Accept-Language", "de");
  RequestView request;
  request.method = "GET";
  request.uri = *parse_uri(kOne);
  request.headers = &headers;
  EXPECT_EQ(body_of(*player, player->decide(request)), "hallo");
  EXPECT_EQ(player->decide(request).reason, MissReason::kUsedUp);
  headers.clear();
  headers.add("Accept-Language", "fr");
  EXPECT_EQ(player->decide(request).reason, MissReason::kNoSuchRequest);
}

// ---- responses ----

TEST_F(PlayerTest, OtherFramingsAreWrittenAnew) {
  Interaction chunked = interaction(kOne, "body");
  chunked.response.headers.add("Transfer-Encoding", "chunked");
  save({chunked});
  auto player = open(RecordMode::kNone);
  std::string scratch;
  PlayedResponse usual = player->response(0, {}, scratch);
  EXPECT_TRUE(usual.bytes.ends_with("4\r\nbody\r\n0\r\n\r\n"));
  EXPECT_TRUE(scratch.empty());
  PlayedResponse head = player->response(0, {.head_request = true}, scratch);
  EXPECT_TRUE(head.bytes.ends_with("\r\n\r\n"));
  EXPECT_EQ(head.bytes.find("body"), std::string_view::npos);
  PlayedResponse old = player->response(0, {.http_1_0 = true}, scratch);
  EXPECT_TRUE(old.bytes.ends_with("\r\n\r\nbody"));
  EXPECT_TRUE(old.close_after);
}

TEST_F(PlayerTest, GetAnsweredByARecordedHeadDoesNotPromiseABody) {
  Interaction head = interaction(kOne, "");
  head.request.method = "HEAD";
  head.response.headers.add("Content-Length", "1234");
  save({head});
  auto player = open(RecordMode::kNone);
  std::string scratch;
  EXPECT_NE(player->response(0, {.head_request = true}, scratch).bytes.find("1234"),
            std::string_view::npos);
  EXPECT_NE(player->response(0, {}, scratch).bytes.find("Content-Length: 0\r\n"),
            std::string_view::npos);
}

TEST_F(PlayerTest, ARecordedErrorIsPlayed) {
  Interaction failed = interaction(kOne, "");
  failed.error = "ECONNREFUSED";
  save({failed});
  auto player = open(RecordMode::kNone);
  std::string scratch;
  EXPECT_EQ(player->response(ask(*player, kOne).interaction, {}, scratch).error, "ECONNREFUSED");
}

// ---- misses ----

TEST_F(PlayerTest, AMissNamesTheClosestAndHidesSecrets) {
  save({interaction("http://a/users?page=1&password=x", "one"),
        interaction("http://b/other", "two")});
  auto player = open(RecordMode::kNone);
  std::string text = uri_after(*player, "http://a/users?page=2&password=geheim");
  EXPECT_TRUE(
      text.starts_with("HTTP/1.1 599 Cassette Miss\r\nX-Cassette-Miss: no such request\r\n"
                       "Content-Type: text/plain; charset=utf-8\r\nContent-Length: "));
  std::size_t head = text.find("\r\n\r\n") + 4;
  EXPECT_NE(text.find("Content-Length: " + std::to_string(text.size() - head)), std::string::npos);
  EXPECT_NE(text.find("cassette: " + cassette()), std::string::npos);
  EXPECT_NE(text.find("mode:     none"), std::string::npos);
  EXPECT_NE(text.find("closest:  #1 GET http://a/users?"), std::string::npos);
  EXPECT_NE(text.find("query"), std::string::npos);
  EXPECT_EQ(text.find("geheim"), std::string::npos);
  std::string logged = read(log_file());
  EXPECT_NE(logged.find("miss: GET http://a/users?"), std::string::npos);
  EXPECT_EQ(logged.find("geheim"), std::string::npos);
}

TEST_F(PlayerTest, ADetailCannotAddAHeaderField) {
  save_two();
  auto player = open(RecordMode::kNone);
  Headers none;
  RequestView request;
  request.method = "GE\r\nT";
  request.uri.path = "/x\r\nEvil: 1";
  request.headers = &none;
  std::string text =
      player->miss(request, {Decision::Kind::kMiss, MissReason::kBadRequest, 0}, "bad\r\nEvil: 1");
  EXPECT_EQ(text.find("\r\nEvil"), std::string::npos);
  EXPECT_NE(text.find("X-Cassette-Miss: bad request: bad  Evil: 1\r\n"), std::string::npos);
  EXPECT_NE(text.find("Connection: close\r\n"), std::string::npos);
}

TEST_F(PlayerTest, ABrokenCassetteAnswersNothingAndStaysAsItIs) {
  write(cassette(), "interactions: [\n- broken: {");
  std::string before = read(cassette());
  for (RecordMode mode : {RecordMode::kOnce, RecordMode::kNewEpisodes, RecordMode::kNone,
                          RecordMode::kAll, RecordMode::kRewrite}) {
    auto player = open(mode);
    EXPECT_EQ(ask(*player, kOne).reason, MissReason::kUnusable);
    EXPECT_EQ(player->upstream_policy("a", 80), UpstreamPolicy::kNever);
    EXPECT_FALSE(player->may_relay());
    EXPECT_FALSE(player->record(interaction(kOne, "x")).ok());
    EXPECT_NE(uri_after(*player, kOne).find(cassette()), std::string::npos);
    player.leave();
    EXPECT_EQ(read(cassette()), before);
    EXPECT_FALSE(exists(journal()));
  }
  EXPECT_EQ(session_count(), 0u);
}

TEST_F(PlayerTest, AnUnusablePlaceIsAProblemNotACrash) {
  settings_.runtime_dir = "/proc/none";
  auto player = open(RecordMode::kOnce);
  EXPECT_EQ(ask(*player, kOne).reason, MissReason::kUnusable);
  settings_.runtime_dir = directory_ + "/run";
  settings_.cassette = directory_ + "/{nothing}.yaml";
  player = open(RecordMode::kOnce);
  EXPECT_EQ(ask(*player, kOne).reason, MissReason::kUnusable);
}

TEST_F(PlayerTest, APlaceThatCannotBeWrittenIsToldOnceAndCounted) {
  // A file where the cassette's directory should be: also root cannot write there.
  write(directory_ + "/file", "");
  settings_.cassette = directory_ + "/file/sub/c.yaml";
  auto player = open(RecordMode::kOnce);
  EXPECT_EQ(answer(*player, kOne), "forward");
  EXPECT_FALSE(player->record(interaction(kOne, "one")).ok());
  EXPECT_FALSE(player->record(interaction(kOne, "one")).ok());
  std::string logged = read(log_file());
  std::size_t first = logged.find("not recorded");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(logged.find("not recorded", first + 1), std::string::npos);
  player.leave();
}

TEST_F(PlayerTest, MissingDirectoriesAreMadeWithTheFirstRecord) {
  settings_.cassette = directory_ + "/a/b/c.yaml";
  auto player = open(RecordMode::kOnce);
  EXPECT_FALSE(exists(directory_ + "/a"));
  ASSERT_TRUE(player->record(interaction(kOne, "one")).ok());
  player.leave();
  EXPECT_EQ(saved_bodies(), "one");
}

TEST_F(PlayerTest, WhatIsRecordedIsRedacted) {
  auto player = open(RecordMode::kOnce);
  Interaction secret = interaction("http://a/1?password=geheim", "one");
  secret.request.headers.add("Authorization", "Bearer geheim");
  ASSERT_TRUE(player->record(secret).ok());
  EXPECT_EQ(read(journal()).find("geheim"), std::string::npos);
  player.leave();
  EXPECT_EQ(read(cassette()).find("geheim"), std::string::npos);
}

TEST_F(PlayerTest, WorksForADirectoryCassette) {
  settings_.cassette = directory_ + "/cassettes/dir";
  auto player = open(RecordMode::kOnce);
  ASSERT_TRUE(player->record(interaction(kOne, "one")).ok());
  ASSERT_TRUE(player->record(interaction(kOne, "two")).ok());
  EXPECT_TRUE(exists(settings_.cassette + ".journal"));
  player.leave();
  EXPECT_EQ(saved_bodies(), "one two");
  tree_ = new_tree();
  player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "one");
  EXPECT_EQ(answer(*player, kOne), "two");
}

// ---- scopes and forks ----

TEST_F(PlayerTest, AForkedChildSharesThePositionsOfATree) {
  save({interaction(kOne, "one"), interaction(kOne, "two")});
  auto player = open(RecordMode::kNone);
  player.deck().before_fork();
  int status = in_child([&] {
    player.deck().after_fork_in_child();
    bool right = answer(*player, kOne) == "one";
    player.leave();
    return right ? 0 : 1;
  });
  player.deck().after_fork_in_parent();
  EXPECT_EQ(status, 0);
  EXPECT_EQ(answer(*player, kOne), "two");
  player.leave();
  EXPECT_EQ(session_count(), 0u);
}

TEST_F(PlayerTest, InScopeProcessAForkedChildBeginsAnew) {
  save({interaction(kOne, "one"), interaction(kOne, "two")});
  settings_.session_scope = SessionScope::kProcess;
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "one");
  player.deck().before_fork();
  int status = in_child([&] {
    player.deck().after_fork_in_child();
    bool right = answer(*player, kOne) == "one";
    player.leave();
    return right ? 0 : 1;
  });
  player.deck().after_fork_in_parent();
  EXPECT_EQ(status, 0);
  EXPECT_EQ(answer(*player, kOne), "two");
  player.leave();
  EXPECT_EQ(session_count(), 0u);
}

// ---- figures ----

TEST_F(PlayerTest, ReplayAllocatesNothing) {
  constexpr int kCount = 20000;
  std::vector<Interaction> many;
  for (int i = 0; i < kCount; ++i) {
    many.push_back(interaction("http://api.example.com/v1/items/" + std::to_string(i % 100) +
                                   "?b=2&a=" + std::to_string(i % 10),
                               std::string(300, 'x')));
  }
  save(many);
  auto player = open(RecordMode::kNone);
  Headers headers;
  headers.add("Accept", "*/*");
  std::vector<RequestView> requests(100);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].method = "GET";
    requests[i].uri = *parse_uri(many[i].uri);
    requests[i].headers = &headers;
  }
  std::string scratch;
  std::size_t bytes = 0, replayed = 0;
  std::size_t before = allocations();
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kCount; ++i) {
    Decision decision = player->decide(requests[static_cast<std::size_t>(i % 100)]);
    if (decision.kind != Decision::Kind::kReplay) continue;
    ++replayed;
    bytes += player->response(decision.interaction, {}, scratch).bytes.size();
  }
  auto end = std::chrono::steady_clock::now();
  if (kCountsAllocations) {
    EXPECT_EQ(allocations(), before);
  }
  EXPECT_EQ(replayed, static_cast<std::size_t>(kCount));
  EXPECT_GT(bytes, 300u * kCount);
  auto each = std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count() / kCount;
  RecordProperty("nanoseconds", static_cast<int>(each));
  std::printf("             decide + response: %d ns\n", static_cast<int>(each));
}

}  // namespace
}  // namespace cassette
