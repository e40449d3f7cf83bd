// Merging: the table of merge.h, in order, once, and never over something that does not parse.
#include "store/journal/merge.h"

#include <gtest/gtest.h>

#include "store/journal/journal.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

constexpr char kSession[] = "1-2@3";
constexpr char kOther[] = "1-2@4";  // of a session that is no more

class MergeTest : public StoreTest {
 protected:
  void append(const std::string& uri, const std::string& body, RecordMode mode,
              const std::string& session = kSession) {
    JournalRecord record;
    record.session = session;
    record.mode = mode;
    record.began = clock_ += 1000;
    record.interaction = interaction(uri, body, static_cast<std::int64_t>(record.began / 1000));
    ASSERT_TRUE(Journal(cassette()).append(record).ok());
  }
  MergeReport merge(bool ended_well, bool died = false) {
    EndedSession session;
    session.token = kSession;
    session.ended_well = ended_well;
    session.died = died;
    session.matcher = &matcher_;
    session.recorded = recorded_;
    auto report = merge_journal(cassette(), settings_.runtime_dir, session);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *report : MergeReport{};
  }

  Matcher matcher_{MatchOn{}, Redactor({}, {}, {})};
  std::uint64_t clock_ = 1700000000000000000u;
  std::uint64_t recorded_ = 0;
};

TEST_F(MergeTest, NewOnesComeBehindTheOldInTheOrderOfTheirBeginning) {
  save({interaction("http://a/0", "old")});
  JournalRecord late;
  late.session = kSession;
  late.mode = RecordMode::kNewEpisodes;
  late.began = clock_ + 50000;
  late.interaction = interaction("http://a/1", "late");
  ASSERT_TRUE(Journal(cassette()).append(late).ok());
  append("http://a/1", "first", RecordMode::kNewEpisodes);
  append("http://a/1", "second", RecordMode::kNewEpisodes);
  EXPECT_EQ(merge(true).merged, 3u);
  EXPECT_EQ(saved_bodies(), "old first second late");
  EXPECT_FALSE(exists(journal()));
  EXPECT_EQ(merge(true).merged, 0u);
}

TEST_F(MergeTest, AllTakesThePlaceOfWhatMatches) {
  save({interaction("http://a/1", "1"), interaction("http://a/2", "2"),
        interaction("http://a/1", "1b")});
  append("http://a/1", "new", RecordMode::kAll);
  merge(true);
  EXPECT_EQ(saved_bodies(), "2 new");
}

TEST_F(MergeTest, RewriteReplacesTheWhole) {
  save({interaction("http://a/1", "1"), interaction("http://a/2", "2")});
  append("http://a/3", "new", RecordMode::kRewrite);
  merge(true);
  EXPECT_EQ(saved_bodies(), "new");
}

TEST_F(MergeTest, ASessionThatFailedDropsWhatWouldReplace) {
  save({interaction("http://a/1", "1")});
  append("http://a/1", "all", RecordMode::kAll);
  append("http://a/1", "rewrite", RecordMode::kRewrite);
  append("http://a/2", "new", RecordMode::kNewEpisodes);
  EXPECT_EQ(merge(false).dropped, 2u);
  EXPECT_EQ(saved_bodies(), "1 new");
}

TEST_F(MergeTest, ASessionThatDiedAddsAll) {
  save({interaction("http://a/1", "1")});
  append("http://a/1", "all", RecordMode::kAll);
  append("http://a/1", "rewrite", RecordMode::kRewrite);
  merge(false, true);
  EXPECT_EQ(saved_bodies(), "1 all rewrite");
}

TEST_F(MergeTest, RewriteOfWhichAPartWasMergedElsewhereAdds) {
  save({interaction("http://a/1", "1")});
  append("http://a/2", "2", RecordMode::kRewrite);
  recorded_ = 2;
  merge(true);
  EXPECT_EQ(saved_bodies(), "1 2");
}

TEST_F(MergeTest, RecordsOfDeadSessionsAreMergedToo) {
  append("http://a/1", "dead", RecordMode::kRewrite, kOther);
  append("http://a/1", "ours", RecordMode::kOnce);
  merge(true);
  EXPECT_EQ(saved_bodies(), "dead ours");
}

// A merger that died between saving the cassette and removing the journal.
TEST_F(MergeTest, MergingAgainMergesNothingTwice) {
  for (RecordMode mode : {RecordMode::kNewEpisodes, RecordMode::kAll, RecordMode::kRewrite}) {
    save({interaction("http://a/1", "old")});
    append("http://a/1", "same", mode);
    append("http://a/2", "two", mode);
    std::string bytes = read(journal());
    merge(true);
    std::string once = saved_bodies();
    write(journal(), bytes);
    merge(true);
    EXPECT_EQ(saved_bodies(), once);
    EXPECT_FALSE(exists(journal()));
  }
}

TEST_F(MergeTest, EqualOnesOfOneInstantAreAllKept) {
  JournalRecord record;
  record.session = kSession;
  record.began = clock_;
  record.interaction = interaction("http://a/1", "x", 1700000000000000);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Journal(cassette()).append(record).ok());
  std::string bytes = read(journal());
  merge(true);
  EXPECT_EQ(saved_bodies(), "x x x");
  write(journal(), bytes);
  merge(true);
  EXPECT_EQ(saved_bodies(), "x x x");
}

