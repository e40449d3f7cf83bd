// What RequestParser promises, on the byte strings that clients send.
#include "parser/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "tests/unit/parser/transcript.h"

namespace cassette::testing {
namespace {

using namespace std::string_view_literals;

std::string parsed(std::string_view input, ParseLimits limits = {}) {
  return request_transcript({input}, limits);
}

/// The error that the input ends in, or what was parsed when there is none.
std::string error_of(std::string_view input, ParseLimits limits = {}) {
  const std::string text = parsed(input, limits);
  const std::size_t at = text.find("error ");
  return at == std::string::npos ? text : text.substr(at + 6, text.size() - at - 7);
}

/// A parser that has just reported kHeaders.
RequestParser at_headers(std::string_view input) {
  RequestParser parser;
  EXPECT_EQ(parser.feed(input).event, ParseEvent::kHeaders) << input;
  return parser;
}

TEST(RequestParser, KeepsFieldsAsSentButForSurroundingWhiteSpace) {
  EXPECT_EQ(
      parsed("GET /a?b HTTP/1.1\r\nhOst:x\r\nA:  b \t c \t\r\nE:\r\nA: d,e\r\n\r\n"),
      "head GET /a?b HTTP/1.1 keep-alive\n  [hOst]=[x]\n  [A]=[b \t c]\n  [E]=[]\n  [A]=[d,e]\n"
      "complete 0 []\n");
}

TEST(RequestParser, ReportsHeadersThenCompleteEvenWithNothingMoreToFeed) {
  RequestParser parser = at_headers("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(parser.in_message());
  EXPECT_EQ(parser.feed("").event, ParseEvent::kComplete);
  EXPECT_FALSE(parser.in_message());
  EXPECT_EQ(parser.feed("").event, ParseEvent::kNeedMore);
  EXPECT_EQ(parser.request().target, "/");
}

TEST(RequestParser, TakesEveryFormOfTarget) {
  for (const char* line :
       {"GET /a/b;c=d?e=f%20{}|\"^#g HTTP/1.1", "GET /\xc3\xa9 HTTP/1.1", "OPTIONS * HTTP/1.1",
        "GET http://user:pw@[::1]:80/x HTTP/1.1", "GET http://host?q HTTP/1.1"}) {
    const std::string text(line);
    EXPECT_EQ(parsed(text + "\r\n\r\n"), "head " + text + " keep-alive\ncomplete 0 []\n");
  }
}

TEST(RequestParser, CompletesConnectAfterTheHeadAndGoesOnWhenItIsDeclined) {
  EXPECT_EQ(
      parsed("CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
      "head CONNECT a.example:443 HTTP/1.1 keep-alive connect\n  [Content-Length]=[3]\n"
      "complete 0 []\nhead GET / HTTP/1.1 keep-alive\ncomplete 0 []\n");
}

TEST(RequestParser, TakesAnyTokenForAMethod) {
  EXPECT_EQ(at_headers("QUERY / HTTP/1.1\r\n\r\n").request().method, "QUERY");
  EXPECT_EQ(at_headers("x-!#$%&'*+.^_`|~9 / HTTP/1.1\r\n\r\n").request().method,
            "x-!#$%&'*+.^_`|~9");
  EXPECT_EQ(error_of("G(T / HTTP/1.1\r\n\r\n"),
            "an invalid character in the method in the request, line 1");
  EXPECT_EQ(error_of(" / HTTP/1.1\r\n\r\n"),
            "an invalid character in the method in the request, line 1");
}

TEST(RequestParser, SkipsEmptyLinesBeforeARequestAndCountsThem) {
  RequestParser parser;
  const ParseProgress progress = parser.feed("\r\n\n\r");
  EXPECT_EQ(progress.event, ParseEvent::kNeedMore);
  EXPECT_EQ(progress.consumed, 4U);
  EXPECT_FALSE(parser.in_message());
  EXPECT_EQ(parser.feed("\nG").consumed, 2U);
  EXPECT_TRUE(parser.in_message());
}

TEST(RequestParser, ReadsBodiesOfEveryByte) {
  std::string body;
  for (int i = 0; i < 256; ++i) body += static_cast<char>(i);
  EXPECT_EQ(
      parsed("PUT / HTTP/1.1\r\nContent-Length: 256\r\n\r\n" + body),
      "head PUT / HTTP/1.1 keep-alive\n  [Content-Length]=[256]\ncomplete 256 [" + body + "]\n");
}

TEST(RequestParser, ReadsChunksWithExtensionsAndKeepsTrailersApart) {
  EXPECT_EQ(parsed("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"
                   "5;sig=ab;q=\"x;y\"\r\nhello\r\n06 \r\n world\r\n00\r\nX-T: 1\r\n"
                   "Content-Length: 9\r\nConnection: close\r\n\r\nGET /"),
            "head POST / HTTP/1.1 keep-alive\n  [Transfer-Encoding]=[Chunked]\n"
            "complete 11 [hello world]\n  trailer [X-T]=[1]\n  trailer [Content-Length]=[9]\n"
            "  trailer [Connection]=[close]\nin message\n");
}

TEST(RequestParser, LeavesInnerCodingsInTheBody) {
  EXPECT_EQ(
      parsed("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
             "2\r\n\x1f\x8b\r\n0\r\n\r\n"),
      "head POST / HTTP/1.1 keep-alive\n  [Transfer-Encoding]=[gzip]\n"
      "  [Transfer-Encoding]=[chunked]\ncomplete 2 [\x1f\x8b]\n");
}

TEST(RequestParser, KnowsWhetherTheConnectionPersists) {
  const auto keep_alive = [](const std::string& head) {
    return at_headers("GET / HTTP/1." + head + "\r\n\r\n").keep_alive();
  };
  EXPECT_TRUE(keep_alive("1"));
  EXPECT_FALSE(keep_alive("1\r\nConnection: Close"));
  EXPECT_FALSE(keep_alive("1\r\nConnection: upgrade\r\nConnection: x, close"));
  EXPECT_FALSE(keep_alive("0"));
  EXPECT_TRUE(keep_alive("0\r\nConnection: Keep-Alive"));
  EXPECT_FALSE(keep_alive("0\r\nConnection: keep-alive, close"));
}

TEST(RequestParser, ParsesOnBehindConnectionClose) {
  EXPECT_EQ(parsed("GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET /2 HTTP/1.0\r\n\r\n"),
            "head GET / HTTP/1.1\n  [Connection]=[close]\ncomplete 0 []\n"
            "head GET /2 HTTP/1.0\ncomplete 0 []\n");
}

TEST(RequestParser, SeesAnExpectationOnlyWithABodyToCome) {
  const auto expects = [](const std::string& rest) {
    return at_headers("POST / HTTP/" + rest + "\r\nExpect: 100-Continue\r\n\r\n")
        .expects_continue();
  };
  EXPECT_TRUE(expects("1.1\r\nContent-Length: 1"));
  EXPECT_TRUE(expects("1.1\r\nTransfer-Encoding: chunked"));
  EXPECT_FALSE(expects("1.1\r\nContent-Length: 0"));
  EXPECT_FALSE(expects("1.1"));
  EXPECT_FALSE(expects("1.0\r\nContent-Length: 1"));
}

TEST(RequestParser, RecognisesAnUpgradeAndLosesNothingBehindIt) {
  EXPECT_EQ(
      parsed("POST /c HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n"
             "\r\nhiGET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n"),
      "head POST /c HTTP/1.1 keep-alive offers-upgrade\n  [Connection]=[Upgrade]\n"
      "  [Upgrade]=[h2c]\n  [Content-Length]=[2]\ncomplete 2 [hi]\n"
      "head GET / HTTP/1.1 keep-alive\n  [Connection]=[upgrade]\ncomplete 0 []\n");
}

TEST(RequestParser, TakesBareLineFeedsAndFoldedLines) {
  EXPECT_EQ(parsed("POST / HTTP/1.1\nA: b\n c\nE:\nTransfer-Encoding: chunked\n\n1\nx\n0\n\n"),
            "head POST / HTTP/1.1 keep-alive\n  [A]=[b c]\n  [E]=[]\n"
            "  [Transfer-Encoding]=[chunked]\ncomplete 1 [x]\n");
}

TEST(RequestParser, KeepsControlCharactersOfValuesButNoNul) {
  EXPECT_EQ(at_headers("GET / HTTP/1.1\r\nA: \x01\x7f\xff\r\n\r\n").request().headers.at(0).value,
            "\x01\x7f\xff");
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"sv),
            "a NUL byte in a field value in the request, line 2");
}

TEST(RequestParser, PrefersTransferEncodingToContentLengthAndDoesNotPersist) {
  for (const char* fields : {"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n",
                             "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n"}) {
    RequestParser parser;
    Transcript transcript(parser);
    transcript.feed(std::string("POST / HTTP/1.1\r\n") + fields + "\r\n1\r\nx\r\n0\r\n\r\n");
    EXPECT_EQ(parser.request().body, "x");
    EXPECT_FALSE(parser.keep_alive());
  }
  EXPECT_EQ(
      at_headers("POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n")
          .keep_alive(),
      true);
}

TEST(RequestParser, TakesEqualContentLengthsForOne) {
  EXPECT_EQ(parsed("POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-length: 02\r\n\r\nab"),
            "head POST / HTTP/1.1 keep-alive\n  [Content-Length]=[2]\n  [Content-length]=[02]\n"
            "complete 2 [ab]\n");
}

TEST(RequestParser, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of("GET /a b HTTP/1.1\r\n\r\n"),
            "no HTTP/1.x behind the target in the request, line 1");
  EXPECT_EQ(error_of("GET / RTSP/1.0\r\n\r\n"),
            "no HTTP/1.x behind the target in the request, line 1");
  EXPECT_EQ(error_of("GET /\r\n\r\n"), "no HTTP/1.x behind the target in the head of the request");
  EXPECT_EQ(error_of("GET /\x01 HTTP/1.1\r\n\r\n"),
            "an invalid character in the target in the request, line 1");
  EXPECT_EQ(error_of("GET / HTTP/1.2\r\n\r\n"),
            "an HTTP version other than 1.0 and 1.1 in the request, line 1");
  EXPECT_EQ(error_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            "an HTTP version other than 1.0 and 1.1 in the request, line 1");
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nA: b\r\nno colon\r\n\r\n"),
            "no colon behind a field name, or an invalid character in it in the request, line 3");
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nA b: c\r\n\r\n"),
            "a space in a field name in the request, line 2");
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\n: c\r\n\r\n"),
            "a field without a name in the request, line 2");
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\n A: b\r\n\r\n"),
            "unexpected space after start line in the request, line 2");
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nA: b\r\nB:\rx\r\n\r\n"),
            "a CR without LF in the request, line 3");
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\n\rX"), "a CR without LF in the request, line 2");
}

