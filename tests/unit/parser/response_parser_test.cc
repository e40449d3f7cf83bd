// What ResponseParser promises, on the byte strings that servers send.
#include "parser/response_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/unit/parser/transcript.h"

namespace cassette::testing {
namespace {

using namespace std::string_view_literals;

std::string parsed(std::string_view input, std::string_view method = "GET") {
  return response_transcript({input}, method);
}

TEST(ResponseParser, ReadsABodyOfContentLength) {
  EXPECT_EQ(
      parsed("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nab"),
      "head 200 [OK] HTTP/1.1 content-length keep-alive\n  [Set-Cookie]=[a]\n"
      "  [Set-Cookie]=[b]\n  [Content-Length]=[2]\ncomplete 2 [ab]\n");
}

TEST(ResponseParser, ReadsChunksAndTrailers) {
  EXPECT_EQ(
      parsed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: u\r\n\r\n"),
      "head 200 [OK] HTTP/1.1 chunked keep-alive\n  [Transfer-Encoding]=[chunked]\n"
      "complete 2 [ab]\n  trailer [T]=[u]\n");
}

TEST(ResponseParser, ReadsUntilTheEndOfTheConnection) {
  EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\n\r\nabc\r\n"),
            "head 200 [OK] HTTP/1.1 until-close\ncomplete 5 [abc\r\n]\n");
  EXPECT_EQ(parsed("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"),
            "head 200 [OK] HTTP/1.0 until-close\n  [Connection]=[keep-alive]\ncomplete 0 []\n");
  EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nabc"),
            "head 200 [OK] HTTP/1.1 until-close\n  [Transfer-Encoding]=[gzip]\n"
            "  [Content-Length]=[1]\ncomplete 3 [abc]\n");
}

TEST(ResponseParser, FinishesRightAfterTheHead) {
  for (const char* head : {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 204 None\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    ResponseParser parser;
    EXPECT_EQ(parser.feed(head).event, ParseEvent::kHeaders);
    EXPECT_EQ(parser.finish(), ParseEvent::kComplete);
    EXPECT_EQ(parser.finish(), ParseEvent::kNeedMore);
  }
}

TEST(ResponseParser, ExpectsNoBodyWhereThereIsNone) {
  EXPECT_EQ(
      parsed("HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\nHTTP/1.1 304 Same\r\n"
             "Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
      "head 204 [No] HTTP/1.1 none keep-alive\n  [Content-Length]=[4]\ncomplete 0 []\n"
      "head 304 [Same] HTTP/1.1 none keep-alive\n  [Transfer-Encoding]=[chunked]\n"
      "complete 0 []\nhead 200 [OK] HTTP/1.1 content-length keep-alive\n"
      "  [Content-Length]=[0]\ncomplete 0 []\n");
}

TEST(ResponseParser, ExpectsNoBodyInTheAnswerToHeadOnly) {
  EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                   "HEAD"),
            "head 200 [OK] HTTP/1.1 none keep-alive\n  [Content-Length]=[4]\ncomplete 0 []\n"
            "head 200 [OK] HTTP/1.1 content-length keep-alive\n  [Content-Length]=[1]\n"
            "complete 1 [x]\n");
}

TEST(ResponseParser, ReportsInterimResponsesAsMessagesOfTheirOwn) {
  EXPECT_EQ(parsed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 1\r\n\r\n"
                   "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
                   "HEAD"),
            "head 100 [Continue] HTTP/1.1 none keep-alive interim\ncomplete 0 []\n"
            "head 103 [Hints] HTTP/1.1 none keep-alive interim\n  [Content-Length]=[1]\n"
            "complete 0 []\n"
            "head 200 [OK] HTTP/1.1 none keep-alive\n  [Content-Length]=[4]\ncomplete 0 []\n");
}

