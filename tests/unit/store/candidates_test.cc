// Which of several recorded interactions answers: the one that had the same secret, the one that is alike, and never a
// part of a body for one who asked for all of it.
#include "store/player/candidates.h"

#include <gtest/gtest.h>

#include "tests/unit/store/allocations.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

struct Request {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  Request(std::string where = "http://a/p", std::string what = "", Fields how = {})
      : uri(std::move(where)), body(std::move(what)), fields(std::move(how)) {}

  std::string uri, body;
  Fields fields;
};

class CandidatesTest : public StoreTest {
 protected:
  /// Records these, the way a program would.
  void record(const std::vector<std::pair<Request, std::string>>& all) {
    auto player = open(RecordMode::kOnce);
    for (const auto& [request, answer] : all) {
      Interaction recorded = interaction(request.uri, answer);
      recorded.request.method = "POST";
      recorded.request.body = request.body;
      recorded.request_has_body = !request.body.empty();
      for (const auto& [name, value] : request.fields) recorded.request.headers.add(name, value);
      if (answer.size() >= 4 && answer[3] == ' ') {
        recorded.response.status = std::stoi(answer);
        recorded.response.body = answer.substr(4);
      }
      ASSERT_TRUE(player->record(std::move(recorded)).ok());
    }
    player.leave();
    tree_ = new_tree();
  }

  /// The body of the answer, behind "~" where the history says that a secret differs; or the reason of a miss.
  std::string ask(Player& player, const Request& asked) {
    Headers headers;
    for (const auto& [name, value] : asked.fields) headers.add(name, value);
    RequestView request;
    request.method = "POST";
    request.uri = *parse_uri(asked.uri);
    request.headers = &headers;
    if (player.needs_body()) request.body = asked.body;
    const Decision decision = player.decide(request);
    if (decision.kind == Decision::Kind::kMiss) {
      last_miss_ = player.miss(request, decision, {});
      return decision.reason == MissReason::kUsedUp          ? "used up"
             : decision.reason == MissReason::kOutOfSequence ? "out of sequence"
                                                             : "no such request";
    }
    std::string scratch;
    const std::string_view wire = player.response(decision.interaction, {}, scratch).bytes;
    const std::string_view body = wire.substr(wire.find("\r\n\r\n") + 4);
    return (decision.differs_in_secret ? "~" : "") + std::string(body);
  }

  std::string last_miss_;
};

TEST_F(CandidatesTest, RequestsThatDifferInARedactedValueAreTwoRequests) {
  record({{{"http://a/p?access_token=a"}, "A"}, {{"http://a/p?access_token=b"}, "B"}});
  EXPECT_EQ(read(cassette()).find("access_token=a"), std::string::npos);
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=b"}), "B");
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=b"}), "used up");
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=a"}), "A");
  player.leave();
}

TEST_F(CandidatesTest, ATokenThatIsNewInEachRunMatchesAsItStands) {
  record({{{"http://a/p?access_token=a"}, "A"}, {{"http://a/p?access_token=b"}, "B"}});
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=new"}), "~A");
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=new"}), "~B");
  EXPECT_NE(read(log_file()).find("differs in a redacted value"), std::string::npos);
  player.leave();
}

TEST_F(CandidatesTest, APlaceholderOutOfAReplayedAnswerIsNoOtherSecret) {
  record({{{"http://a/p?access_token=a"}, "A"}});
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=%3Credacted%3E"}), "A");
  player.leave();
}

