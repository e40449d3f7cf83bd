// Headers keeps what it was given, and finds it again in any case.
#include "parser/headers.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace cassette {
namespace {

TEST(Headers, KeepsOrderCaseAndDuplicates) {
  Headers headers;
  headers.add("Set-Cookie", "a=b");
  headers.add("X-Empty", "");
  headers.add("set-cookie", "c=d");
  ASSERT_EQ(headers.size(), 3U);
  EXPECT_EQ(headers.at(0).name, "Set-Cookie");
  EXPECT_EQ(headers.at(1).value, "");
  EXPECT_EQ(headers.at(2).name, "set-cookie");
  EXPECT_EQ(headers.at(2).value, "c=d");
}

TEST(Headers, FindsTheFirstFieldInAnyCase) {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("ACCEPT", "b");
  EXPECT_EQ(headers.find("accept"), "a");
  EXPECT_FALSE(headers.find("accep").has_value());
  EXPECT_FALSE(Headers().find("accept").has_value());
}

TEST(Headers, FindsTokensInLists) {
  Headers headers;
  headers.add("Connection", " keep-alive ,, Upgrade");
  headers.add("connection", "Close");
  EXPECT_TRUE(headers.has_token("connection", "keep-alive"));
  EXPECT_TRUE(headers.has_token("Connection", "upgrade"));
  EXPECT_TRUE(headers.has_token("Connection", "close"));
  EXPECT_FALSE(headers.has_token("Connection", "keep"));
  EXPECT_FALSE(headers.has_token("Upgrade", "close"));
}

TEST(Headers, EqualMeansByteForByte) {
  Headers a;
  Headers b;
  EXPECT_TRUE(a == b);
  a.add("ab", "c");
  b.add("a", "bc");  // the same bytes, cut elsewhere
  EXPECT_FALSE(a == b);
  b.clear();
  b.add("ab", "c");
  EXPECT_TRUE(a == b);
  b.add("d", "");
  EXPECT_FALSE(a == b);
  a.add("D", "");
  EXPECT_FALSE(a == b);
}

TEST(Headers, TakesViewsIntoItself) {
  Headers headers;
  headers.add("Name", std::string(100, 'v'));
  for (int i = 0; i < 200; ++i) headers.add(headers.at(0).name, headers.at(0).value);
  EXPECT_EQ(headers.at(200).name, "Name");
  EXPECT_EQ(headers.at(200).value, std::string(100, 'v'));
}

TEST(Headers, CanBeCopiedMovedAndUsedAgain) {
  Headers headers;
  headers.add("A", "b");
  const Headers copy = headers;
  Headers moved = std::move(headers);
  EXPECT_TRUE(copy == moved);
  moved.clear();
  EXPECT_TRUE(moved.empty());
  moved.add("C", "d");
  EXPECT_EQ(moved.at(0).value, "d");
  EXPECT_EQ(copy.at(0).value, "b");
}

}  // namespace
}  // namespace cassette
