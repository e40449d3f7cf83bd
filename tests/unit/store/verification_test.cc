// What counts as a request that a test asks about, and what can be said when the history is not
// whole.
#include "store/session/verification.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace cassette {
namespace {

HistoryEntry entry(std::string_view method, std::string_view uri) {
  HistoryEntry entry;
  entry.method = method;
  entry.uri = uri;
  return entry;
}

HistoryEntry replayed(std::uint64_t cassette, std::uint32_t interaction) {
  HistoryEntry result = entry("GET", "http://h/");
  result.outcome = HistoryOutcome::kReplayed;
  result.cassette = cassette;
  result.interaction = interaction;
  return result;
}

std::uint64_t count(std::initializer_list<HistoryEntry> entries, const Criteria& criteria) {
  History::Contents contents;
  contents.entries = entries;
  return count_matching(contents, criteria);
}

bool host_matches(std::string_view uri, const std::string& host) {
  Criteria criteria;
  criteria.host = host;
  return count({entry("GET", uri)}, criteria) == 1;
}

bool path_matches(std::string_view uri, const std::string& path) {
  Criteria criteria;
  criteria.path = path;
  return count({entry("GET", uri)}, criteria) == 1;
}

TEST(Verification, WithoutCriteriaAllCount) {
  EXPECT_EQ(count({}, {}), 0u);
  EXPECT_EQ(count({entry("GET", "http://h/"), entry("POST", ""), entry("", "nonsense")}, {}), 3u);
}

TEST(Verification, AMethodIsComparedWithoutCase) {
  Criteria criteria;
  criteria.method = "pOsT";
  EXPECT_EQ(count({entry("POST", "http://h/"), entry("post", "nonsense"), entry("POS", "http://h/"),
                   entry("POSTS", "http://h/"), entry("GET", "http://h/")},
                  criteria),
            2u);
  criteria.method = "";
  EXPECT_EQ(count({entry("POST", "http://h/")}, criteria), 0u);
}

TEST(Verification, AHostIsAPattern) {
  EXPECT_TRUE(host_matches("http://api.example.org/x", "api.example.org"));
  EXPECT_TRUE(host_matches("http://API.example.org:8080/x", "api.EXAMPLE.org"));
  EXPECT_FALSE(host_matches("http://api.example.org/x", "example.org"));
  EXPECT_TRUE(host_matches("http://api.example.org/x", "*.example.org"));
  EXPECT_FALSE(host_matches("http://example.org/x", "*.example.org"));
  EXPECT_TRUE(host_matches("http://127.0.0.1:99/", "localhost"));
  EXPECT_TRUE(host_matches("http://[::1]/", "localhost"));
  EXPECT_TRUE(host_matches("http://[2001:DB8::1]:81/", "[2001:db8:0::1]:81"));
  EXPECT_FALSE(host_matches("http://user@other/", "user"));
}

TEST(Verification, APortMayBeTheSchemesOwn) {
  EXPECT_TRUE(host_matches("http://example.org/", "example.org:80"));
  EXPECT_FALSE(host_matches("https://example.org/", "example.org:80"));
  EXPECT_TRUE(host_matches("https://example.org/", "example.org:443"));
  EXPECT_TRUE(host_matches("http://example.org:8080/", "example.org:8080"));
  EXPECT_FALSE(host_matches("http://example.org/", "example.org:8080"));
  EXPECT_FALSE(host_matches("http://example.org:8080/", "example.org:80"));
}

TEST(Verification, APathIsWholeAndWithoutTheQuery) {
  EXPECT_TRUE(path_matches("http://h/v1/items?page=2", "/v1/items"));
  EXPECT_FALSE(path_matches("http://h/v1/items/1", "/v1/items"));
  EXPECT_FALSE(path_matches("http://h/v1/items", "/v1/item"));
  EXPECT_FALSE(path_matches("http://h/v1/items", "v1/items"));
  EXPECT_FALSE(path_matches("http://h/V1/items", "/v1/items"));
  EXPECT_TRUE(path_matches("http://h", "/"));
  EXPECT_TRUE(path_matches("http://h?q", "/"));
  EXPECT_FALSE(path_matches("http://h/", ""));
}

TEST(Verification, AStarStandsForAnyRunAndAllElseForItself) {
  EXPECT_TRUE(path_matches("http://h/v1/items/17/parts?q=/x", "/v1/*/parts"));
  EXPECT_TRUE(path_matches("http://h/v1/a/b/parts", "/v1/*/parts"));
  EXPECT_TRUE(path_matches("http://h/v1//parts", "/v1/*/parts"));
  EXPECT_FALSE(path_matches("http://h/v1/parts", "/v1/*/parts"));
  EXPECT_TRUE(path_matches("http://h/v1/x", "*"));
  EXPECT_TRUE(path_matches("http://h/v1/x", "/v1/x*"));
  EXPECT_TRUE(path_matches("http://h/v1/x", "**/x**"));
  EXPECT_TRUE(path_matches("http://h/ab/ab/abc", "*ab*abc"));
  EXPECT_TRUE(path_matches("http://h/aXbXaXc", "/a*aXc"));
  EXPECT_FALSE(path_matches("http://h/aXbXaXcX", "/a*aXc"));
  EXPECT_FALSE(path_matches("http://h/a", "/a*a"));
  EXPECT_FALSE(path_matches("http://h/ab", "/a?"));
  EXPECT_FALSE(path_matches("http://h/ab", "/[a]b"));
  EXPECT_TRUE(path_matches("http://h/[a]b", "/[a]b"));
  EXPECT_FALSE(path_matches("http://h/a", "/\\a"));
  // Nothing that takes long.
  const std::string many = "http://h/" + std::string(3900, 'a');
  std::string stars = "/";
  for (int i = 0; i < 1000; ++i) stars += "a*";
  EXPECT_TRUE(path_matches(many, stars));
  EXPECT_FALSE(path_matches(many, stars + "b"));
}

TEST(Verification, OnlyWhatReplayedAnInteractionCountsForIt) {
  HistoryEntry recorded = replayed(7, 0);
  recorded.outcome = HistoryOutcome::kRecorded;
  HistoryEntry missed = replayed(7, 0);
  missed.outcome = HistoryOutcome::kMissed;
  Criteria criteria;
  criteria.interaction = 0;
  EXPECT_EQ(count({replayed(7, 0), replayed(7, 1), replayed(8, 0), recorded, missed}, criteria),
            2u);
  criteria.cassette = 7;
  EXPECT_EQ(count({replayed(7, 0), replayed(7, 1), replayed(8, 0), recorded, missed}, criteria),
            1u);
  criteria.interaction.reset();
  EXPECT_EQ(count({replayed(7, 0), replayed(7, 1), replayed(8, 0), recorded, missed}, criteria),
            4u);
  criteria = {};
  criteria.interaction = HistoryEntry::kNoInteraction;
  EXPECT_EQ(count({entry("GET", "http://h/")}, criteria), 0u);
}

TEST(Verification, AllCriteriaMustHold) {
  Criteria criteria;
  criteria.method = "GET";
  criteria.host = "h";
  criteria.path = "/p";
  criteria.interaction = 3;
  criteria.cassette = 9;
  HistoryEntry all = replayed(9, 3);
  all.uri = "http://h/p";
  EXPECT_EQ(count({all}, criteria), 1u);
  for (int i = 0; i < 5; ++i) {
    HistoryEntry all_but_one = all;
    if (i == 0) all_but_one.method = "PUT";
    if (i == 1) all_but_one.uri = "http://g/p";
    if (i == 2) all_but_one.uri = "http://h/q";
    if (i == 3) all_but_one.interaction = 4;
    if (i == 4) all_but_one.cassette = 8;
    EXPECT_EQ(count({all, all_but_one}, criteria), 1u) << i;
  }
}

TEST(Verification, AUriThatIsNoneMeetsNoCriterionAboutIt) {
  for (std::string_view uri : {"", "nonsense", "http://", "http://h:port/", "/p"}) {
    EXPECT_FALSE(host_matches(uri, "h")) << uri;
    EXPECT_FALSE(path_matches(uri, "*")) << uri;
    Criteria criteria;
    criteria.method = "GET";
    EXPECT_EQ(count({entry("GET", uri)}, criteria), 1u) << uri;
  }
}

std::string cut(std::string uri) {
  uri.resize(HistoryEntry::kMaxUri, 'x');
  return uri;
}

TEST(Verification, WhatWasCutIsNotGuessed) {
  const std::string in_query = cut("http://h/path?q=");
  EXPECT_TRUE(host_matches(in_query, "h:80"));
  EXPECT_TRUE(path_matches(in_query, "/path"));

  const std::string in_path = cut("http://h/path/");
  EXPECT_TRUE(host_matches(in_path, "h"));
  EXPECT_TRUE(path_matches(in_path, "/path/*"));
  EXPECT_TRUE(path_matches(in_path, "*"));
  EXPECT_FALSE(path_matches(in_path, "/other/*"));
  EXPECT_FALSE(path_matches(in_path, "/path/*x"));
  EXPECT_FALSE(path_matches(in_path, in_path.substr(8)));

  const std::string in_host = cut("http://h");
  EXPECT_FALSE(host_matches(in_host, in_host.substr(7)));
  EXPECT_FALSE(path_matches(in_host, "*"));
  EXPECT_FALSE(host_matches(cut("htt"), "h"));

  std::string one_less = in_path;
  one_less.pop_back();
  EXPECT_TRUE(path_matches(one_less, one_less.substr(8)));
  EXPECT_TRUE(path_matches(one_less, "/path/*x"));
}

TEST(Verification, OfAWholeHistoryTheVerdictIsSure) {
  EXPECT_EQ(verify(0, 0, {}), Verdict::kHolds);
  EXPECT_EQ(verify(2, 0, {2, 2}), Verdict::kHolds);
  EXPECT_EQ(verify(1, 0, {2, 2}), Verdict::kFails);
  EXPECT_EQ(verify(3, 0, {2, 2}), Verdict::kFails);
  EXPECT_EQ(verify(3, 0, {2}), Verdict::kHolds);
  EXPECT_EQ(verify(1, 0, {0, 0}), Verdict::kFails);
  EXPECT_EQ(verify(5, 0, {6, 4}), Verdict::kFails);
}

TEST(Verification, OfAHistoryWithGapsOnlyWhatCannotChangeIsSaid) {
  EXPECT_EQ(verify(2, 1, {2}), Verdict::kHolds);
  EXPECT_EQ(verify(1, 1, {2}), Verdict::kUnknown);
  EXPECT_EQ(verify(3, 1, {0, 2}), Verdict::kFails);
  EXPECT_EQ(verify(2, 1, {0, 2}), Verdict::kUnknown);
  EXPECT_EQ(verify(2, 1, {2, 2}), Verdict::kUnknown);
  EXPECT_EQ(verify(0, 1, {0, 0}), Verdict::kUnknown);
  EXPECT_EQ(verify(0, 1, {}), Verdict::kHolds);
}

}  // namespace
}  // namespace cassette
