// How a conversation gets from what the program sends to what it receives; what comes behind an answer is in
// endings_test.cc.
#include "tests/unit/preload/conversation_fixture.h"

namespace cassette {
namespace {

/// A ClientHello with that ALPN name, and that of the server.
std::string hello_offering(const std::string& protocol, const std::string& name = "h.example") {
  auto vector = [](int length_size, const std::string& content) {
    std::string bytes;
    while (length_size-- > 0) bytes += static_cast<char>(content.size() >> 8 * length_size);
    return bytes + content;
  };
  const std::string zero(1, '\0');
  const std::string extensions = zero + zero + vector(2, vector(2, zero + vector(2, name))) + zero +
                                 "\x10" + vector(2, vector(2, vector(1, protocol)));
  const std::string body = "\x03\x03" + std::string(32, 'r') + zero + vector(2, "\x13\x01") +
                           vector(1, zero) + vector(2, extensions);
  return "\x16\x03\x01" + vector(2, "\x01" + vector(3, body));
}

TEST_F(ConversationTest, PassesARecordedExchangeOnUnchanged) {
  Conversation& conversation = open();
  conversation.from_program(kGet);
  EXPECT_TRUE(conversation.needs_upstream());
  EXPECT_FALSE(conversation.answers_inline());
  EXPECT_EQ(upstream(), kGet);
  conversation.from_upstream(kAnswer);
  EXPECT_EQ(program(), kAnswer);
  EXPECT_TRUE(conversation.answers_inline());
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  EXPECT_EQ(interactions[0].uri, "http://h.example/a");
  EXPECT_EQ(interactions[0].response.body, "hello");
}

TEST_F(ConversationTest, PassesEveryByteOnAtOnceWhateverTheSplit) {
  std::string answer =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n";
  std::string request = "POST /a HTTP/1.1\r\nHost: h.example\r\nContent-Length: 4\r\n\r\nbody";
  Conversation& conversation = open();
  std::string sent;
  for (char byte : request) {
    conversation.from_program({&byte, 1});
    sent += upstream();
  }
  EXPECT_EQ(sent, request);
  for (std::size_t i = 0; i < answer.size(); ++i) {
    conversation.from_upstream({&answer[i], 1});
    EXPECT_EQ(program(), answer.substr(i, 1)) << i;
  }
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  EXPECT_EQ(interactions[0].response.body, "abcde");
  EXPECT_EQ(interactions[0].request.body, "body");
}

TEST_F(ConversationTest, AnswersFromTheCassetteWithoutTheServer) {
  record(kGet, kAnswer);
  Conversation& conversation = open();
  conversation.from_program(kGet);
  EXPECT_EQ(program(), kAnswer);
  EXPECT_FALSE(conversation.needs_upstream());
}

TEST_F(ConversationTest, AnswersPipelinedRequestsInOrder) {
  record(kGet, kAnswer);
  Conversation& conversation = open(RecordMode::kNone);
  std::string other = "GET /missing HTTP/1.1\r\nHost: h.example\r\n\r\n";
  conversation.from_program(kGet + other);
  std::string answers = program();
  EXPECT_EQ(answers.find(kAnswer), 0U);
  EXPECT_NE(answers.find("HTTP/1.1 599 Cassette Miss"), std::string::npos);
}

TEST_F(ConversationTest, ForwardsPipelinedRequestsOneAtATime) {
  Conversation& conversation = open();
  conversation.from_program(std::string(kGet) + kGet);
  EXPECT_EQ(upstream(), kGet);
  conversation.from_upstream(kAnswer);
  EXPECT_EQ(upstream(), kGet);
  conversation.from_upstream(kAnswer);
  EXPECT_EQ(program(), std::string(kAnswer) + kAnswer);
  EXPECT_EQ(recorded().size(), 2U);
}

TEST_F(ConversationTest, SaysContinueInReplayAndLeavesItToTheServerWhileRecording) {
  std::string head =
      "POST /a HTTP/1.1\r\nHost: h.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  Conversation& recording = open();
  recording.from_program(head);
  EXPECT_EQ(program(), "");
  EXPECT_EQ(upstream(), head);
  recording.from_upstream("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(program(), "HTTP/1.1 100 Continue\r\n\r\n");
  recording.from_program("ok");
  EXPECT_EQ(upstream(), "ok");
  recording.from_upstream(kAnswer);
  EXPECT_EQ(program(), kAnswer);
  ASSERT_EQ(recorded().size(), 1U);

  Conversation& replaying = open();
  replaying.from_program(head);
  EXPECT_EQ(program(), "HTTP/1.1 100 Continue\r\n\r\n");
  replaying.from_program("ok");
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(ConversationTest, EndsBehindAnUntilCloseResponse) {
  Conversation& recording = open();
  recording.from_program(kGet);
  recording.from_upstream("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
  EXPECT_FALSE(recording.ends_program());
  recording.upstream_finished();
  EXPECT_TRUE(recording.ends_program());
  EXPECT_EQ(recorded().at(0).response.body, "all of it");

  Conversation& replaying = open();
  replaying.from_program(kGet);
  EXPECT_EQ(program(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
  EXPECT_TRUE(replaying.ends_program());
}

TEST_F(ConversationTest, PassesGarbageFromTheServerOnUnrecorded) {
  Conversation& conversation = open();
  conversation.from_program(kGet);
  conversation.from_upstream("this is not HTTP\r\n");
  conversation.from_upstream("nor is this");
  EXPECT_EQ(program(), "this is not HTTP\r\nnor is this");
  finish_session();
  EXPECT_FALSE(cassette_exists(settings_.cassette));
}

TEST_F(ConversationTest, RelaysWhatIsNotHttp) {
  Conversation& conversation = open();
  conversation.from_program("PING\r\n");
  EXPECT_EQ(upstream(), "PING\r\n");
  conversation.from_upstream("PONG\r\n");
  EXPECT_EQ(program(), "PONG\r\n");
  conversation.program_finished();
  EXPECT_TRUE(conversation.ends_upstream());
  EXPECT_FALSE(conversation.ends_program());
}

TEST_F(ConversationTest, RelaysAServerThatSpeaksFirst) {
  Conversation& conversation = open();
  conversation.from_upstream("220 mail.example ESMTP\r\n");
  EXPECT_EQ(program(), "220 mail.example ESMTP\r\n");
  conversation.from_program("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(upstream(), "GET / HTTP/1.1\r\n\r\n");
}

TEST_F(ConversationTest, RefusesOtherProtocolsInModeNone) {
  Conversation& conversation = open(RecordMode::kNone);
  conversation.from_program("PING\r\n");
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
  EXPECT_FALSE(conversation.needs_upstream());
}

TEST_F(ConversationTest, NeverLetsTlsOutInReplay) {
  record(kGet, kAnswer);
  Conversation& conversation = open();  // once, with a cassette
  const std::string hello = hello_offering("http/1.1");
  conversation.from_program(hello.substr(0, 20));
  EXPECT_FALSE(conversation.ends_program());
  EXPECT_GT(conversation.patience(), 0);
  conversation.from_program(hello.substr(20));
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
  EXPECT_FALSE(conversation.needs_upstream());
}

TEST_F(ConversationTest, RelaysTlsOfAnotherProtocolUntouched) {
  const std::string hello = hello_offering("foo");
  for (bool behind_cassette : {false, true}) {
    if (behind_cassette) record(kGet, kAnswer);
    Conversation& conversation = open();
    for (char c : hello) conversation.from_program(std::string_view(&c, 1));
    EXPECT_EQ(upstream(), hello);
    conversation.from_upstream("\x16\x03\x03");
    EXPECT_EQ(program(), "\x16\x03\x03");
    finish_session();
  }
  Conversation& conversation = open(RecordMode::kNone);
  conversation.from_program(hello);
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
  EXPECT_FALSE(conversation.needs_upstream());
}

TEST_F(ConversationTest, RelaysHttp2WithinTlsWhileRecordingAlone) {
  Conversation& recording = open();
  recording.from_program(hello_offering("h2"));
  EXPECT_EQ(upstream(), hello_offering("h2"));
  finish_session();
  record(kGet, kAnswer);
  Conversation& replaying = open();
  replaying.from_program(hello_offering("h2"));
  EXPECT_FALSE(replaying.needs_upstream());
  EXPECT_EQ(replaying.reset_error(), ECONNREFUSED);
}

TEST_F(ConversationTest, RelaysWhatOnlyBeginsLikeTls) {
  const std::string bytes("\x16\x03\x01\x00\x05hello", 10);
  open().from_program(bytes);
  EXPECT_EQ(upstream(), bytes);
  const std::string cut = hello_offering("http/1.1").substr(0, 30);
  Conversation& conversation = open();
  conversation.from_program(cut);
  EXPECT_EQ(upstream(), "");
  conversation.deadline_passed();
  EXPECT_EQ(upstream(), cut);
}

TEST_F(ConversationTest, PassesTlsOfNamedHostsThrough) {
  const auto passes = [](const std::string& host, std::uint16_t) { return host == "pinned.test"; };
  for (const char* host : {"pinned.test", "10.0.0.1"}) {
    for (RecordMode mode : {RecordMode::kOnce, RecordMode::kNone}) {
      Conversation::Terms terms = terms_of(mode, host);
      terms.passes_tls = passes;
      conversation_ = std::make_unique<Conversation>(*deck_, terms);
      const std::string hello = hello_offering("http/1.1", "pinned.test");
      conversation_->from_program(hello);
      EXPECT_EQ(upstream(), mode == RecordMode::kOnce ? hello : "");
      EXPECT_EQ(conversation_->reset_error(), mode == RecordMode::kOnce ? 0 : ECONNREFUSED);
      finish_session();
    }
  }
}

TEST_F(ConversationTest, WaitsForAnIncompleteFirstLineUntilItsDeadline) {
  Conversation& conversation = open();
  conversation.from_program("PING");
  EXPECT_GT(conversation.patience(), 0);
  EXPECT_EQ(upstream(), "");
  conversation.deadline_passed();
  EXPECT_EQ(upstream(), "PING");
}

TEST_F(ConversationTest, WaitsLongerWhereALineThatWasCutTooEarlyWouldLeak) {
  Conversation& recording = open();
  recording.from_program("GE");
  const std::int64_t short_patience = recording.patience();
  finish_session();
  record(kGet, kAnswer);
  Conversation& replaying = open();  // once, with a cassette
  replaying.from_program("GE");
  EXPECT_GT(replaying.patience(), short_patience);
  replaying.from_program("T /a");
  replaying.deadline_passed();  // by now it can be nothing else
  EXPECT_EQ(replaying.patience(), 0);
  replaying.from_program(" HTTP/1.1\r\nHost: h.example\r\n\r\n");
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(ConversationTest, RefusesAProgramThatWaitsForTheServerToSpeakWhereNothingMayGoOut) {
  Conversation& conversation = open(RecordMode::kNone);
  EXPECT_GT(conversation.patience(), 0);
  conversation.deadline_passed();
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
}

TEST_F(ConversationTest, WaitsForEverWhereTheServerMaySpeak) { EXPECT_EQ(open().patience(), 0); }

TEST_F(ConversationTest, AnswersARefusedExpectationBeforeTheBodyAsTheServerDid) {
  std::string head =
      "POST /a HTTP/1.1\r\nHost: h.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  std::string refused =
      "HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  record(head, refused);
  Conversation& conversation = open(RecordMode::kNone);
  conversation.from_program(head);
  EXPECT_EQ(program(), refused);
  EXPECT_TRUE(conversation.ends_program());
}

TEST_F(ConversationTest, PlaysTheFieldsInTheOrderTheyWereSentIn) {
  std::string answer = "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nA: 3\r\nContent-Length: 0\r\n\r\n";
  for (const char* name : {"/c.yaml", "/c.json", "/c"}) {
    settings_.cassette = folder_ + name;
    record(kGet, answer);
    Conversation& conversation = open(RecordMode::kNone);
    conversation.from_program(kGet);
    EXPECT_EQ(program(), answer) << name;
    finish_session();
  }
}

TEST_F(ConversationTest, SendsAnUnfinishedRequestOnWhenTheProgramCloses) {
  Conversation& conversation = open();
  conversation.from_program("GET /half HTTP/1.1\r\nHost:");
  EXPECT_EQ(upstream(), "");
  conversation.program_finished();
  EXPECT_EQ(upstream(), "GET /half HTTP/1.1\r\nHost:");
  EXPECT_TRUE(conversation.ends_upstream());
}

constexpr char kConnect[] = "CONNECT far.example:80 HTTP/1.1\r\nHost: far.example:80\r\n\r\n";
constexpr char kFarGet[] = "GET /a HTTP/1.1\r\nHost: far.example\r\n\r\n";

std::string connect_with(const std::string& field) {
  return "CONNECT far.example:80 HTTP/1.1\r\nHost: far.example:80\r\n" + field + "\r\n";
}

TEST_F(ConversationTest, RecordsWithinATunnelAndReplaysWithoutTheProxy) {
  Conversation& recording = open();
  recording.from_program(kConnect);
  EXPECT_EQ(upstream(), kConnect);
  recording.from_upstream("HTTP/1.1 200 Fine\r\nVia: p\r\n\r\n");
  EXPECT_EQ(program(), "HTTP/1.1 200 Fine\r\nVia: p\r\n\r\n");
  recording.from_program(kFarGet);
  EXPECT_EQ(upstream(), kFarGet);
  recording.from_upstream(kAnswer);
  EXPECT_EQ(program(), kAnswer);
  finish_session();
  auto cassette = load_cassette(settings_.cassette);
  ASSERT_TRUE(cassette.ok());
  ASSERT_EQ(cassette->interactions.size(), 1U);
  EXPECT_EQ(cassette->interactions[0].uri, "http://far.example/a");

  Conversation& replaying = open(RecordMode::kNone);
  replaying.from_program(kConnect);
  EXPECT_EQ(program(), "HTTP/1.1 200 Connection established\r\n\r\n");
  replaying.from_program(kFarGet);
  EXPECT_EQ(program().substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_EQ(upstream(), "");
  EXPECT_FALSE(replaying.needs_upstream());
}

TEST_F(ConversationTest, TakesWhatTheProgramSendsBehindItsConnectAtOnce) {
  record(std::string(kConnect), "HTTP/1.1 200 OK\r\n\r\n");
  record(kFarGet, kAnswer);
  Conversation& replaying = open(RecordMode::kNone);
  replaying.from_program(std::string(kConnect) + kFarGet);
  std::string answer = program();
  EXPECT_EQ(answer.find("HTTP/1.1 200 Connection established"), 0U);
  EXPECT_NE(answer.find("hello"), std::string::npos);
}

TEST_F(ConversationTest, AsksTheProxyForATunnelWhenSomethingIsToBeRecorded) {
  record(kFarGet, kAnswer);
  settings_.mode = RecordMode::kNewEpisodes;
  deck_ = std::make_unique<Deck>(settings_, "");
  Conversation::Terms terms;
  terms.host = "far.example";  // as if the proxy were in the cassette: nothing is connected yet
  terms.port = 80;
  terms.policy = deck_->current()->upstream_policy(terms.host, terms.port);
  ASSERT_EQ(terms.policy, UpstreamPolicy::kOnDemand);
  terms.may_relay = true;
  conversation_ = std::make_unique<Conversation>(*deck_, terms);
  conversation_->from_program(std::string(kConnect) + kFarGet);
  program();
  EXPECT_EQ(upstream(), "");
  conversation_->from_program("GET /new HTTP/1.1\r\nHost: far.example\r\n\r\n");
  EXPECT_EQ(upstream(), kConnect);
  conversation_->from_upstream("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(program(), "");
  EXPECT_EQ(upstream(), "GET /new HTTP/1.1\r\nHost: far.example\r\n\r\n");
  conversation_->from_upstream(kAnswer);
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(ConversationTest, ResetsTheProgramWhenTheProxyRefusesLate) {
  record(kFarGet, kAnswer);
  settings_.mode = RecordMode::kNewEpisodes;
  deck_ = std::make_unique<Deck>(settings_, "");
  Conversation::Terms terms;
  terms.host = "far.example";
  terms.port = 80;
  terms.policy = UpstreamPolicy::kOnDemand;
  conversation_ = std::make_unique<Conversation>(*deck_, terms);
  conversation_->from_program(std::string(kConnect) +
                              "GET /new HTTP/1.1\r\nHost: far.example\r\n\r\n");
  program();
  EXPECT_EQ(upstream(), kConnect);
  conversation_->from_upstream("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  EXPECT_NE(conversation_->reset_error(), 0);
  EXPECT_EQ(upstream(), "");
}

TEST_F(ConversationTest, GivesTheProgramTheProxysRefusal) {
  const std::string refusal = "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno";
  Conversation& recording = open();
  recording.from_program(kConnect);
  upstream();
  recording.from_upstream(refusal);
  EXPECT_EQ(program(), refusal);
  const std::string with_password = connect_with("Proxy-Authorization: Basic c2VjcmV0\r\n");
  recording.from_program(with_password);
  EXPECT_EQ(upstream(), with_password);
  recording.from_upstream("HTTP/1.1 200 OK\r\n\r\n");
  program();
  recording.from_program(kFarGet);
  recording.from_upstream(kAnswer);
  const auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 2U);
  EXPECT_EQ(interactions[0].request.method, "CONNECT");
  EXPECT_EQ(interactions[0].uri, "http://far.example/");
  EXPECT_EQ(interactions[0].response.status, 407);
  EXPECT_EQ(interactions[0].response.body, "no");

  // Whatever the order, a refusal of one without a password is none of one with it.
  for (Order order : {Order::kMatched, Order::kFirst, Order::kSequential}) {
    settings_.order = order;
    Conversation& replaying = open(RecordMode::kNone);
    replaying.from_program(kConnect);
    EXPECT_EQ(program(), refusal);
    replaying.from_program(with_password);
    EXPECT_EQ(program(), "HTTP/1.1 200 Connection established\r\n\r\n");
    replaying.from_program(kFarGet);
    EXPECT_EQ(program(), kAnswer);
    EXPECT_FALSE(replaying.needs_upstream());
    finish_session();
  }
}

TEST_F(ConversationTest, OpensATunnelBehindItsRefusal) {
  const std::string refusal = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
  record(kConnect, refusal);
  open(RecordMode::kNone).from_program(std::string(kConnect) + kConnect);
  EXPECT_EQ(program(), refusal + "HTTP/1.1 200 Connection established\r\n\r\n");
  EXPECT_FALSE(conversation_->needs_upstream());
}

TEST_F(ConversationTest, LetsTunnelsToIgnoredPlacesThrough) {
  Conversation::Terms terms;
  settings_.mode = RecordMode::kNone;
  deck_ = std::make_unique<Deck>(settings_, "");
  terms.host = "h.example";
  terms.port = 80;
  terms.intercepts = [](const std::string& host, std::uint16_t) { return host != "far.example"; };
  conversation_ = std::make_unique<Conversation>(*deck_, terms);
  conversation_->from_program(kConnect);
  EXPECT_EQ(upstream(), kConnect);
  conversation_->from_upstream("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(program(), "HTTP/1.1 200 OK\r\n\r\n");
  conversation_->from_program("\x16\x03\x01 anything");
  EXPECT_EQ(upstream(), "\x16\x03\x01 anything");
}

TEST_F(ConversationTest, MissesWhatIsNearlyHttpWhereRecordingsAreOnlyPlayed) {
  record(kGet, kAnswer);
  for (const char* line : {"GET /a HTTP/2.0\r\n\r\n", " GET /a HTTP/1.1\r\n\r\n", "GET /a\r\n"}) {
    Conversation& conversation = open();  // once, with a cassette
    conversation.from_program(line);
    EXPECT_EQ(program().find("HTTP/1.1 599"), 0U) << line;
    EXPECT_TRUE(conversation.ends_program());
    EXPECT_FALSE(conversation.needs_upstream());
  }
  settings_.on_miss = OnMiss::kReset;
  Conversation& conversation = open();
  conversation.from_program("GET /a\r\n");
  EXPECT_EQ(program(), "");
  EXPECT_EQ(conversation.reset_error(), ECONNRESET);
}

TEST_F(ConversationTest, RelaysWhatIsNearlyHttpWhileRecording) {
  Conversation& conversation = open();
  conversation.from_program("GET /a\r\n");
  EXPECT_EQ(upstream(), "GET /a\r\n");
  conversation.from_upstream("hello");
  EXPECT_EQ(program(), "hello");
}

TEST_F(ConversationTest, NeverLetsSocksOutInReplay) {
  const std::string greeting("\x05\x01\x00", 3);
  open().from_program(greeting);
  EXPECT_EQ(upstream(), greeting);
  finish_session();
  record(kGet, kAnswer);
  Conversation& conversation = open();  // once, with a cassette
  conversation.from_program(greeting);
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
  EXPECT_FALSE(conversation.needs_upstream());
}

TEST_F(ConversationTest, TellsMethodsApartByTheirCase) {
  record("get /a HTTP/1.1\r\nHost: h.example\r\n\r\n", kAnswer);
  Conversation& conversation = open();
  conversation.from_program(kGet);
  EXPECT_EQ(program().find("HTTP/1.1 599"), 0U);
  conversation.from_program("get /a HTTP/1.1\r\nHost: h.example\r\n\r\n");
  EXPECT_EQ(program(), kAnswer);
}

TEST_F(ConversationTest, MissesTheBrokenRequestAndSaysWhat) {
  Conversation& conversation = open(RecordMode::kNone);
  conversation.from_program("GET / HTTP/1.1\r\nBad Header\x01: x\r\n\r\n");
  std::string answer = program();
  EXPECT_EQ(answer.find("HTTP/1.1 599"), 0U);
  EXPECT_TRUE(conversation.ends_program());
}

TEST_F(ConversationTest, ForwardsTheBrokenRequestUnrecorded) {
  std::string broken = "GET / HTTP/1.1\r\nBad Header\x01: x\r\n\r\n";
  Conversation& conversation = open();
  conversation.from_program(broken);
  EXPECT_EQ(upstream(), broken);
  conversation.from_upstream("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(program(), "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(ConversationTest, HasNoBodyInTheMissOfAHeadRequest) {
  Conversation& conversation = open(RecordMode::kNone);
  conversation.from_program("HEAD /a HTTP/1.1\r\nHost: h.example\r\n\r\n");
  std::string answer = program();
  EXPECT_EQ(answer.find("HTTP/1.1 599"), 0U);
  EXPECT_EQ(answer.find("\r\n\r\n"), answer.size() - 4);
}

TEST_F(ConversationTest, ResetsAMissWhenToldTo) {
  settings_.on_miss = OnMiss::kReset;
  Conversation& conversation = open(RecordMode::kNone);
  conversation.from_program(kGet);
  EXPECT_EQ(conversation.reset_error(), ECONNRESET);
  EXPECT_EQ(program(), "");
}

TEST_F(ConversationTest, ShowsAFailedServerAsItsErrno) {
  Conversation& conversation = open();
  conversation.from_program(kGet);
  conversation.upstream_failed(ECONNREFUSED);
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
}

TEST_F(ConversationTest, RecordsAnAnswerThatComesBeforeTheRequestIsComplete) {
  Conversation& conversation = open();
  std::string head = "POST /a HTTP/1.1\r\nHost: h.example\r\nContent-Length: 10\r\n\r\n12345";
  conversation.from_program(head);
  conversation.from_upstream("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(program(), "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  conversation.from_program("67890");
  EXPECT_EQ(upstream(), head + "67890");
  EXPECT_EQ(recorded().at(0).response.status, 413);
}

}  // namespace
}  // namespace cassette
