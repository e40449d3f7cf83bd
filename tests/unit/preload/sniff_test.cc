// What a connection speaks, from its first bytes.
#include "preload/engine/conversation/sniff.h"

#include <gtest/gtest.h>

#include <string>

namespace cassette {
namespace {

TEST(Sniff, KnowsHttp1ByItsVersion) {
  EXPECT_EQ(sniff("GET / HTTP/1.1\r\n", false), Protocol::kHttp1);
  EXPECT_EQ(sniff("PROPFIND /dav HTTP/1.0\n", false), Protocol::kHttp1);
  EXPECT_EQ(sniff("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", false), Protocol::kHttp1);
  EXPECT_EQ(sniff("\r\n\r\nGET / HTTP/1.1\r\n", false), Protocol::kHttp1);
  EXPECT_EQ(sniff("GET http://a/b HTTP/1.1\r\n", false), Protocol::kHttp1);
}

TEST(Sniff, TakesAnyTokenForAMethod) {
  for (std::string method : {"get", "Get", "patch", "A1", "1A", "A.B", "$X", "M-SEARCH", "*", "!"})
    EXPECT_EQ(sniff(method + " / HTTP/1.1\r\n", false), Protocol::kHttp1) << method;
  EXPECT_EQ(sniff(std::string(256, 'X') + " / HTTP/1.1\r\n", false), Protocol::kHttp1);
  EXPECT_EQ(sniff(std::string(256, 'X'), false), Protocol::kUnknown);
}

TEST(Sniff, KnowsWhatOnlyAClientOfHttpWouldSend) {
  for (std::string line :
       {" GET / HTTP/1.1", "\tGET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1",
        "GET / HTTP/2.0", "GET / HTTP/2", "GET / HTTP/0.9", "GET / http/1.1", "GET / HTTP/1.1 ",
        "GET /", "get /q", "GET http://a/q", "GET HTTP/1.1", "GET /HTTP/1.1", "GET / HTTP /1.1",
        "GET / HTTP/", "G@T / HTTP/1.1", "POST /q\r", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2"}) {
    EXPECT_EQ(sniff(line + "\n", false), Protocol::kNearlyHttp) << line;
    EXPECT_EQ(sniff(line + "\r\nHost: a\r\n\r\n", false), Protocol::kNearlyHttp) << line;
  }
  EXPECT_EQ(sniff(std::string(300, 'X') + " / HTTP/1.1\r\n", false), Protocol::kNearlyHttp);
  EXPECT_EQ(sniff(" ", false), Protocol::kUnknown);
  EXPECT_EQ(sniff(" GE", false), Protocol::kUnknown);
}

TEST(Sniff, MakesOutTheRequestOfSuchALine) {
  auto request = [](std::string_view line) {
    const RequestMessage message = request_of_line(line);
    return message.method + " " + message.target;
  };
  EXPECT_EQ(request("\r\n  GET\t/a?b  HTTP/2.0\r\nHost: a\r\n"), "GET /a?b");
  EXPECT_EQ(request("get http://a/q\n"), "get http://a/q");
  EXPECT_EQ(request("GET HTTP/1.1\r\n"), "GET /");
  EXPECT_EQ(request(""), " /");
}

TEST(Sniff, KnowsTheGreetingsOfSocks) {
  EXPECT_EQ(sniff(std::string_view("\x05\x01\x00", 3), false), Protocol::kSocks);
  EXPECT_EQ(sniff(std::string_view("\x05\x03\x00\x01\x02", 5), false), Protocol::kSocks);
  EXPECT_EQ(sniff(std::string_view("\x05\x02\x00", 3), false), Protocol::kUnknown);
  EXPECT_EQ(sniff("\x05", false), Protocol::kUnknown);
  EXPECT_EQ(sniff(std::string_view("\x05\x00\x0b\x03\x10", 5), false), Protocol::kOther);
  EXPECT_EQ(sniff("\x05\x02\x41\x42", false), Protocol::kOther);
  const std::string_view four("\x04\x01\x00\x50\x7f\x00\x00\x01me\x00", 11);
  EXPECT_EQ(sniff(four, false), Protocol::kSocks);
  EXPECT_EQ(sniff(four.substr(0, 10), false), Protocol::kUnknown);
  EXPECT_EQ(sniff(four.substr(0, 1), false), Protocol::kUnknown);
  EXPECT_EQ(sniff(std::string_view("\x04\x00\x00\x01", 4), false), Protocol::kOther);
}

TEST(Sniff, AnswersTheSameForEverySplitOnceItAnswers) {
  for (std::string whole :
       {"GET /path?q=1 HTTP/1.1\r\nHost: a\r\n\r\n", "SET key value\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02", "\x01\x02", "GET /\r\n",
        "patch / HTTP/1.1\r\n", " GET / HTTP/1.1\r\n", "\x05\x01\x02", "\x05\x01\x41\x41"}) {
    Protocol last = Protocol::kUnknown;
    for (std::size_t size = 1; size <= whole.size(); ++size) {
      Protocol now = sniff(whole.substr(0, size), false);
      if (last != Protocol::kUnknown) {
        EXPECT_EQ(now, last) << whole << " cut at " << size;
      }
      last = now;
    }
    EXPECT_NE(last, Protocol::kUnknown) << whole;
  }
}

TEST(Sniff, DoesNotTakeRedisForHttp) {
  EXPECT_EQ(sniff("GET key\r\n", false), Protocol::kOther);
  EXPECT_EQ(sniff("*1\r\n$4\r\nPING\r\n", false), Protocol::kOther);
  EXPECT_EQ(sniff("PING\r\n", false), Protocol::kOther);
  EXPECT_EQ(sniff("SET /key HTTP\r\n", false), Protocol::kOther);
}

TEST(Sniff, DoesNotTakeOtherTextForHttp) {
  for (std::string line :
       {"DESCRIBE rtsp://a/b RTSP/1.0", "INVITE sip:a@b SIP/2.0", "EHLO a", "a1 LOGIN b c",
        "{\"a\": 1}", "<stream:stream to='a'>", "NICK /a", "get key", "HTTP/1.1 200 OK", "POST"}) {
    EXPECT_EQ(sniff(line + "\r\n", false), Protocol::kOther) << line;
  }
}

TEST(Sniff, WaitsForTheRestOfALineUnlessNoneComes) {
  EXPECT_EQ(sniff("GET /", false), Protocol::kUnknown);
  EXPECT_EQ(sniff("GET key", true), Protocol::kOther);
  EXPECT_EQ(sniff("GET", true), Protocol::kOther);
  EXPECT_EQ(sniff(" ", true), Protocol::kOther);
  EXPECT_EQ(sniff("PING", false), Protocol::kUnknown);
  EXPECT_EQ(sniff("", true), Protocol::kOther);
}

TEST(Sniff, LeavesALineThatStopsWithinATargetToTheRequestParser) {
  EXPECT_EQ(sniff("GET /", true), Protocol::kHttp1);
  EXPECT_EQ(sniff("post http://a/b HT", true), Protocol::kHttp1);
  EXPECT_EQ(sniff("SET /key", true), Protocol::kOther);
}

TEST(Sniff, BelievesAMethodWhenTheLineIsLongerThanAnyLineProtocols) {
  EXPECT_EQ(sniff("GET /" + std::string(5000, 'a'), false), Protocol::kHttp1);
  EXPECT_EQ(sniff("SET key " + std::string(5000, 'a'), false), Protocol::kOther);
}

TEST(Sniff, KnowsTlsAndHttp2) {
  EXPECT_EQ(sniff("\x16\x03\x01", false), Protocol::kTls);
  EXPECT_EQ(sniff("\x16\x02\x01", false), Protocol::kOther);
  EXPECT_EQ(sniff("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false), Protocol::kHttp2);
  EXPECT_EQ(sniff("PRI * HTTP/2.0\r\n\r\n", false), Protocol::kUnknown);
}

}  // namespace
}  // namespace cassette
