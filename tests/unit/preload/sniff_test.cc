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

TEST(Sniff, AnswersTheSameForEverySplitOnceItAnswers) {
  for (std::string whole : {"GET /path?q=1 HTTP/1.1\r\nHost: a\r\n\r\n", "SET key value\r\n",
                            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02", "\x01\x02"}) {
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
}

TEST(Sniff, WaitsForTheRestOfALineUnlessNoneComes) {
  EXPECT_EQ(sniff("GET /", false), Protocol::kUnknown);
  EXPECT_EQ(sniff("GET /", true), Protocol::kOther);
  EXPECT_EQ(sniff("PING", false), Protocol::kUnknown);
  EXPECT_EQ(sniff("", true), Protocol::kOther);
}

TEST(Sniff, BelievesAMethodWhenTheLineIsLongerThanAnyLineProtocols) {
  EXPECT_EQ(sniff("GET /" + std::string(5000, 'a'), false), Protocol::kHttp1);
}

TEST(Sniff, KnowsTlsAndHttp2) {
  EXPECT_EQ(sniff("\x16\x03\x01", false), Protocol::kTls);
  EXPECT_EQ(sniff("\x16\x02\x01", false), Protocol::kOther);
  EXPECT_EQ(sniff("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false), Protocol::kHttp2);
  EXPECT_EQ(sniff("PRI * HTTP/2.0\r\n\r\n", false), Protocol::kUnknown);
}

}  // namespace
}  // namespace cassette