TEST(ResponseParser, StopsWhereAnotherProtocolBegins) {
  for (const auto& [method, head] :
       {std::pair{"GET", "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
        std::pair{"CONNECT", "HTTP/1.1 200 Established\r\nContent-Length: 5\r\n\r\n"}}) {
    ResponseParser parser;
    parser.expect_response_to(method);
    const std::string bytes = std::string(head) + "\x81\x05hello";
    const ParseProgress progress = parser.feed(bytes);
    EXPECT_EQ(progress.event, ParseEvent::kHeaders);
    EXPECT_EQ(progress.consumed, std::string_view(head).size());
    EXPECT_TRUE(parser.switched_protocol());
    EXPECT_FALSE(parser.keep_alive());
    EXPECT_FALSE(parser.interim());
    EXPECT_EQ(parser.feed("\x81\x05hello").event, ParseEvent::kComplete);
    EXPECT_EQ(parser.finish(), ParseEvent::kNeedMore);
    EXPECT_EQ(parser.feed("\x81").event, ParseEvent::kError);
  }
}

TEST(ResponseParser, TakesADeclinedConnectForAnOrdinaryResponse) {
  EXPECT_EQ(parsed("HTTP/1.1 407 Who\r\nContent-Length: 2\r\n\r\nno", "CONNECT"),
            "head 407 [Who] HTTP/1.1 content-length keep-alive\n  [Content-Length]=[2]\n"
            "complete 2 [no]\n");
}

TEST(ResponseParser, SaysHowFarACutResponseCame) {
  const auto error = [](std::string_view input) {
    const std::string text = parsed(input);
    return text.substr(text.find("error ") + 6);
  };
  EXPECT_EQ(error("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"),
            "the connection ended within the body of the response, after 2 of 5 bytes\n");
  EXPECT_EQ(
      error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"),
      "the connection ended within the body of the response, after 3 bytes and before the last"
      " chunk\n");
  EXPECT_EQ(error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"),
            "the connection ended within the trailers of the response\n");
  EXPECT_EQ(error("HTTP/1.1 200 OK\r\nA"),
            "the connection ended within the head of the response\n");
  EXPECT_EQ(parsed(""), "");
  EXPECT_EQ(parsed("\r\n"), "");
}

TEST(ResponseParser, RefusesWhatIsNoResponse) {
  EXPECT_EQ(parsed("<html>"), "error no HTTP/1.x at the start in the response, line 1\n");
  EXPECT_EQ(parsed("SSH-2.0-OpenSSH\r\n"),
            "error no HTTP/1.x at the start in the response, line 1\n");
  EXPECT_EQ(parsed("HTTP/1.1 abc OK\r\n\r\n"),
            "error an invalid status code in the response, line 1\n");
  EXPECT_EQ(parsed("HTTP/1.1 20 OK\r\n\r\n"),
            "error a status code below 100 in the head of the response\n");
  EXPECT_EQ(parsed("HTTP/1.1 1000 OK\r\n\r\n"),
            "error an invalid status code in the response, line 1\n");
  EXPECT_EQ(parsed("HTTP/1.1OK\r\n\r\n"), "error an invalid status code in the response, line 1\n");
  EXPECT_EQ(parsed("HTTP/2 200\r\n\r\n"),
            "error an HTTP version other than 1.0 and 1.1 in the response, line 1\n");
}

// What clients take, as they take it.

TEST(ResponseParser, ToleratesNamesOfAnyKind) {
  EXPECT_EQ(parsed("HTTP/1.1 204 No\r\nX-A : b\r\nX-B\t \t:c\r\nX(A): d\r\n"
                   "gr\xc3\xbc\xc3\x9f: e\r\nX Y: f\r\n\xe9: g\r\nN\0: h\r\n\r\n"sv),
            "head 204 [No] HTTP/1.1 none keep-alive\n  [X-A]=[b]\n  [X-B]=[c]\n  [X(A)]=[d]\n"
            "  [gr\xc3\xbc\xc3\x9f]=[e]\n  [X Y]=[f]\n  [\xe9]=[g]\n  [N]=[h]\ncomplete 0 []\n");
}

TEST(ResponseParser, PassesOverLinesThatAreNoFields) {
  EXPECT_EQ(parsed("HTTP/1.1 204 No\r\n before: 0\r\nA: b\r\n: c\r\n folded: d\r\n  : e\r\n"
                   "no colon\r\n\tfolded\r\nF: g\r\n h\r\n\r\n"),
            "head 204 [No] HTTP/1.1 none keep-alive\n  [A]=[b]\n  [F]=[g h]\ncomplete 0 []\n");
}

TEST(ResponseParser, TakesWhatMayNotStandInALineForSpaces) {
  EXPECT_EQ(parsed("HTTP/1.1 204 N\ro\0\r\nA: b\0c\rd\x01\r\n\rE: f\r\n\r\n"sv),
            "head 204 [N o ] HTTP/1.1 none keep-alive\n  [A]=[b c d\x01 E: f]\ncomplete 0 []\n");
}

TEST(ResponseParser, ToleratesAContentLengthThatSaysOneThing) {
  for (const char* length : {"3, 3", "+3", "3,3,  3", "03", "3,"}) {
    EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\nContent-Length: " + std::string(length) + "\r\n\r\nabc"),
              "head 200 [OK] HTTP/1.1 content-length keep-alive\n  [Content-Length]=[" +
                  std::string(length) + "]\ncomplete 3 [abc]\n");
  }
}