TEST(RequestParser, RefusesLengthsThatMakeNoSense) {
  const auto error = [](const std::string& fields) {
    return error_of("POST / HTTP/1.1\r\n" + fields + "\r\n\r\n");
  };
  EXPECT_EQ(error("Content-Length: -1"),
            "invalid character in Content-Length in the request, line 2");
  EXPECT_EQ(error("Content-Length: 5, 5"),
            "invalid character in Content-Length in the request, line 2");
  EXPECT_EQ(error("Content-Length: 18446744073709551616"),
            "Content-Length overflow in the request, line 2");
  EXPECT_EQ(error("Content-Length: 1\r\nContent-Length: 2"),
            "two Content-Length fields with different values, 1 and 2 in the head of the request");
  EXPECT_EQ(
      error("Content-Length: 17179869185"),
      "Content-Length 17179869185, more than the limit of 17179869184 in the head of the request");
  EXPECT_EQ(error("Transfer-Encoding: gzip"),
            "a transfer coding without chunked in the head of the request");
  EXPECT_EQ(
      error("Transfer-Encoding: chunked, gzip"),
      "chunked is not the last transfer coding, or is there twice in the head of the request");
  EXPECT_EQ(
      error("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
      "chunked is not the last transfer coding, or is there twice in the head of the request");
}

TEST(RequestParser, RefusesBrokenChunks) {
  const auto error = [](const std::string& body) {
    return error_of("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
  };
  for (const char* size : {"-1\r\n", "x\r\n", " 1\r\n", "1 1\r\n", "0x1\r\n", "\r\n", ";a\r\n"}) {
    EXPECT_EQ(error(size), "an invalid chunk size in the body of the request") << size;
  }
  EXPECT_EQ(error("ffffffffffffffffffff\r\n"),
            "more bytes than the limit allows in the body of the request");
  EXPECT_EQ(error("3\r\nabcd\r\n"),
            "no line end behind a chunk, its size is wrong in the body of the request");
  EXPECT_EQ(error("3\rX"), "a CR without LF in the line of a chunk in the body of the request");
  EXPECT_EQ(error("3;" + std::string(20000, 'e')),
            "an endless chunk size or extension in the body of the request");
  EXPECT_EQ(
      error("0\r\nbad\r\n\r\n"),
      "no colon behind a field name, or an invalid character in it in the trailers of the request");
}

TEST(RequestParser, HoldsToItsLimitsToTheByte) {
  const std::string head = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
  EXPECT_EQ(parsed(head, {.head = head.size(), .body = 0}),
            "head GET / HTTP/1.1 keep-alive\n  [A]=[b]\ncomplete 0 []\n");
  EXPECT_EQ(error_of(head, {.head = head.size() - 1, .body = 0}),
            "more than 23 bytes of start line and fields in the request, line 3");
  EXPECT_EQ(error_of("GETGETGET", {.head = 4, .body = 0}),
            "more than 4 bytes of start line and fields in the request, line 1");

  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(error_of(chunked + "3\r\nabc\r\n0\r\n\r\n", {.head = 100, .body = 3}).substr(0, 4),
            "head");
  EXPECT_EQ(error_of(chunked + "3\r\nabc\r\n1\r\nd", {.head = 100, .body = 3}),
            "more bytes than the limit allows in the body of the request");
  // Trailers are counted with the head.
  EXPECT_EQ(error_of(chunked + "0\r\nA: b\r\n\r\n", {.head = chunked.size() + 7, .body = 3}),
            "more than 54 bytes of start line and fields in the trailers of the request");
  EXPECT_EQ(error_of("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n", {.head = 100, .body = 3}),
            "Content-Length 4, more than the limit of 3 in the head of the request");
}

TEST(RequestParser, TakesNoMoreAfterAnError) {
  RequestParser parser;
  EXPECT_EQ(parser.feed("\x16\x03\x01").event, ParseEvent::kError);
  const ParseProgress progress = parser.feed("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(progress.event, ParseEvent::kError);
  EXPECT_EQ(progress.consumed, 0U);
  EXPECT_FALSE(parser.error().empty());
}

TEST(RequestParser, CountsABodyThatItDoesNotKeep) {
  RequestParser parser;
  parser.keep_body(false);
  Transcript transcript(parser);
  transcript.feed("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
  transcript.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
  EXPECT_EQ(transcript.text(),
            "head POST / HTTP/1.1 keep-alive\n  [Content-Length]=[5]\ncomplete 5 []\n"
            "head POST / HTTP/1.1 keep-alive\n  [Transfer-Encoding]=[chunked]\ncomplete 2 []\n");
}

TEST(RequestParser, CanBeMovedInTheMiddleOfAMessage) {
  RequestParser first;
  EXPECT_EQ(first.feed("GET / HTTP/1.1\r\nNa").event, ParseEvent::kNeedMore);
  RequestParser second = std::move(first);
  EXPECT_EQ(second.feed("me: x\r\n\r\n").event, ParseEvent::kHeaders);
  EXPECT_EQ(second.request().headers.find("name"), "x");
}

}  // namespace
}  // namespace cassette::testing