TEST_F(CandidatesTest, SecretsInWhateverIsMatchedCount) {
  for (const char* part : {"query", "uri", "body", "header:authorization", "headers"}) {
    std::filesystem::remove(cassette());
    tree_ = new_tree();
    settings_.match_on = MatchOn{};
    settings_.match_on.query = std::string_view(part) == "query";
    settings_.match_on.uri = std::string_view(part) == "uri";
    settings_.match_on.body = std::string_view(part) == "body";
    settings_.match_on.headers = std::string_view(part) == "headers";
    if (std::string_view(part).starts_with("header:"))
      settings_.match_on.header_names = {"authorization"};
    auto with = [&](const std::string& secret) {
      Request request;
      if (settings_.match_on.query || settings_.match_on.uri) request.uri += "?password=" + secret;
      if (settings_.match_on.body) {
        request.body = R"({"user": "u", "password": ")" + secret + "\"}";
        request.fields.emplace_back("Content-Type", "application/json");
      }
      if (settings_.match_on.headers || !settings_.match_on.header_names.empty())
        request.fields.emplace_back("Authorization", "Bearer " + secret);
      return request;
    };
    record({{with("one"), "1"}, {with("two"), "2"}, {with("three"), "3"}});
    EXPECT_EQ(read(cassette()).find("three"), std::string::npos) << part;
    auto player = open(RecordMode::kNone);
    EXPECT_EQ(ask(*player, with("three")), "3") << part;
    EXPECT_EQ(ask(*player, with("two")), "2") << part;
    EXPECT_EQ(ask(*player, with("four")), "~1") << part;
    EXPECT_EQ(ask(*player, with("three")), "used up") << part;
    player.leave();
  }
}

TEST_F(CandidatesTest, ASequenceDoesNotPlayAnothersAnswerEither) {
  record({{{"http://a/p?access_token=a"}, "A"}, {{"http://a/p?access_token=b"}, "B"}});
  settings_.order = Order::kSequential;
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=b"}), "out of sequence");
  EXPECT_NE(last_miss_.find("a redacted value"), std::string::npos) << last_miss_;
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=a"}), "A");
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=new"}), "~B");
  player.leave();
}

TEST_F(CandidatesTest, EqualSecretsOfTwoCassettesDoNotLookEqual) {
  auto digest = [this] {
    const std::string text = read(cassette());
    const std::size_t at = text.find("redacted: {");
    return at == text.npos ? std::string() : text.substr(at, text.find('\n', at) - at);
  };
  const Request request{"http://a/p?access_token=a", "", {{"Authorization", "Bearer x"}}};
  record({{request, "A"}, {request, "B"}});
  const std::string first = digest();
  EXPECT_NE(first.find("header:authorization: '"), std::string::npos) << first;
  std::filesystem::remove(cassette());
  tree_ = new_tree();
  record({{request, "A"}});
  EXPECT_NE(digest(), first);
  EXPECT_EQ(digest().size(), first.size());
}

TEST_F(CandidatesTest, ACassetteWithoutDigestsPlaysAsItDid) {
  save({interaction("http://a/p?access_token=<redacted>", "A"),
        interaction("http://a/p?access_token=<redacted>", "B")});
  std::string text = read(cassette());
  for (std::size_t at; (at = text.find("method: GET")) != text.npos;)
    text.replace(at, 11, "method: POST");
  std::ofstream(cassette()) << text;
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=b"}), "A");
  EXPECT_EQ(ask(*player, {"http://a/p?access_token=a"}), "B");
  player.leave();
}

TEST_F(CandidatesTest, WhatTheVersionBeforeTookOutIsStillFound) {
  settings_.match_on.body = true;
  auto old = [](const std::string& uri, const std::string& body, const std::string& answer) {
    Interaction one = interaction(uri, answer);
    one.request.method = "POST";
    one.request.headers.add("Content-Type", "application/json");
    one.request.body = body;
    one.request_has_body = true;
    return one;
  };
  save({old("http://a/p?key=<redacted>", R"({"pin": 1})", "key"),
        old("http://a/p", R"({"token": "<redacted>", "password": "<redacted>"})", "body")});
  auto player = open(RecordMode::kNone);
  const Request::Fields json = {{"Content-Type", "application/json"}};
  EXPECT_EQ(ask(*player, {"http://a/p?key=alice", R"({"pin": 1})", json}), "key");
  EXPECT_EQ(ask(*player, {"http://a/p", R"({"token": "short", "password": 1234})", json}), "body");
  player.leave();
}

