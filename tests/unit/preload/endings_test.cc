// How an answer comes and ends, beside what it says: that it is recorded, and comes and ends so in replay.
#include <thread>

#include "tests/unit/preload/conversation_fixture.h"

namespace cassette {
namespace {

constexpr char kPost[] =
    "POST /a HTTP/1.1\r\nHost: h.example\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr char kExpecting[] =
    "PUT /a HTTP/1.1\r\nHost: h.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

class EndingsTest : public ConversationTest {
 protected:
  /// Asks, in replay.
  Conversation& ask(std::string_view request = kGet) {
    Conversation& conversation = open(RecordMode::kNone);
    conversation.from_program(request);
    return conversation;
  }
  /// All that is queued, when the time for it has come.
  std::string program_in_time() {
    std::string all;
    Output& output = conversation_->to_program();
    while (!output.empty()) {
      const auto front = output.front(output.next_due());
      all.append(front);
      output.consume(front.size());
    }
    return all;
  }
  static void wait_long() { std::this_thread::sleep_for(std::chrono::milliseconds(60)); }
  static void wait_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(15)); }
};

TEST_F(EndingsTest, AResponseWithoutALengthEndsWithTheConnection) {
  for (std::string fields : {"", "Transfer-Encoding: identity\r\n"}) {
    const std::string answer = "HTTP/1.1 200 OK\r\n" + fields + "\r\nall of it";
    std::filesystem::remove(settings_.cassette);
    Conversation& recording = open();
    recording.from_program(kGet);
    recording.from_upstream(answer);
    recording.upstream_finished();
    finish_session();

    Conversation& replaying = ask();
    EXPECT_EQ(program(), answer);
    EXPECT_TRUE(replaying.ends_program());
    finish_session();
  }
}

