// A cassette that falls back on others. (fallback.test has the same through real programs.)
#include "store/player/fallback_player.h"

#include <gtest/gtest.h>

#include "store/player/diagnosis.h"
#include "store/session/session.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

constexpr char kOne[] = "http://a/1";
constexpr char kTwo[] = "http://b/2";
constexpr char kThree[] = "http://c/3";

class FallbackTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    save_as("old.yaml", {interaction(kOne, "o1"), interaction(kTwo, "o2")});
    save_as("older.yaml",
            {interaction(kOne, "p1"), interaction(kTwo, "p2"), interaction(kTwo, "p3")});
    settings_.fallbacks = {directory_ + "/old.yaml", directory_ + "/older.yaml"};
  }
  void save_as(const std::string& name, const std::vector<Interaction>& interactions) {
    Cassette all{interactions};
    ASSERT_TRUE(save_cassette(directory_ + "/" + name, all).ok());
  }
  static RequestView request(const char* uri) {
    RequestView view;
    view.method = "GET";
    view.uri = *parse_uri(uri);
    return view;
  }
};

TEST_F(FallbackTest, PlaysFromTheFirstThatCan) {
  save({interaction(kOne, "n1")});
  auto opened = open(RecordMode::kNone);
  EXPECT_EQ(answer(*opened, kTwo), "o2");
  EXPECT_EQ(answer(*opened, kOne), "n1");
  EXPECT_EQ(answer(*opened, kOne), "o1");
  EXPECT_EQ(answer(*opened, kOne), "p1");
  EXPECT_EQ(answer(*opened, kOne), "miss");
  EXPECT_EQ(answer(*opened, kTwo), "p2");
  EXPECT_EQ(answer(*opened, kTwo), "p3");
  EXPECT_EQ(ask(*opened, kTwo).reason, MissReason::kUsedUp);
  EXPECT_EQ(ask(*opened, kThree).reason, MissReason::kNoSuchRequest);
  ASSERT_TRUE(opened->rewind().ok());
  EXPECT_EQ(answer(*opened, kTwo), "o2");
}

TEST_F(FallbackTest, ForwardsWhatNoneHasByTheModeOfTheFirst) {
  auto opened = open(RecordMode::kOnce);
  EXPECT_EQ(opened->upstream_policy("a", 80), UpstreamPolicy::kOnDemand);
  EXPECT_EQ(opened->upstream_policy("c", 80), UpstreamPolicy::kAtConnect);
  EXPECT_EQ(answer(*opened, kOne), "o1");
  EXPECT_EQ(answer(*opened, kThree), "forward");
  auto kept = opened->record(interaction(kThree, "n3"));
  EXPECT_TRUE(kept && *kept);
  opened.leave();
  EXPECT_EQ(saved_bodies(), "n3");

  tree_ = new_tree();
  auto again = open(RecordMode::kOnce);
  EXPECT_EQ(again->upstream_policy("a", 80), UpstreamPolicy::kNever);
  EXPECT_EQ(answer(*again, kThree), "n3");
  EXPECT_EQ(answer(*again, kThree), "miss");
}

TEST_F(FallbackTest, ModesThatPlayNothingDoNotAsk) {
  for (RecordMode mode : {RecordMode::kAll, RecordMode::kRewrite}) {
    tree_ = new_tree();
    auto opened = open(mode);
    EXPECT_EQ(answer(*opened, kOne), "forward");
    EXPECT_EQ(opened->upstream_policy("a", 80), UpstreamPolicy::kAtConnect);
  }
}

TEST_F(FallbackTest, AMissNamesAllAndTheClosestOfAll) {
  save({interaction("http://z/very/different", "n1")});
  save_as("older.yaml", {interaction("http://a/10?x=1", "p1")});
  auto opened = open(RecordMode::kNone);
  RequestView view = request("http://a/10?x=2");
  const Decision decision = opened->decide(view);
  const Miss miss = opened->diagnose(view, decision, {});
  EXPECT_EQ(miss.cassette,
            cassette() + ", " + directory_ + "/old.yaml, " + directory_ + "/older.yaml");
  EXPECT_EQ(miss.closest_name, "#1 GET http://a/10?x=1 of " + directory_ + "/older.yaml");
  (void)opened->miss(view, decision, {});
  auto session = Session::join(settings_, tree_);
  ASSERT_TRUE(session.ok());
  auto counts = (*session)->counts();
  ASSERT_TRUE(counts.ok());
  ASSERT_EQ(counts->size(), 3u);
  for (const CassetteCounts& row : *counts) {
    EXPECT_EQ(row.missed, row.path == cassette() ? 1u : 0u) << row.path;
  }
}

TEST_F(FallbackTest, OneThatIsNotThereIsAnError) {
  settings_.fallbacks.push_back(directory_ + "/nothing.yaml");
  auto opened = open(RecordMode::kOnce);
  EXPECT_EQ(ask(*opened, kOne).reason, MissReason::kUnusable);
  EXPECT_FALSE(exists(cassette()));
  EXPECT_FALSE(exists(directory_ + "/nothing.yaml.journal"));
}

TEST_F(FallbackTest, AJournalBesideAnOldOneIsReadAndLeftThere) {
  settings_.fallbacks.clear();
  settings_.cassette = directory_ + "/unsaved.yaml";
  EXPECT_EQ(in_child([this] {
              auto child = open(RecordMode::kOnce);
              return child->record(interaction(kThree, "u3")).ok() ? 0 : 1;
            }),
            0);
  settings_.cassette = cassette();
  settings_.fallbacks = {directory_ + "/unsaved.yaml"};
  tree_ = new_tree();
  auto opened = open(RecordMode::kOnce);
  EXPECT_EQ(answer(*opened, kThree), "u3");
  EXPECT_TRUE(exists(directory_ + "/unsaved.yaml.journal"));
  EXPECT_FALSE(exists(directory_ + "/unsaved.yaml"));
}

TEST_F(FallbackTest, ChildrenAreToldOfAll) {
  settings_.fallbacks = {"old.yaml", "a,b.yaml"};
  settings_.cassette = "new.yaml";
  Deck deck(settings_, tree_);
  EXPECT_EQ(deck.for_children().at("CASSETTE"),
            directory_ + "/new.yaml," + directory_ + "/old.yaml," + directory_ + "/a,,b.yaml");
}

TEST_F(FallbackTest, WhatIsNotToBeKeptIsNoFailure) {
  settings_.no_record_status.add("429");
  settings_.no_record_status.add("5xx");
  auto opened = open(RecordMode::kOnce);
  for (int status : {200, 429, 503, 404}) {
    Interaction each = interaction(kThree, std::to_string(status));
    each.response.status = status;
    auto kept = opened->record(each);
    ASSERT_TRUE(kept.ok());
    EXPECT_EQ(kept->has_value(), status == 200 || status == 404) << status;
  }
  opened.leave();
  EXPECT_EQ(saved_bodies(), "200 404");
}

}  // namespace
}  // namespace cassette
