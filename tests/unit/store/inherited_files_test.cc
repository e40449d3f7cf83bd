// What a process keeps open for itself, when it may open it no more, and for those that follow: the journal stays one that
// both it and whoever merges can use, the session can be joined, and nothing is made where it cannot be found.
#include "store/inherited_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "store/journal/journal.h"
#include "store/journal/merge.h"
#include "store/session/session.h"
#include "store/settings/tree.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

std::map<std::string, Descriptor> kept;

class InheritedFilesTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    use_inherited_files(
        [](const char* name) {
          auto found = kept.find(name);
          return found != kept.end() ? found->second.get() : -1;
        },
        [] { kept.clear(); });
  }
  void TearDown() override {
    use_inherited_files(nullptr, nullptr);
    kept.clear();
    StoreTest::TearDown();
  }
  static void keep(const std::string& name, Descriptor file) { kept[name] = std::move(file); }

  JournalRecord record(const std::string& body, const std::string& session) {
    JournalRecord result;
    result.session = session;
    result.mode = RecordMode::kNewEpisodes;
    result.began = clock_ += 1000;
    result.interaction =
        interaction("http://a/1", body, static_cast<std::int64_t>(result.began / 1000));
    return result;
  }
  std::size_t merge() {
    auto report = merge_journal(cassette(), settings_.runtime_dir, std::nullopt);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? report->merged : 0;
  }
  ino_t inode_of(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
  }

  std::uint64_t clock_ = 1700000000000000000u;
};

constexpr char kDead[] = "1-2@3";

TEST_F(InheritedFilesTest, AJournalThatIsKeptOpenIsEmptiedWhereItIs) {
  Journal writer(cassette());
  ASSERT_TRUE(writer.keep_open(keep).ok());
  const ino_t before = inode_of(journal());
  ASSERT_TRUE(writer.append(record("one", kDead)).ok());
  EXPECT_EQ(merge(), 1u);
  EXPECT_EQ(inode_of(journal()), before);
  EXPECT_EQ(read(journal()), "");
  ASSERT_TRUE(writer.append(record("two", kDead)).ok());
  // Another process, which has the path alone.
  ASSERT_TRUE(Journal(cassette()).append(record("three", kDead)).ok());
  EXPECT_EQ(merge(), 2u);
  EXPECT_EQ(merge(), 0u);
  EXPECT_EQ(saved_bodies(), "one two three");
  kept.clear();
  EXPECT_EQ(merge(), 0u);
  EXPECT_EQ(inode_of(journal()), 0u);
}

TEST_F(InheritedFilesTest, InAKeptJournalTheRecordsOfTheLivingStayAndTheOthersBecomeVoid) {
  auto living = Session::join(settings_, tree_);
  ASSERT_TRUE(living.ok());
  Journal writer(cassette());
  ASSERT_TRUE(writer.keep_open(keep).ok());
  for (const char* body : {"a", "B", "c", "D"}) {
    const bool lives = body[0] < 'a';
    ASSERT_TRUE(writer.append(record(body, lives ? (*living)->token() : kDead)).ok());
  }
  const std::size_t size = read(journal()).size();
  EXPECT_EQ(merge(), 2u);
  EXPECT_EQ(saved_bodies(), "a c");
  const JournalContents contents = read_journal(read(journal()), journal());
  EXPECT_EQ(read(journal()).size(), size);
  ASSERT_EQ(contents.records.size(), 2u);
  EXPECT_EQ(contents.records[0].interaction.response.body, "B");
  EXPECT_GT(contents.void_bytes, 0u);
  EXPECT_EQ(contents.damaged_bytes, 0u);
  EXPECT_EQ(contents.whole_end, size);
  EXPECT_EQ(merge(), 0u);
  auto both = load_with_journal(cassette());
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(bodies(both->interactions), "a B c D");
  EXPECT_EQ(saved_bodies(), "a c");
}

TEST_F(InheritedFilesTest, AKeptJournalThatWasRemovedIsSaidAndNoneIsMade) {
  Journal writer(cassette());
  ASSERT_TRUE(writer.keep_open(keep).ok());
  ASSERT_EQ(unlink(journal().c_str()), 0);
  auto appended = writer.append(record("lost", kDead));
  ASSERT_FALSE(appended.ok());
  EXPECT_NE(appended.error().message.find("was removed"), std::string::npos);
  EXPECT_EQ(inode_of(journal()), 0u);
}