TEST_F(MergeTest, ACassetteThatDoesNotParseKeepsBothFiles) {
  write(cassette(), "interactions: [");
  append("http://a/1", "new", RecordMode::kRewrite);
  std::string bytes = read(journal());
  EndedSession session;
  session.token = kSession;
  session.ended_well = true;
  session.died = false;
  auto report = merge_journal(cassette(), settings_.runtime_dir, session);
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.error().message.find(cassette()), std::string::npos);
  EXPECT_EQ(read(cassette()), "interactions: [");
  EXPECT_EQ(read(journal()), bytes);
}

TEST_F(MergeTest, DamageIsReportedAndTheRestMerged) {
  append("http://a/1", "one", RecordMode::kOnce);
  write(journal(), read(journal()) + "torn");
  EXPECT_EQ(merge(true).damaged_bytes, 4u);
  EXPECT_EQ(saved_bodies(), "one");
  EXPECT_NE(read(log_file()).find("4 bytes are no whole record"), std::string::npos);
}

// Two sessions side by side: whoever ends first, what began first stands first. Old ones stay as they are,
// also out of order.
TEST_F(MergeTest, WhatAnotherMergedMeanwhileAndBeganLaterComesBehind) {
  save({interaction("http://a/0", "o2", 1600000000000002),
        interaction("http://a/0", "o1", 1600000000000001), interaction("http://a/0", "by hand")});
  append("http://a/1", "first", RecordMode::kNewEpisodes);
  std::string ours = read(journal());
  write(journal(), "");
  append("http://a/1", "second", RecordMode::kNewEpisodes, kOther);
  std::string theirs = read(journal());
  append("http://a/1", "third", RecordMode::kNewEpisodes);
  write(journal(), theirs + read(journal()).substr(theirs.size()));
  merge(true);
  EXPECT_EQ(saved_bodies(), "o2 o1 by hand second third");
  write(journal(), ours);
  auto read_before = load_with_journal(cassette());
  ASSERT_TRUE(read_before.ok());
  EXPECT_EQ(bodies(read_before->interactions), "o2 o1 by hand first second third");
  merge(true);
  EXPECT_EQ(saved_bodies(), "o2 o1 by hand first second third");
}

// A directory whose merger died after it had replaced a part.
TEST_F(MergeTest, InADirectoryMergingAgainGivesTheSameNames) {
  settings_.cassette = directory_ + "/c";
  for (RecordMode mode : {RecordMode::kAll, RecordMode::kRewrite}) {
    std::filesystem::remove_all(settings_.cassette);
    save({interaction("http://a/1", "old"), interaction("http://a/1", "old too")});
    auto record = [&](const std::string& uri, const std::string& body) {
      JournalRecord record;
      record.session = kSession;
      record.mode = mode;
      record.began = clock_ += 1000;
      record.interaction = interaction(uri, body, static_cast<std::int64_t>(record.began / 1000));
      ASSERT_TRUE(Journal(settings_.cassette).append(record).ok());
    };
    record("http://a/1", "new");
    record("http://a/1", "new too");
    record("http://a/2", "two");
    const std::string bytes = read(settings_.cassette + ".journal");
    auto names = [this] {
      std::vector<std::string> all;
      for (const auto& entry : std::filesystem::directory_iterator(settings_.cassette)) {
        all.push_back(entry.path().filename());
      }
      std::sort(all.begin(), all.end());
      return all;
    };
    auto merge_it = [&] {
      EndedSession session{kSession, true, false, false, 0, &matcher_};
      auto report = merge_journal(settings_.cassette, settings_.runtime_dir, session);
      ASSERT_TRUE(report.ok()) << report.error().message;
    };
    merge_it();
    EXPECT_EQ(saved_bodies(), "new new too two");
    const std::vector<std::string> once = names();
    EXPECT_EQ(once.size(), 3u);
    for (const std::string& lost : once) {
      std::filesystem::remove(settings_.cassette + "/" + lost);
      write(settings_.cassette + ".journal", bytes);
      merge_it();
      EXPECT_EQ(saved_bodies(), "new new too two");
      EXPECT_EQ(names(), once);
    }
  }
}

TEST_F(MergeTest, WhatIsToBeDiscardedIsInAnyMode) {
  save({interaction("http://a/1", "1")});
  append("http://a/2", "2", RecordMode::kNewEpisodes);
  append("http://a/3", "dead", RecordMode::kNewEpisodes, kOther);
  EndedSession session{kSession, false, false, true, 0, &matcher_};
  auto report = merge_journal(cassette(), settings_.runtime_dir, session);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->dropped, 1u);
  EXPECT_EQ(saved_bodies(), "1 dead");
  EXPECT_FALSE(exists(journal()));
}

TEST_F(MergeTest, ReadersSeeBothAsOne) {
  auto nothing = load_with_journal(cassette());
  EXPECT_FALSE(nothing.ok());
  append("http://a/1", "one", RecordMode::kOnce);
  auto only_journal = load_with_journal(cassette());
  ASSERT_TRUE(only_journal.ok());
  EXPECT_EQ(bodies(only_journal->interactions), "one");
  EXPECT_FALSE(only_journal->interactions[0].id.empty());
  std::string bytes = read(journal());
  merge(true);
  write(journal(), bytes);
  append("http://a/2", "two", RecordMode::kOnce);
  auto both = load_with_journal(cassette());
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(bodies(both->interactions), "one two");
}

}  // namespace
}  // namespace cassette
