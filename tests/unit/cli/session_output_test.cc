// What `cassette session` says and how it ends: states, histories, and what was done, as text and as JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "cli/session/answers.h"
#include "cli/session/history_output.h"
#include "cli/session/state_output.h"
#include "store/player/player.h"

namespace cassette {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::int64_t kNow = 1'700'000'000'000'001;
constexpr char kNowText[] = "2023-11-14T22:13:20.000001Z";

rapidjson::Document json(const std::string& text) {
  rapidjson::Document document;
  document.Parse(text.c_str());
  EXPECT_FALSE(document.HasParseError()) << text;
  return document;
}

CassetteState cassette(const std::string& path, std::uint64_t key, std::uint32_t size,
                       std::uint32_t index) {
  CassetteState state;
  state.counts.path = path;
  state.counts.interactions = size;
  state.counts.replayed = index;
  state.counts.unused = size - index;
  state.key = key;
  state.index = index;
  for (std::uint32_t i = 0; i < size; ++i)
    state.ids.push_back("id" + std::to_string(key) + std::to_string(i));
  return state;
}

SessionState session(const std::string& id) {
  SessionState state;
  state.id = id;
  state.created = kNow - 1'000'000;
  state.last_used = kNow;
  state.time_to_live = std::chrono::seconds(60);
  return state;
}

HistoryEntry request(HistoryOutcome outcome, std::uint64_t key = 1) {
  HistoryEntry entry;
  entry.began = kNow;
  entry.duration = 2'500;
  entry.cassette = key;
  entry.pid = 17;
  entry.tid = 18;
  entry.status = 200;
  entry.outcome = outcome;
  entry.program = "curl";
  entry.method = "GET";
  entry.uri = "http://h/p?q=1";
  return entry;
}

// ---- list and show ----

TEST(SessionState, ALineEach) {
  SessionState named = session("t1");
  named.cassettes = {cassette("/p/w.yaml", 1, 3, 0)};
  SessionState used = session("a\nb");
  used.in_use = true;
  SessionState tree = session("17-3");
  tree.kind = SessionIdentity::Kind::kTree;
  const std::string text = sessions_as_lines({named, used, tree}, kNow + 17'500'000);
  EXPECT_EQ(text,
            "t1    named  idle    2023-11-14T22:13:19.000001Z  expires in 43 s  1 cassette\n"
            "a\\nb  named  in use  2023-11-14T22:13:19.000001Z  -                0 cassettes\n"
            "17-3  tree   idle    2023-11-14T22:13:19.000001Z  -                0 cassettes\n");
  EXPECT_EQ(sessions_as_lines({}, kNow), "");
}

TEST(SessionState, WhenItExpires) {
  SessionState named = session("t1");
  EXPECT_EQ(expires_at(named), kNow + 60'000'000);
  // Overdue, but nobody has come by to end it.
  EXPECT_THAT(sessions_as_lines({named}, kNow + 99'000'000), HasSubstr("expires in 0 s"));
  EXPECT_THAT(sessions_as_lines({named}, kNow + 59'999'999), HasSubstr("expires in 1 s"));
  named.time_to_live = std::chrono::milliseconds(0);
  EXPECT_EQ(expires_at(named), std::nullopt);
  EXPECT_THAT(sessions_as_lines({named}, kNow), HasSubstr("never expires"));
  SessionState used = session("t2");
  used.in_use = true;
  EXPECT_EQ(expires_at(used), std::nullopt);
  SessionState process = session("process-1-2");
  process.kind = SessionIdentity::Kind::kProcess;
  EXPECT_EQ(expires_at(process), std::nullopt);
}

TEST(SessionState, AllAboutOne) {
  SessionState state = session("t1");
  state.cassettes = {cassette("/p/w.yaml", 1, 12, 3), cassette("/q/all.yaml", 2, 2, 2),
                     cassette("/q/empty.yaml", 3, 0, 0)};
  state.cassettes[2].counts.record_failures = 4;
  const std::string text = session_as_text(state, kNow, "/p");
  EXPECT_THAT(text, StartsWith("id: t1\nkind: named\nstate: idle\n"));
  EXPECT_THAT(text, HasSubstr("last used: " + std::string(kNowText) + "\n"));
  EXPECT_THAT(text, HasSubstr("cassette: w.yaml\n  next: #4 of 12\n  replayed: 3\n  recorded: 0\n"
                              "  missed: 0\n  unused: 9\ncassette: /q/all.yaml\n"
                              "  next: all played\n"));
  EXPECT_THAT(text, HasSubstr("  next: nothing to play\n"));
  EXPECT_THAT(text, HasSubstr("  could not be recorded: 4\n"));
  EXPECT_THAT(text, Not(HasSubstr("relayed")));
  state.cassettes[0].counts.relayed = 1;
  state.cassettes[0].counts.refused = 2;
  state.cassettes[0].counts.redacted = 3;
  EXPECT_THAT(
      session_as_text(state, kNow, "/p"),
      HasSubstr("  unused: 9\n  relayed: 1\n  refused: 2\n  values redacted in responses: 3\n"));
}

TEST(SessionState, AsJson) {
  SessionState state = session("t\xff");
  state.cassettes = {cassette("/p/w.yaml", 1, 12, 3), cassette("/q/all.yaml", 2, 2, 2)};
  state.cassettes[0].counts.relayed = 1;
  state.cassettes[0].counts.refused = 2;
  state.cassettes[0].counts.redacted = 5;
  auto object = json(session_as_json(state));
  EXPECT_STREQ(object["id"].GetString(), "t\xc3\xbf");
  EXPECT_STREQ(object["kind"].GetString(), "named");
  EXPECT_FALSE(object["in_use"].GetBool());
  EXPECT_STREQ(object["last_used"].GetString(), kNowText);
  EXPECT_EQ(object["ttl_milliseconds"].GetUint64(), 60'000u);
  EXPECT_STREQ(object["expires"].GetString(), "2023-11-14T22:14:20.000001Z");
  const auto& first = object["cassettes"][0];
  EXPECT_STREQ(first["cassette"].GetString(), "/p/w.yaml");
  EXPECT_EQ(first["interactions"].GetUint64(), 12u);
  EXPECT_EQ(first["replayed"].GetUint64(), 3u);
  EXPECT_EQ(first["unused"].GetUint64(), 9u);
  EXPECT_EQ(first["relayed"].GetUint64(), 1u);
  EXPECT_EQ(first["refused"].GetUint64(), 2u);
  EXPECT_EQ(first["redacted"].GetUint64(), 5u);
  EXPECT_EQ(first["next"]["index"].GetUint64(), 4u);
  EXPECT_STREQ(first["next"]["id"].GetString(), "id13");
  EXPECT_TRUE(object["cassettes"][1]["next"].IsNull());
}

TEST(SessionState, ListAsJsonHasNoIdsOfInteractions) {
  SessionState state = session("t1");
  state.cassettes = {cassette("/p/w.yaml", 1, 12, 3)};
  state.cassettes[0].ids.clear();
  SessionState tree = session("17-3");
  tree.kind = SessionIdentity::Kind::kTree;
  auto array = json(sessions_as_json({state, tree}));
  ASSERT_TRUE(array.IsArray());
  ASSERT_EQ(array.Size(), 2u);
  EXPECT_EQ(array[0]["cassettes"][0]["next"]["index"].GetUint64(), 4u);
  EXPECT_FALSE(array[0]["cassettes"][0]["next"].HasMember("id"));
  EXPECT_TRUE(array[1]["ttl_milliseconds"].IsNull());
  EXPECT_TRUE(array[1]["expires"].IsNull());
  EXPECT_EQ(json(sessions_as_json({})).Size(), 0u);
}

// ---- history ----

TEST(SessionHistory, ALineEach) {
  SessionState state = session("t1");
  state.cassettes = {cassette("/p/w.yaml", 1, 12, 3)};
  HistoryEntry replayed = request(HistoryOutcome::kReplayed);
  replayed.interaction = 2;
  HistoryEntry missed = request(HistoryOutcome::kMissed);
  missed.reason = static_cast<std::uint8_t>(MissReason::kUsedUp);
  missed.status = 599;
  HistoryEntry failed = request(HistoryOutcome::kForwarded);
  failed.status = 0;
  failed.uri = "http://h/\x1b[31m\n";
  const std::string text = requests_as_lines(
      {replayed, missed, request(HistoryOutcome::kRecorded), failed}, state, "/p");
  EXPECT_EQ(
      text,
      "2023-11-14T22:13:20.000001Z  17  18  curl  GET  http://h/p?q=1       200  replayed #3      2 us\n"
      "2023-11-14T22:13:20.000001Z  17  18  curl  GET  http://h/p?q=1       599  missed: used up  2 us\n"
      "2023-11-14T22:13:20.000001Z  17  18  curl  GET  http://h/p?q=1       200  recorded         2 us\n"
      "2023-11-14T22:13:20.000001Z  17  18  curl  GET  http://h/\\x1b[31m\\n    -  forwarded        2 us\n");
}

TEST(SessionHistory, OfSeveralCassettesTheOneThatWasAskedIsNamed) {
  SessionState state = session("t1");
  state.cassettes = {cassette("/p/w.yaml", 1, 12, 3), cassette("/q/x.yaml", 2, 1, 0)};
  HistoryEntry replayed = request(HistoryOutcome::kReplayed, 2);
  replayed.interaction = 0;
  EXPECT_THAT(requests_as_lines({replayed}, state, "/p"), HasSubstr("replayed #1 (/q/x.yaml)"));
  EXPECT_THAT(requests_as_lines({request(HistoryOutcome::kRecorded)}, state, "/p"),
              HasSubstr("recorded (w.yaml)"));
  // One that the session does not have open.
  EXPECT_THAT(requests_as_lines({request(HistoryOutcome::kRecorded, 3)}, state, "/p"),
              HasSubstr("recorded  2 us"));
}

TEST(SessionHistory, Durations) {
  EXPECT_EQ(duration_text(0), "0 us");
  EXPECT_EQ(duration_text(999'999), "999 us");
  EXPECT_EQ(duration_text(1'000'000), "1.0 ms");
  EXPECT_EQ(duration_text(34'560'000), "34.6 ms");
  EXPECT_EQ(duration_text(1'234'000'000), "1.23 s");
}

TEST(SessionHistory, DroppedRequestsAreTold) {
  const SessionState state = session("t1");
  History::Contents history;
  history.entries = {request(HistoryOutcome::kRecorded)};
  EXPECT_EQ(history_answer(history, state, "/p", false).complaint, "");
  history.dropped = 12;
  const Answer answer = history_answer(history, state, "/p", false);
  EXPECT_EQ(answer.complaint, "12 older requests were dropped");
  EXPECT_EQ(answer.status, kOk);
  EXPECT_THAT(answer.output, HasSubstr("recorded"));
  history.dropped = 1;
  EXPECT_EQ(history_answer(history, state, "/p", true).complaint, "1 older request was dropped");
}

TEST(SessionHistory, AsJson) {
  SessionState state = session("t1");
  state.cassettes = {cassette("/p/w.yaml", 1, 12, 3)};
  History::Contents history;
  history.entries = {request(HistoryOutcome::kReplayed), request(HistoryOutcome::kMissed, 0)};
  history.entries[0].interaction = 2;
  history.entries[1].reason = static_cast<std::uint8_t>(MissReason::kNoSuchRequest);
  history.entries[1].status = 0;
  history.dropped = 7;
  auto object = json(history_answer(history, state, "/p", true).output);
  EXPECT_EQ(object["dropped"].GetUint64(), 7u);
  ASSERT_EQ(object["requests"].Size(), 2u);
  const auto& replayed = object["requests"][0];
  EXPECT_STREQ(replayed["time"].GetString(), kNowText);
  EXPECT_EQ(replayed["duration_nanoseconds"].GetUint64(), 2'500u);
  EXPECT_EQ(replayed["pid"].GetInt(), 17);
  EXPECT_EQ(replayed["tid"].GetInt(), 18);
  EXPECT_STREQ(replayed["program"].GetString(), "curl");
  EXPECT_STREQ(replayed["method"].GetString(), "GET");
  EXPECT_STREQ(replayed["uri"].GetString(), "http://h/p?q=1");
  EXPECT_EQ(replayed["status"].GetInt(), 200);
  EXPECT_STREQ(replayed["outcome"].GetString(), "replayed");
  EXPECT_TRUE(replayed["reason"].IsNull());
  EXPECT_STREQ(replayed["cassette"].GetString(), "/p/w.yaml");
  EXPECT_EQ(replayed["index"].GetInt(), 3);
  EXPECT_STREQ(replayed["id"].GetString(), "id12");
  const auto& missed = object["requests"][1];
  EXPECT_STREQ(missed["outcome"].GetString(), "missed");
  EXPECT_STREQ(missed["reason"].GetString(), "no such request");
  for (const char* name : {"status", "cassette", "index", "id"})
    EXPECT_TRUE(missed[name].IsNull()) << name;
}

// ---- what was done ----

TEST(SessionAnswers, WhatTheStoreFoundDecidesAboutTheStatus) {
  using Found = Result<std::optional<int>>;
  auto say = [](int found) { return Answer{kOk, std::to_string(found), ""}; };
  EXPECT_EQ(answer_of(Found(std::optional(3)), "t1", say).output, "3");
  const Answer absent = answer_of(Found(std::optional<int>()), "t\n1", say);
  EXPECT_EQ(absent.status, kNoSuchSession);
  EXPECT_EQ(absent.output, "");
  EXPECT_THAT(absent.complaint, AllOf(HasSubstr("\"t\\n1\""), HasSubstr("session list")));
  const Answer broken = answer_of(Found(Error{"no memory"}), "t1", say);
  EXPECT_EQ(broken.status, kFailed);
  EXPECT_EQ(broken.complaint, "no memory");
}

TEST(SessionAnswers, Register) {
  const Answer fresh = register_answer({Registration::kRegistered, "t1", 64}, false);
  EXPECT_EQ(fresh.status, kOk);
  EXPECT_EQ(fresh.output, "t1\n");
  EXPECT_EQ(fresh.complaint, "");
  const Answer again = register_answer({Registration::kAlreadyRegistered, "t1", 64}, false);
  EXPECT_EQ(again.status, kAlreadyRegistered);
  EXPECT_EQ(again.output, "t1\n");
  EXPECT_THAT(again.complaint, HasSubstr("\"t1\" is registered already"));
  const Answer full = register_answer({Registration::kPoolFull, "t1", 7}, false);
  EXPECT_EQ(full.status, kPoolFull);
  EXPECT_EQ(full.output, "");
  EXPECT_THAT(full.complaint,
              AllOf(HasSubstr("7 named sessions"), HasSubstr("CASSETTE_MAX_SESSIONS"),
                    HasSubstr("--max-sessions"), HasSubstr("cassette session list")));
}

TEST(SessionAnswers, RegisterAsJson) {
  auto fresh = json(register_answer({Registration::kRegistered, "t1", 64}, true).output);
  EXPECT_STREQ(fresh["outcome"].GetString(), "registered");
  EXPECT_STREQ(fresh["id"].GetString(), "t1");
  EXPECT_EQ(fresh["limit"].GetInt(), 64);
  const Answer again = register_answer({Registration::kAlreadyRegistered, "t1", 64}, true);
  EXPECT_EQ(again.status, kAlreadyRegistered);
  EXPECT_STREQ(json(again.output)["outcome"].GetString(), "already registered");
  const Answer full = register_answer({Registration::kPoolFull, "t1", 7}, true);
  EXPECT_EQ(full.status, kPoolFull);
  EXPECT_STREQ(json(full.output)["outcome"].GetString(), "pool full");
  EXPECT_TRUE(json(full.output)["id"].IsNull());
}

TEST(SessionAnswers, Unregister) {
  EXPECT_EQ(unregister_answer("t1", false).output, "");
  EXPECT_EQ(unregister_answer("t1", false).status, kOk);
  auto object = json(unregister_answer("t1", true).output);
  EXPECT_STREQ(object["id"].GetString(), "t1");
  EXPECT_TRUE(object["ended"].GetBool());
}

TEST(SessionAnswers, Rewind) {
  const Answer all = rewind_answer("t1", std::nullopt, 2, false);
  EXPECT_EQ(all.output, "2 cassettes rewound\n");
  EXPECT_EQ(all.complaint, "");
  EXPECT_EQ(rewind_answer("t1", "/p/w.yaml", 1, false).output, "1 cassette rewound\n");
  // A misspelt path should not look like success.
  const Answer none = rewind_answer("t1", "/p/w.yaml", 0, false);
  EXPECT_EQ(none.status, kOk);
  EXPECT_THAT(none.complaint, HasSubstr("has not opened /p/w.yaml"));
  // Nothing was opened, nothing is misspelt.
  EXPECT_EQ(rewind_answer("t1", std::nullopt, 0, false).complaint, "");
  auto object = json(rewind_answer("t1", "/p/w.yaml", 1, true).output);
  EXPECT_STREQ(object["cassette"].GetString(), "/p/w.yaml");
  EXPECT_EQ(object["rewound"].GetInt(), 1);
  EXPECT_TRUE(json(rewind_answer("t1", std::nullopt, 2, true).output)["cassette"].IsNull());
}

TEST(SessionAnswers, Advance) {
  EXPECT_EQ(advance_answer("t1", "/p/w.yaml", {3, 12}, false).output, "skipped #4 of 12\n");
  EXPECT_EQ(advance_answer("t1", "/p/w.yaml", {12, 12}, false).output,
            "nothing was left to skip of 12\n");
  auto object = json(advance_answer("t1", "/p/w.yaml", {3, 12}, true).output);
  EXPECT_EQ(object["skipped"]["index"].GetInt(), 4);
  EXPECT_EQ(object["interactions"].GetInt(), 12);
  EXPECT_STREQ(object["cassette"].GetString(), "/p/w.yaml");
  EXPECT_TRUE(json(advance_answer("t1", "/p/w.yaml", {12, 12}, true).output)["skipped"].IsNull());
}

TEST(SessionAnswers, Purge) {
  EXPECT_EQ(purge_answer({}, {}, false).output, "0 sessions removed\n");
  EXPECT_EQ(purge_answer({"t1"}, {}, false).output, "1 session removed\n");
  const Answer partly = purge_answer({"t1", "t2"}, {"t3: locked", "t4: gone"}, true);
  EXPECT_EQ(partly.status, kFailed);
  EXPECT_EQ(partly.complaint, "t3: locked\ncassette: t4: gone");
  auto object = json(partly.output);
  ASSERT_EQ(object["removed"].Size(), 2u);
  EXPECT_STREQ(object["removed"][1].GetString(), "t2");
}

}  // namespace
}  // namespace cassette