TEST_F(EndingsTest, AResponseWithoutALengthThatAnotherToolRecordedGetsOne) {
  Interaction interaction;
  interaction.request.method = "GET";
  interaction.uri = "http://h.example/a";
  interaction.response.status = 200;
  interaction.response.body = "hello";
  write(interaction);
  Conversation& replaying = ask();
  EXPECT_EQ(program(), "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_FALSE(replaying.ends_program());
}

TEST_F(EndingsTest, AServerThatClosesUnannouncedDoesInReplay) {
  Conversation& recording = open();
  recording.from_program(kGet);
  recording.from_upstream(kAnswer);
  recording.upstream_finished();
  EXPECT_TRUE(recording.ends_program());
  recording.program_finished();
  EXPECT_TRUE(recorded().at(0).closes);

  Conversation& replaying = ask();
  EXPECT_EQ(program(), kAnswer);
  EXPECT_TRUE(replaying.ends_program());
}

TEST_F(EndingsTest, AServerThatClosesAfterAWhileOrBehindTheProgramDoesNot) {
  for (bool program_first : {true, false}) {
    std::filesystem::remove(settings_.cassette);
    Conversation& recording = open();
    recording.from_program(kGet);
    recording.from_upstream(kAnswer);
    if (program_first) recording.program_finished();
    if (!program_first) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    recording.upstream_finished();
    recording.program_finished();
    recording.program_gone(true);
    EXPECT_FALSE(recorded().at(0).closes);
  }
}

TEST_F(EndingsTest, AnAnnouncedCloseIsNotNotedTwice) {
  Conversation& recording = open();
  recording.from_program(kGet);
  recording.from_upstream("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  recording.upstream_finished();
  recording.program_finished();
  EXPECT_FALSE(recorded().at(0).closes);
}

TEST_F(EndingsTest, ARequestThatMeetsAClosedConnectionIsRecorded) {
  Conversation& recording = open();
  recording.from_program(kGet);
  recording.from_upstream(kAnswer);
  recording.upstream_finished();
  program();
  recording.from_program("GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n");
  recording.program_finished();
  EXPECT_EQ(upstream(), "");
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 2U);
  // It was not the answer that ended the connection, as far as the program could see.
  EXPECT_FALSE(interactions[0].closes);
  EXPECT_EQ(interactions[1].uri, "http://h.example/b");
  EXPECT_EQ(interactions[1].error, "EOF");
  EXPECT_TRUE(interactions[1].response.body.empty());

  Conversation& replaying = ask();
  EXPECT_EQ(program(), kAnswer);
  EXPECT_FALSE(replaying.ends_program());
  replaying.from_program("GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n");
  EXPECT_EQ(program(), "");
  EXPECT_TRUE(replaying.ends_program());
  EXPECT_EQ(replaying.reset_error(), 0);
}

TEST_F(EndingsTest, ACloseInPlaceOfAnAnswerIsAnError) {
  // Before a byte, and within the head.
  for (std::string came : {"", "HTTP/1.1 200 OK\r\nContent-Le"}) {
    std::filesystem::remove(settings_.cassette);
    Conversation& recording = open();
    recording.from_program(kGet);
    recording.from_upstream(came);
    recording.upstream_finished();
    EXPECT_EQ(recorded().at(0).error, "EOF") << came;

    Conversation& replaying = ask();
    EXPECT_EQ(program(), "");
    EXPECT_TRUE(replaying.ends_program());
    EXPECT_EQ(replaying.reset_error(), 0);
    finish_session();
  }
}

TEST_F(EndingsTest, AResponseThatWasCutShortIsPlayedAsFarAsItCame) {
  const std::string with_length = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
  const std::string in_chunks =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n";
  for (const std::string& answer : {with_length, in_chunks}) {
    for (bool reset : {false, true}) {
      std::filesystem::remove(settings_.cassette);
      Conversation& recording = open();
      recording.from_program(kGet);
      recording.from_upstream(answer);
      reset ? recording.upstream_failed(ECONNRESET) : recording.upstream_finished();
      EXPECT_EQ(program(), answer);
      auto interactions = recorded();
      ASSERT_EQ(interactions.size(), 1U);
      EXPECT_EQ(interactions[0].end, reset ? ResponseEnd::kReset : ResponseEnd::kEof);
      EXPECT_EQ(interactions[0].response.body, "only this");

      Conversation& replaying = ask();
      EXPECT_EQ(program(), answer);
      EXPECT_TRUE(replaying.ends_program());
      EXPECT_EQ(replaying.reset_error(), reset ? ECONNRESET : 0);
      finish_session();
    }
  }
}

TEST_F(EndingsTest, AResponseThatWasCutShortNeverLooksWholeToAnOldPeer) {
  record(kGet, "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nonly this");
  Interaction interaction;
  ask("GET /a HTTP/1.0\r\nHost: h.example\r\n\r\n");
  EXPECT_EQ(program(), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nonly this");
  finish_session();
  interaction.request.method = "GET";
  interaction.uri = "http://h.example/a";
  interaction.response.status = 200;
  interaction.response.headers.add("Content-Length", "2");  // redaction made the body longer
  interaction.response.body = "only this";
  interaction.end = ResponseEnd::kEof;
  write(interaction);
  for (const char* version : {"1.0", "1.1"}) {
    ask("GET /a HTTP/" + std::string(version) + "\r\nHost: h.example\r\n\r\n");
    EXPECT_NE(program().find("Content-Length: 10\r\n"), std::string::npos) << version;
    EXPECT_TRUE(conversation_->ends_program());
    finish_session();
  }
}

TEST_F(EndingsTest, AnAnswerThatTheProgramGaveUpWaitingForIsASilence) {
  Conversation& recording = open();
  recording.from_program(kGet);
  wait_long();
  recording.program_finished();
  recording.program_gone(true);
  EXPECT_FALSE(recording.exchanging());
  EXPECT_EQ(upstream(), kGet);       // it was asked all the same
  recording.from_upstream(kAnswer);  // too late
  Conversation& retry = open();
  retry.from_program(kGet);
  retry.from_upstream(kAnswer);
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 2U);
  EXPECT_EQ(interactions[0].error, "SILENCE");
  EXPECT_EQ(interactions[1].response.body, "hello");

  Conversation& replaying = ask();
  EXPECT_EQ(program(), "");
  EXPECT_FALSE(replaying.ends_program());
  replaying.from_program(kGet);  // pipelined: what is behind a silence is not answered
  EXPECT_EQ(program(), "");
  replaying.program_finished();
  EXPECT_FALSE(replaying.ends_program());
  ask();
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(EndingsTest, AProgramThatOnlyHalfClosedStillWaits) {
  Conversation& recording = open();
  recording.from_program(kGet);
  recording.program_finished();
  EXPECT_TRUE(recording.exchanging());
  recording.from_upstream(kAnswer);
  EXPECT_EQ(program(), kAnswer);
  EXPECT_EQ(recorded().at(0).response.body, "hello");
}

TEST_F(EndingsTest, WhatWasPipelinedByAProgramThatLeftIsSentAndSilent) {
  Conversation& recording = open();
  recording.from_program(std::string(kGet) + kGet + kGet);
  wait_long();
  recording.program_gone(true);
  EXPECT_EQ(upstream(), std::string(kGet) + kGet + kGet);
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 3U);
  for (const Interaction& interaction : interactions) EXPECT_EQ(interaction.error, "SILENCE");
}

TEST_F(EndingsTest, AServerThatClosesBehindAnEarlyAnswerMayStillListen) {
  Conversation& conversation = open();
  conversation.from_program(
      "POST /a HTTP/1.1\r\nHost: h.example\r\nContent-Length: 10\r\n\r\nhalf ");
  upstream();
  EXPECT_TRUE(conversation.answers_inline());
  conversation.from_upstream("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  conversation.upstream_finished();
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_FALSE(conversation.ends_upstream());
  EXPECT_FALSE(conversation.is_over());
  conversation.from_program("of it");
  EXPECT_EQ(upstream(), "of it");
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  EXPECT_EQ(interactions[0].response.status, 413);
}

TEST_F(EndingsTest, AProgramThatDidNotWaitAtAllDoesNotMakeASilenceOfWhatComes) {
  for (bool comes : {true, false}) {
    std::filesystem::remove(settings_.cassette);
    Conversation& recording = open();
    recording.from_program(kGet);
    recording.program_gone(true);
    EXPECT_TRUE(recording.exchanging());
    recording.from_upstream(std::string_view(kAnswer).substr(0, comes ? -1 : 40));
    recording.program_exits();
    EXPECT_FALSE(recording.exchanging());
    auto interactions = recorded();
    ASSERT_EQ(interactions.size(), 1U);
    EXPECT_EQ(interactions[0].error, comes ? "" : "SILENCE");
  }
}

TEST_F(EndingsTest, ARequestThatTheProgramDidNotFinishIsNoSilence) {
  Conversation& recording = open();
  recording.from_program("POST /a HTTP/1.1\r\nHost: h.example\r\nContent-Length: 9\r\n\r\nhalf");
  recording.program_finished();
  recording.program_gone(true);
  EXPECT_FALSE(recording.exchanging());
  finish_session();
  EXPECT_FALSE(cassette_exists(settings_.cassette));
}

TEST_F(EndingsTest, AnAnswerThatBecomesWholeBehindTheProgramsBackIsRecordedWhole) {
  Conversation& recording = open();
  recording.from_program(kGet);
  recording.from_upstream("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  recording.program_gone(true);
  EXPECT_TRUE(recording.exchanging());
  recording.from_upstream("llo");
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  EXPECT_EQ(interactions[0].end, ResponseEnd::kWhole);
  EXPECT_EQ(interactions[0].response.body, "hello");
}

TEST_F(EndingsTest, AnEndlessAnswerIsPlayedAsFarAsTheProgramSawItAndHeldOpen) {
  Conversation& recording = open();
  recording.from_program(kGet);
  recording.from_upstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
  recording.from_upstream("4\r\ntwo\n\r\n");  // at once, and yet not with the first
  recording.program_gone(true);
  recording.from_upstream("6\r\nthree\n\r\n");
  recording.program_exits();
  EXPECT_FALSE(recording.exchanging());
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  EXPECT_EQ(interactions[0].end, ResponseEnd::kOpen);
  EXPECT_EQ(interactions[0].response.body, "one\ntwo\n");
  ASSERT_EQ(interactions[0].chunks.size(), 2U);

  Conversation& replaying = ask();
  Output& output = replaying.to_program();
  const std::string first = drain(output);
  EXPECT_EQ(first, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_GT(replaying.next_due(), 0);
  const Output::Time one = output.next_due();
  EXPECT_EQ(output.front(one), "4\r\none\n\r\n");
  output.consume(output.front(one).size());
  EXPECT_GE(output.next_due(), one + 10'000'000);
  EXPECT_EQ(program_in_time(), "4\r\ntwo\n\r\n");
  EXPECT_FALSE(replaying.ends_program());
  EXPECT_EQ(replaying.reset_error(), 0);
}

TEST_F(EndingsTest, TheTimeToTheFirstByteIsKept) {
  Conversation& recording = open();
  recording.from_program(kGet);
  wait_a_little();
  recording.from_upstream(kAnswer);
  recording.from_program("GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n");
  recording.from_upstream(kAnswer);
  auto interactions = recorded();
  EXPECT_GE(interactions.at(0).first_byte_milliseconds, 15U);
  EXPECT_TRUE(interactions.at(0).chunks.empty());

  settings_.replay_speed = 0.5;
  Conversation& replaying = ask();
  Output& output = replaying.to_program();
  EXPECT_TRUE(output.front(0).empty());
  EXPECT_EQ(output.front(output.next_due()), kAnswer);
  finish_session();
  settings_.replay_speed = 0;
  ask();
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(EndingsTest, TheTimeCountsFromTheEndOfTheRequest) {
  Conversation& recording = open();
  recording.from_program("POST /a HTTP/1.1\r\nHost: h.example\r\nContent-Length: 5\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  recording.from_program("hello");
  recording.from_upstream(kAnswer);
  EXPECT_LT(recorded().at(0).first_byte_milliseconds, 300U);
}

TEST_F(EndingsTest, APieceThatCameBehindTheHeadIsKeptAndComesSo) {
  Conversation& recording = open();
  recording.from_program(kGet);
  recording.from_upstream("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  wait_a_little();
  recording.from_upstream("hello");
  auto interactions = recorded();
  ASSERT_EQ(interactions.at(0).chunks.size(), 1U);
  EXPECT_GE(interactions[0].chunks[0].milliseconds, 15U);

  settings_.replay_speed = 1;
  Conversation& replaying = ask();
  Output& output = replaying.to_program();
  const Output::Time head_due = output.next_due();
  EXPECT_EQ(output.front(head_due), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  output.consume(output.front(head_due).size());
  EXPECT_GE(output.next_due() - head_due, 10'000'000);
  EXPECT_EQ(program_in_time(), "hello");
}

TEST_F(EndingsTest, EachPieceHasItsTimeAndTheHeadItsOwn) {
  Interaction interaction;
  interaction.request.method = "GET";
  interaction.uri = "http://h.example/a";
  interaction.response.status = 200;
  interaction.response.reason = "OK";
  interaction.response.headers.add("Transfer-Encoding", "chunked");
  interaction.response.body = "firstsecond";
  interaction.chunks = {{0, 50}, {5, 200}};
  interaction.first_byte_milliseconds = 20;
  write(interaction);
  settings_.replay_speed = 1;
  Output& output = ask().to_program();
  EXPECT_TRUE(output.front(0).empty());
  const Output::Time head = output.next_due();
  EXPECT_EQ(output.front(head), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  output.consume(output.front(head).size());
  const Output::Time first = output.next_due();
  EXPECT_EQ(output.front(first), "5\r\nfirst\r\n");
  output.consume(output.front(first).size());
  EXPECT_NEAR(static_cast<double>(first - head), 30e6, 1);
  EXPECT_NEAR(static_cast<double>(output.next_due() - first), 150e6, 1);
  EXPECT_EQ(program_in_time(), "6\r\nsecond\r\n0\r\n\r\n");
}

TEST_F(EndingsTest, InformationalAnswersArePlayedBeforeTheFinalOne) {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
  const std::string busy = "HTTP/1.1 102 Processing\r\n\r\n";
  record(kGet, hints + busy + kAnswer);
  ask();
  EXPECT_EQ(program(), hints + busy + kAnswer);
  finish_session();
  ask("GET /a HTTP/1.0\r\nHost: h.example\r\n\r\n");
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(EndingsTest, AContinueThatNobodyAskedForIsKeptAndTheOtherIsOurs) {
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  record(kGet, go_on + kAnswer);
  ask();
  EXPECT_EQ(program(), go_on + kAnswer);
  finish_session();

  std::filesystem::remove(settings_.cassette);
  Conversation& recording = open();
  recording.from_program(kExpecting);
  recording.from_upstream(go_on);
  recording.from_program("hello");
  recording.from_upstream(kAnswer);
  EXPECT_TRUE(recorded().at(0).informational.empty());
  ask(kExpecting);
  EXPECT_EQ(program(), go_on);
  conversation_->from_program("hello");
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(EndingsTest, TheNextRequestInPlaceOfARefusedBodyIsARequest) {
  const std::string expecting =
      "PUT /a HTTP/1.1\r\nHost: h.example\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n";
  const std::string refused = "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno";
  const std::string next = "GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n";
  Conversation& recording = open();
  recording.from_program(expecting);
  recording.from_upstream(refused);
  recording.from_program(next.substr(0, 7));  // too little to say
  EXPECT_EQ(upstream(), expecting);
  recording.from_program(next.substr(7));
  EXPECT_EQ(upstream(), next);
  recording.from_upstream(kAnswer);
  EXPECT_EQ(program(), refused + kAnswer);
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 2U);
  EXPECT_EQ(interactions[0].response.status, 401);
  EXPECT_EQ(interactions[1].uri, "http://h.example/b");

  Conversation& replaying = ask(expecting);
  EXPECT_EQ(program(), refused);
  for (char byte : next) replaying.from_program({&byte, 1});
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(EndingsTest, ABodyThatComesAllTheSameIsABody) {
  const std::string refused = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n";
  Conversation& recording = open();
  recording.from_program(kExpecting);
  recording.from_upstream(refused);
  recording.from_program("hello");  // as well the beginning of a method
  recording.from_program(kGet);
  EXPECT_EQ(upstream(), std::string(kExpecting) + "hello" + kGet);
  recording.from_upstream(kAnswer);
  EXPECT_EQ(recorded().size(), 2U);

  Conversation& replaying = ask(kExpecting);
  EXPECT_EQ(program(), refused);
  replaying.from_program("hello");
  replaying.from_program(kGet);
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(EndingsTest, AnAnswerThatEchoesTheRequestIsPlayedAsTheRequestComes) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  Conversation& recording = open();
  recording.from_program(kPost);
  recording.from_program("3\r\none\r\n");
  recording.from_upstream(head + "3\r\none\r\n");
  recording.from_program("3\r\ntwo\r\n");
  recording.from_upstream("3\r\ntwo\r\n");
  recording.from_program("0\r\n\r\n");
  recording.from_upstream("0\r\n\r\n");
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  ASSERT_EQ(interactions[0].chunks.size(), 2U);
  EXPECT_EQ(interactions[0].chunks[0].request_bytes, 3U);
  EXPECT_EQ(interactions[0].chunks[1].request_bytes, 6U);

  Conversation& replaying = ask(kPost);
  EXPECT_EQ(program(), head);
  replaying.from_program("3\r\none\r\n");
  EXPECT_EQ(program(), "3\r\none\r\n");
  replaying.from_program("3\r\ntwo\r\n");
  EXPECT_EQ(program(), "3\r\ntwo\r\n0\r\n\r\n");
  replaying.from_program("0\r\n\r\n");
  EXPECT_EQ(program(), "");
  // Its end is found: another follows.
  replaying.from_program(kGet);
  EXPECT_EQ(program().substr(0, 12), "HTTP/1.1 599");
}

TEST_F(EndingsTest, AnEchoComesAtTheEndWhereTheBodyDecides) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  Conversation& recording = open();
  recording.from_program(kPost);
  recording.from_program("3\r\none\r\n");
  recording.from_upstream(head + "3\r\none\r\n");
  recording.from_program("0\r\n\r\n");
  recording.from_upstream("0\r\n\r\n");
  finish_session();
  settings_.match_on.body = true;
  Conversation& replaying = ask(kPost);
  replaying.from_program("3\r\none\r\n");
  EXPECT_EQ(program(), "");
  replaying.from_program("0\r\n\r\n");
  EXPECT_EQ(program(), head + "3\r\none\r\n0\r\n\r\n");
}

TEST_F(EndingsTest, ASwitchToAnotherProtocolIsNotWaitedBehind) {
  Interaction interaction;
  interaction.request.method = "GET";
  interaction.uri = "http://h.example/a";
  interaction.response.status = 101;
  write(interaction);
  Conversation& replaying = ask();
  EXPECT_EQ(program(), "HTTP/1.1 101 \r\n\r\n");
  EXPECT_TRUE(replaying.ends_program());
}

}  // namespace
}  // namespace cassette