TEST(ResponseParser, RefusesWhatLeavesOpenWhereTheBodyEnds) {
  const auto error = [](const std::string& fields) {
    return parsed("HTTP/1.1 200 OK\r\n" + fields + "\r\n\r\nabcd");
  };
  EXPECT_EQ(
      error("Content-Length: 3, 4"),
      "error two Content-Length fields with different values, 3 and 4 in the head of the response\n");
  EXPECT_EQ(error("Content-Length: 3\r\nContent-Length: 4"), error("Content-Length: 3, 4"));
  for (const char* length : {"", "-3", "3x", "x", "0x3", "3 4", "99999999999999999999", "++3"}) {
    EXPECT_EQ(error("Content-Length: " + std::string(length)),
              "error a Content-Length that is no number in the head of the response\n")
        << length;
  }
  EXPECT_EQ(error("Content-Length : 3"),
            "error white space behind the field name Content-Length in the response, line 2\n");
  EXPECT_EQ(error("A: b\r\ntransfer-encoding\t: chunked"),
            "error white space behind the field name transfer-encoding in the response, line 3\n");
  // Nobody asks for it here.
  EXPECT_EQ(
      parsed("HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      "head 200 [OK] HTTP/1.1 chunked keep-alive\n  [Content-Length]=[x]\n"
      "  [Transfer-Encoding]=[chunked]\ncomplete 0 []\n");
  EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HEAD"),
            "head 200 [OK] HTTP/1.1 none keep-alive\n  [Content-Length]=[x]\ncomplete 0 []\n");
}

TEST(ResponseParser, ToleratesOtherVersionsAndBlanks) {
  EXPECT_EQ(
      parsed("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
      "head 200 [OK] HTTP/2.0 content-length keep-alive\n  [Content-Length]=[0]\ncomplete 0 []\n");
  EXPECT_EQ(parsed("HTTP/1.2  204\t OK \r\n\r\n"),
            "head 204 [ OK ] HTTP/1.2 none keep-alive\ncomplete 0 []\n");
}

TEST(ResponseParser, IsWholeBehindTheLastChunk) {
  const std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
  for (const char* end : {"", "\r"}) {
    EXPECT_EQ(parsed(answer + end),
              "head 200 [OK] HTTP/1.1 chunked keep-alive\n  [Transfer-Encoding]=[chunked]\n"
              "complete 1 [a]\n");
  }
}

TEST(ResponseParser, TakesAnEmptyReasonAndBytesOfAnyLanguage) {
  EXPECT_EQ(parsed("HTTP/1.1 204\r\n\r\nHTTP/1.1 204 \r\n\r\nHTTP/1.1 204 \xe9t\xe9\r\n\r\n"),
            "head 204 [] HTTP/1.1 none keep-alive\ncomplete 0 []\n"
            "head 204 [] HTTP/1.1 none keep-alive\ncomplete 0 []\n"
            "head 204 [\xe9t\xe9] HTTP/1.1 none keep-alive\ncomplete 0 []\n");
}

TEST(ResponseParser, LimitsABodyOfUnknownLength) {
  EXPECT_EQ(
      response_transcript({"HTTP/1.1 200 OK\r\n\r\nab", "cd"}, "GET", {.head = 99, .body = 3}),
      "head 200 [OK] HTTP/1.1 until-close\n"
      "error more than 3 bytes of body in the body of the response\n");
  // Without a body its announced length does not matter.
  EXPECT_EQ(response_transcript({"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}, "HEAD",
                                {.head = 99, .body = 3}),
            "head 200 [OK] HTTP/1.1 none keep-alive\n  [Content-Length]=[9]\ncomplete 0 []\n");
}

}  // namespace
}  // namespace cassette::testing
