// A program that says nothing: servers that speak first, where a cassette exists and where not.
#include <cerrno>

#include "tests/unit/preload/conversation_fixture.h"

namespace cassette {
namespace {

constexpr char kElsewhere[] = "mail.example";
constexpr std::int64_t kShortly = 250'000'000;
constexpr std::int64_t kLong = 3'000'000'000;

class GreetingTest : public ConversationTest {
 protected:
  /// With a cassette that has an answer of h.example, and none of kElsewhere.
  Conversation& behind_cassette(const std::string& host, RecordMode mode = RecordMode::kOnce) {
    record(kGet, kAnswer);
    return open(mode, host);
  }
  /// The same, when the silence has passed.
  Conversation& awaited(const std::string& host, RecordMode mode = RecordMode::kOnce) {
    Conversation& conversation = behind_cassette(host, mode);
    conversation.deadline_passed();
    EXPECT_TRUE(conversation.needs_upstream());
    EXPECT_TRUE(conversation.awaits_greeting());
    EXPECT_EQ(upstream(), "");
    EXPECT_EQ(conversation.patience(), 0);
    return conversation;
  }
};

TEST_F(GreetingTest, SilenceIsShortWhereTheCassetteHasNothing) {
  Conversation& conversation = behind_cassette(kElsewhere);
  EXPECT_EQ(conversation.patience(), kShortly);
  EXPECT_FALSE(conversation.needs_upstream());
}

TEST_F(GreetingTest, SilenceIsLongWhereTheCassetteAnswers) {
  for (RecordMode mode : {RecordMode::kOnce, RecordMode::kNewEpisodes}) {
    EXPECT_EQ(behind_cassette("h.example", mode).patience(), kLong);
    finish_session();
  }
}

TEST_F(GreetingTest, ServerThatSpeaksIsRelayed) {
  for (const char* host : {kElsewhere, "h.example"}) {
    Conversation& conversation = awaited(host);
    conversation.from_upstream("220 welcome\r\n");
    EXPECT_EQ(program(), "220 welcome\r\n");
    EXPECT_FALSE(conversation.awaits_greeting());
    conversation.from_program(kGet);  // whatever it says now
    EXPECT_EQ(upstream(), kGet);
    EXPECT_FALSE(conversation.lets_upstream_go());
    conversation.upstream_finished();
    EXPECT_TRUE(conversation.ends_program());
  }
}

TEST_F(GreetingTest, ProgramThatSpeaksHttpAfterAllIsAnsweredByTheCassette) {
  for (RecordMode mode : {RecordMode::kOnce, RecordMode::kNewEpisodes}) {
    Conversation& conversation = awaited("h.example", mode);
    conversation.from_program("GET /a ");
    EXPECT_TRUE(conversation.needs_upstream()) << "it may be another protocol";
    conversation.from_program(std::string_view(kGet).substr(7));
    EXPECT_EQ(program(), kAnswer);
    EXPECT_EQ(upstream(), "");
    EXPECT_FALSE(conversation.needs_upstream());
    EXPECT_TRUE(conversation.lets_upstream_go());
    EXPECT_FALSE(conversation.lets_upstream_go()) << "once";
    finish_session();
  }
}

TEST_F(GreetingTest, RequestThatIsForwardedTakesTheConnection) {
  Conversation& conversation = awaited("h.example", RecordMode::kNewEpisodes);
  conversation.from_program("GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n");
  EXPECT_TRUE(conversation.needs_upstream());
  EXPECT_FALSE(conversation.lets_upstream_go());
}

TEST_F(GreetingTest, ProgramThatSpeaksSomethingElseIsRelayed) {
  Conversation& conversation = awaited(kElsewhere);
  conversation.from_program("HELO\r\n");
  EXPECT_EQ(upstream(), "HELO\r\n");
  EXPECT_FALSE(conversation.lets_upstream_go());
}

TEST_F(GreetingTest, RequestToAnUnknownPlaceIsAMissAndLeavesTheServer) {
  Conversation& conversation = awaited(kElsewhere);
  conversation.from_program("GET /a HTTP/1.1\r\nHost: mail.example\r\n\r\n");
  EXPECT_EQ(program().find("HTTP/1.1 599"), 0U);
  EXPECT_EQ(upstream(), "");
  EXPECT_TRUE(conversation.lets_upstream_go());
}

TEST_F(GreetingTest, ServerThatCannotBeReachedIsTheProgramsErrorWhenItGoesOnWaiting) {
  Conversation& conversation = awaited(kElsewhere);
  conversation.upstream_failed(EHOSTUNREACH);
  EXPECT_TRUE(conversation.lets_upstream_go());
  EXPECT_FALSE(conversation.needs_upstream());
  EXPECT_FALSE(conversation.ends_program());
  EXPECT_EQ(conversation.patience(), kLong);
  conversation.deadline_passed();
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_EQ(conversation.reset_error(), EHOSTUNREACH);
}

TEST_F(GreetingTest, ServerThatCannotBeReachedIsNothingToAProgramThatSpeaksHttp) {
  for (bool closes : {false, true}) {
    Conversation& conversation = awaited("h.example");
    if (closes) {
      conversation.upstream_finished();
    } else {
      conversation.upstream_failed(ECONNREFUSED);
    }
    EXPECT_TRUE(conversation.lets_upstream_go());
    EXPECT_EQ(conversation.patience(), 0);
    EXPECT_FALSE(conversation.ends_program());
    conversation.from_program(kGet);
    EXPECT_EQ(program(), kAnswer);
    EXPECT_EQ(conversation.reset_error(), 0);
    finish_session();
  }
}

TEST_F(GreetingTest, ServerThatClosesWithoutAWordIsSeenToDoSo) {
  Conversation& conversation = awaited(kElsewhere);
  conversation.upstream_finished();
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_EQ(conversation.reset_error(), 0);
  EXPECT_FALSE(conversation.needs_upstream());
}

TEST_F(GreetingTest, ProgramThatLeavesTakesTheConnectionAlong) {
  Conversation& conversation = awaited(kElsewhere);
  conversation.program_finished();
  conversation.program_gone(/*closed=*/true);
  EXPECT_FALSE(conversation.needs_upstream());
  EXPECT_EQ(conversation.patience(), 0);
}

TEST_F(GreetingTest, ProgramThatSendsNothingAndEndsItsSideStillHearsTheServer) {
  Conversation& conversation = behind_cassette(kElsewhere);
  conversation.program_finished();
  EXPECT_FALSE(conversation.ends_program());
  EXPECT_EQ(conversation.patience(), kShortly);
  conversation.deadline_passed();
  EXPECT_TRUE(conversation.needs_upstream());
  EXPECT_TRUE(conversation.ends_upstream());
  conversation.from_upstream("the time\r\n");
  EXPECT_EQ(program(), "the time\r\n");
  conversation.upstream_finished();
  EXPECT_TRUE(conversation.ends_program());
}

TEST_F(GreetingTest, ProgramThatEndedItsSideDoesNotWaitForAServerThatIsNotThere) {
  Conversation& conversation = awaited(kElsewhere);
  conversation.program_finished();
  EXPECT_FALSE(conversation.ends_program());
  conversation.upstream_failed(ECONNREFUSED);
  EXPECT_TRUE(conversation.ends_program());
}

TEST_F(GreetingTest, WhileRecordingTheServerHearsTheEndAndMayStillSpeak) {
  Conversation& conversation = open();
  EXPECT_EQ(conversation.patience(), 0) << "the server is connected";
  conversation.program_finished();
  EXPECT_TRUE(conversation.ends_upstream());
  EXPECT_FALSE(conversation.ends_program());
  conversation.from_upstream("the time\r\n");
  EXPECT_EQ(program(), "the time\r\n");
  conversation.upstream_finished();
  EXPECT_TRUE(conversation.ends_program());
}

TEST_F(GreetingTest, WhereOnlyTheCassetteAnswersTheEndIsAnsweredAtOnce) {
  Conversation& known = behind_cassette("h.example");
  known.program_finished();
  EXPECT_TRUE(known.ends_program());
  finish_session();
  Conversation& unknown = behind_cassette(kElsewhere, RecordMode::kNone);
  unknown.program_finished();
  EXPECT_TRUE(unknown.ends_program());
}

TEST_F(GreetingTest, NoneLetsNothingOutAndRefuses) {
  Conversation& conversation = behind_cassette(kElsewhere, RecordMode::kNone);
  EXPECT_EQ(conversation.patience(), kLong);
  conversation.deadline_passed();
  EXPECT_FALSE(conversation.needs_upstream());
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
}

// ---- through a proxy ----

constexpr char kConnect[] = "CONNECT far.example:21 HTTP/1.1\r\nHost: far.example:21\r\n\r\n";
constexpr char kOpen[] = "HTTP/1.1 200 Connection established\r\n\r\n";

TEST_F(GreetingTest, ServerBehindATunnelMaySpeakFirst) {
  Conversation& conversation = behind_cassette("proxy.example");
  conversation.from_program(kConnect);
  EXPECT_EQ(program(), kOpen);
  EXPECT_FALSE(conversation.needs_upstream());
  EXPECT_EQ(conversation.patience(), kShortly);
  conversation.deadline_passed();
  EXPECT_EQ(upstream(), kConnect);
  conversation.from_upstream("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(program(), "");
  conversation.from_upstream("220 welcome\r\n");
  EXPECT_EQ(program(), "220 welcome\r\n");
  conversation.from_program("QUIT\r\n");
  EXPECT_EQ(upstream(), "QUIT\r\n");
}

TEST_F(GreetingTest, RequestInATunnelIsAnsweredWithoutTheProxyThatWasAsked) {
  record("GET http://far.example:21/a HTTP/1.1\r\nHost: far.example:21\r\n\r\n", kAnswer);
  Conversation& conversation = open(RecordMode::kOnce, "proxy.example");
  conversation.from_program(kConnect);
  EXPECT_EQ(program(), kOpen);
  EXPECT_EQ(conversation.patience(), kLong);
  conversation.deadline_passed();
  conversation.to_upstream();
  EXPECT_TRUE(conversation.needs_upstream()) << "the CONNECT waits there";
  conversation.from_program("GET /a HTTP/1.1\r\nHost: far.example:21\r\n\r\n");
  EXPECT_EQ(program(), kAnswer);
  EXPECT_TRUE(conversation.lets_upstream_go());
  EXPECT_EQ(upstream(), "") << "nor does the proxy get it later";
}

TEST_F(GreetingTest, TunnelThatTheProxyHasOpenedStays) {
  record("GET http://far.example:21/a HTTP/1.1\r\nHost: far.example:21\r\n\r\n", kAnswer);
  Conversation& conversation = open(RecordMode::kNewEpisodes, "proxy.example");
  conversation.from_program(kConnect);
  EXPECT_EQ(upstream(), kConnect);
  conversation.from_upstream(kOpen);
  EXPECT_EQ(program(), kOpen);
  conversation.deadline_passed();
  conversation.from_program("GET /a HTTP/1.1\r\nHost: far.example:21\r\n\r\n");
  EXPECT_EQ(program(), kAnswer);
  EXPECT_FALSE(conversation.lets_upstream_go());
}

}  // namespace
}  // namespace cassette