// flock(2) would be of the one description: the end of one append would free it while another goes on.
TEST_F(InheritedFilesTest, WhoMergesWaitsForEachThatAppendsByTheKeptOne) {
  Journal writer(cassette());
  ASSERT_TRUE(writer.keep_open(keep).ok());
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t child = spawn([&] {
    // As an append that takes long.
    struct flock range {};
    range.l_type = F_RDLCK;
    range.l_len = 1;
    const int own = kept.begin()->second.get();
    char byte = fcntl(own, F_SETLK, &range) == 0 ? '1' : '0';
    if (::write(ready[1], &byte, 1) != 1) return 1;
    usleep(200000);
    return 0;
  });
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, '1');
  ASSERT_TRUE(writer.append(record("mine", kDead)).ok());
  EXPECT_EQ(merge(), 1u);
  EXPECT_EQ(waitpid(child, nullptr, WNOHANG), child);  // it had to end first
  close(ready[0]);
  close(ready[1]);
}

TEST_F(InheritedFilesTest, ASessionThatCannotBeFoundIsJoinedByWhatWasKept) {
  save({interaction("http://a/1", "first"), interaction("http://a/1", "second")});
  auto first = open(RecordMode::kNone);
  first.deck().keep_open(keep);
  // As behind chroot(2).
  std::filesystem::rename(settings_.runtime_dir, directory_ + "/away");
  auto second = open(RecordMode::kNone);
  auto size = second->index();
  ASSERT_TRUE(size.ok()) << size.error().message;
  EXPECT_EQ(second->advance(true).ok(), true);
  EXPECT_EQ(*first->index(), 1u);  // the same positions
  second.leave();
  EXPECT_FALSE(std::filesystem::exists(settings_.runtime_dir));
  std::filesystem::rename(directory_ + "/away", settings_.runtime_dir);
  first.leave();
  EXPECT_TRUE(std::filesystem::is_empty(sessions()));
}

TEST_F(InheritedFilesTest, WhatIsNotKeptIsNotFound) {
  EXPECT_FALSE(open_or_inherit(directory_ + "/nothing", O_RDONLY));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(exists_or_inherited(directory_ + "/nothing"));
}

// --- where a tree's sessions are -------------------------------------------------------------------

std::string tree_of(const char* runtime_directory) {
  const char* arguments[] = {"program"};
  char text[4096];
  EXPECT_TRUE(make_tree(1, arguments, runtime_directory, text, sizeof text));
  return text;
}

TEST_F(InheritedFilesTest, ATreeKnowsItsRuntimeDirectoryAgain) {
  std::filesystem::create_directory(settings_.runtime_dir);
  chmod(settings_.runtime_dir.c_str(), 0700);
  tree_ = tree_of(settings_.runtime_dir.c_str());
  ASSERT_TRUE(Session::join(settings_, tree_).ok());
  // A sandbox has another one there.
  std::filesystem::rename(settings_.runtime_dir, directory_ + "/away");
  std::filesystem::create_directory(settings_.runtime_dir);
  auto joined = Session::join(settings_, tree_);
  ASSERT_FALSE(joined.ok());
  EXPECT_NE(joined.error().message.find("cannot be reached"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(settings_.runtime_dir));
  // Who says another directory means it.
  settings_.runtime_dir = directory_ + "/other";
  EXPECT_TRUE(Session::join(settings_, tree_).ok());
}

TEST_F(InheritedFilesTest, ARuntimeDirectoryThatIsMadeLaterIsTheTreesAllTheSame) {
  tree_ = tree_of(settings_.runtime_dir.c_str());
  RuntimePlace place;
  ASSERT_TRUE(read_place(tree_.c_str(), &place));
  EXPECT_EQ(place.length, directory_.size());
  EXPECT_TRUE(Session::join(settings_, tree_).ok());
  EXPECT_TRUE(Session::join(settings_, tree_).ok());
}

TEST_F(InheritedFilesTest, APlaceIsReadFromWhatALibraryMade) {
  RuntimePlace place;
  EXPECT_TRUE(read_place("1-2:curl@a-b-c-d:/home", &place));
  EXPECT_EQ(place, (RuntimePlace{0xa, 0xb, 0xc, 0xd}));
  for (const char* without : {"", "1-2", "1-2:curl:/a@b", "1-2:curl@a-b:/home", "1-2:curl@:/home"})
    EXPECT_FALSE(read_place(without, &place)) << without;
  EXPECT_FALSE(find_place("relative", 0, &place));
}

}  // namespace
}  // namespace cassette
