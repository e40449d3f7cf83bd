// Removing unused interactions: what stays keeps its identity, whatever else is going on.
#include "store/journal/prune.h"

#include <gtest/gtest.h>

#include "store/journal/journal.h"
#include "store/journal/usage.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

class PruneTest : public StoreTest {
 protected:
  std::vector<std::string> unused_ids() {
    auto report = find_unused(settings_, settings_.cassette);
    std::vector<std::string> ids;
    if (!report.ok()) return {"error: " + report.error().message};
    for (std::size_t i : report->unused) ids.push_back(report->cassette.interactions[i].id);
    return ids;
  }
  std::size_t prune() {
    auto removed = prune_cassette(settings_, settings_.cassette, unused_ids());
    EXPECT_TRUE(removed.ok()) << removed.error().message;
    return removed.ok() ? removed->size() : 0;
  }
  void play(const std::vector<std::string>& uris) {
    tree_ = new_tree();
    auto player = open(RecordMode::kNone);
    for (const std::string& uri : uris) EXPECT_NE(answer(*player, uri), "miss") << uri;
    player.leave();
  }
};

TEST_F(PruneTest, RemovesWhatWasNotUsedFromFilesAndDirectories) {
  for (const char* name : {"/c.yaml", "/c.json", "/c"}) {
    settings_.cassette = directory_ + name;
    save({interaction("http://a/1", "1"), interaction("http://a/2", "2"),
          interaction("http://a/3", "3")});
    play({"http://a/2"});
    EXPECT_EQ(prune(), 2u);
    EXPECT_EQ(saved_bodies(), "2");
    EXPECT_TRUE(unused_ids().empty());
    EXPECT_FALSE(exists(settings_.cassette + ".journal"));
    EXPECT_EQ(prune(), 0u);
    play({"http://a/2"});
  }
}

// Equal interactions are told apart by counting: when the first goes, the second is called like it.
TEST_F(PruneTest, WhatStaysCountsAsUsedUnderItsNewName) {
  std::vector<Interaction> equal(3, interaction("http://a/1", "x"));
  save(equal);
  auto loaded = load_cassette(cassette());
  ASSERT_TRUE(loaded.ok());
  std::vector<std::string> ids;
  for (const Interaction& each : loaded->interactions) ids.push_back(each.id);
  ASSERT_TRUE(mark_used(settings_.state_dir, cassette(), {ids[1], ids[2]}).ok());
  EXPECT_EQ(prune(), 1u);
  EXPECT_EQ(saved_bodies(), "x x");
  EXPECT_TRUE(unused_ids().empty());
  EXPECT_EQ(used_ids(settings_.state_dir, cassette())->size(), 2u);
}

TEST_F(PruneTest, WhatWasUsedSinceItWasAskedStays) {
  save({interaction("http://a/1", "1"), interaction("http://a/2", "2")});
  std::vector<std::string> ids = unused_ids();
  auto player = open(RecordMode::kNone);  // and is still alive
  EXPECT_EQ(answer(*player, "http://a/1"), "1");
  auto removed = prune_cassette(settings_, cassette(), ids);
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->size(), 1u);
  EXPECT_EQ(saved_bodies(), "1");
  player.leave();
}

TEST_F(PruneTest, RecordingsOfALivingSessionStayInTheJournal) {
  save({interaction("http://a/1", "1")});
  auto player = open(RecordMode::kNewEpisodes);
  ASSERT_TRUE(player->record(interaction("http://a/2", "2", 1)).ok());
  std::string before = read(journal());
  EXPECT_EQ(unused_ids().size(), 2u);
  EXPECT_EQ(prune(), 1u);
  EXPECT_EQ(saved_bodies(), "");
  EXPECT_EQ(read(journal()), before);
  player.leave();
  EXPECT_EQ(saved_bodies(), "2");
}

TEST_F(PruneTest, ACassetteThatDoesNotParseStaysAsItIs) {
  write(cassette(), "interactions: [\n");
  EXPECT_FALSE(prune_cassette(settings_, cassette(), {"x"}).ok());
  EXPECT_EQ(read(cassette()), "interactions: [\n");
  EXPECT_FALSE(exists(journal()));
}

}  // namespace
}  // namespace cassette