TEST_F(CandidatesTest, ACarriedPlaceholderIsNotWhatTheVersionBeforeTookOut) {
  record({{{"http://a/p?key=<redacted>"}, "carried"}});
  EXPECT_NE(read(cassette()).find("redacted: {key: "), std::string::npos);
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, {"http://a/p?key=mallory"}), "no such request");
  EXPECT_EQ(ask(*player, {"http://a/p?key=%3Credacted%3E"}), "carried");
  player.leave();
}

TEST_F(CandidatesTest, RequestsThatDifferInTheirBodyGetEachItsOwnAnswer) {
  record(
      {{{"http://a/p", "one"}, "1"}, {{"http://a/p", "two"}, "2"}, {{"http://a/p", "one"}, "3"}});
  auto player = open(RecordMode::kNone);
  EXPECT_TRUE(player->needs_body());
  EXPECT_EQ(ask(*player, {"http://a/p", "two"}), "2");
  EXPECT_EQ(ask(*player, {"http://a/p", "new"}), "1") << "never a miss because of it";
  EXPECT_EQ(ask(*player, {"http://a/p", "two"}), "3") << "nor when it is used up";
  EXPECT_EQ(ask(*player, {"http://a/p", "one"}), "used up");
  player.leave();
}

TEST_F(CandidatesTest, ARefusalBeforeTheBodyIsPlayedAtTheHead) {
  const Request::Fields waits = {{"Expect", "100-continue"}, {"Content-Length", "3"}};
  record({{{"http://a/p", "", waits}, "417 refused"}, {{"http://a/p", "one", waits}, "1"}});
  auto player = open(RecordMode::kNone);
  ASSERT_TRUE(player->needs_body());
  Headers headers;
  for (const auto& [name, value] : waits) headers.add(name, value);
  RequestView request;
  request.method = "POST";
  request.uri = *parse_uri("http://a/p");
  request.headers = &headers;
  const Decision first = player->refuses_body(request);
  EXPECT_EQ(first.kind, Decision::Kind::kReplay);
  EXPECT_EQ(first.interaction, 0u);
  EXPECT_TRUE(player->answers_before_body(first.interaction));
  EXPECT_NE(player->refuses_body(request).kind, Decision::Kind::kReplay)
      << "the next one had its body";
  EXPECT_EQ(ask(*player, {"http://a/p", "one", waits}), "1");
  player.leave();
}

TEST_F(CandidatesTest, ABodyIsAlikeWhateverItsTokenIs) {
  auto body = [](const std::string& query, const std::string& token) {
    return R"({"query": ")" + query + R"(", "access_token": ")" + token + "\"}";
  };
  record({{{"http://a/p", body("q1", "t1")}, "1"},
          {{"http://a/p", body("q2", "t1")}, "2"},
          {{"http://a/p", body("q2", "t2")}, "3"}});
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, {"http://a/p", body("q2", "t2")}), "3");
  EXPECT_EQ(ask(*player, {"http://a/p", body("q2", "t9")}), "2");
  EXPECT_EQ(ask(*player, {"http://a/p", body("q1", "t9")}), "1");
  player.leave();
}

TEST_F(CandidatesTest, RequestsThatDifferInAFieldThatServersChooseByAreToldApart) {
  auto of = [](const std::string& target, const std::string& who) {
    return Request{"http://a/", "{}", {{"X-Amz-Target", target}, {"Authorization", who}}};
  };
  record({{of("Get", "a"), "Ga"}, {of("Put", "a"), "Pa"}, {of("Get", "b"), "Gb"}});
  auto player = open(RecordMode::kNone);
  EXPECT_FALSE(player->needs_body());
  EXPECT_EQ(ask(*player, of("Get", "b")), "Gb");
  EXPECT_EQ(ask(*player, of("Put", "new")), "Pa")
      << "Authorization is not matched, so it is no other request";
  EXPECT_EQ(ask(*player, of("List", "a")), "Ga");
  player.leave();
}

TEST_F(CandidatesTest, APartIsForThoseWhoAskForThatPart) {
  auto range = [](const std::string& bytes) {
    return bytes.empty() ? Request{"http://a/f"}
                         : Request{"http://a/f", "", {{"Range", "bytes=" + bytes}}};
  };
  record({{range("0-3"), "206 0123"}, {range("4-7"), "206 4567"}, {range("9-"), "416 none"}});
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, range("")), "no such request");
  EXPECT_NE(last_miss_.find("header:range: recorded \"bytes=0-3\", asked for \"(none)\""),
            last_miss_.npos)
      << last_miss_;
  EXPECT_EQ(ask(*player, range("4-7")), "4567");
  EXPECT_EQ(ask(*player, range("4-9")), "no such request");
  EXPECT_EQ(ask(*player, range("0-3")), "0123");
  EXPECT_EQ(ask(*player, range("0-3")), "used up");
  EXPECT_EQ(ask(*player, range("9-")), "none");
  player.leave();
}

TEST_F(CandidatesTest, AWholeBodyAnswersARangeAndAPartNeverTheWhole) {
  record({{{"http://a/f"}, "200 whole"}, {{"http://a/f", "", {{"Range", "bytes=3-"}}}, "206 le"}});
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, {"http://a/f", "", {{"Range", "bytes=3-"}}}), "le");
  // A server may ignore a Range (RFC 9110 section 14.2).
  EXPECT_EQ(ask(*player, {"http://a/f", "", {{"Range", "bytes=1-"}}}), "whole");
  EXPECT_EQ(ask(*player, {"http://a/f"}), "used up");
  player.leave();
}

TEST_F(CandidatesTest, NotModifiedIsForThoseWhoAskedWhetherItWas) {
  const Request plain{"http://a/f"};
  const Request conditional{"http://a/f", "", {{"If-None-Match", "\"e\""}}};
  record({{conditional, "304 "}, {plain, "200 whole"}});
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, plain), "whole");
  EXPECT_EQ(ask(*player, plain), "used up");
  EXPECT_EQ(ask(*player, conditional), "");
  player.leave();
  std::filesystem::remove(cassette());
  tree_ = new_tree();
  record({{conditional, "304 "}});
  player = open(RecordMode::kNone);
  EXPECT_EQ(ask(*player, plain), "no such request");
  EXPECT_NE(last_miss_.find("header:if-none-match"), last_miss_.npos) << last_miss_;
  player.leave();
}

TEST_F(CandidatesTest, ManyThatDifferAreFoundWithoutLookingAtEachOther) {
  constexpr int kCount = 30000;
  std::vector<Interaction> many;
  for (int i = 0; i < kCount; ++i) {
    Interaction one = interaction("http://a/p", std::to_string(i));
    one.request.method = "POST";
    one.request.body = "question " + std::to_string(i);
    one.request_has_body = true;
    many.push_back(std::move(one));
  }
  save(many);
  auto player = open(RecordMode::kNone);
  for (int i = kCount; i-- > 0;) {
    ASSERT_EQ(ask(*player, {"http://a/p", "question " + std::to_string(i)}), std::to_string(i));
  }
  player.leave();
}

TEST_F(CandidatesTest, WhereNothingDiffersNothingIsAllocated) {
  const Request request{
      "http://a/p?access_token=a", "", {{"Authorization", "Bearer x"}, {"Accept", "*/*"}}};
  record({{request, "1"}, {request, "2"}, {request, "3"}});
  auto player = open(RecordMode::kNone);
  Headers headers;
  for (const auto& [name, value] : request.fields) headers.add(name, value);
  RequestView view;
  view.method = "POST";
  view.uri = *parse_uri(request.uri);
  view.headers = &headers;
  const std::size_t before = allocations();
  EXPECT_EQ(player->decide(view).interaction, 0u);
  EXPECT_EQ(player->decide(view).interaction, 1u);
  if (kCountsAllocations) {
    EXPECT_EQ(allocations(), before);
  }
  player.leave();
}

}  // namespace
}  // namespace cassette
