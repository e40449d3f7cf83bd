// Sessions: who shares one, who ends it, and what becomes of those that nobody ended.
#include "store/session/session.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <random>
#include <thread>

#include "store/journal/journal.h"
#include "store/journal/usage.h"
#include "store/session/session_files.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

constexpr char kOne[] = "http://a/1";

class SessionTest : public StoreTest {
 protected:
  std::unique_ptr<Session> join() {
    auto session = Session::join(settings_, tree_);
    EXPECT_TRUE(session.ok()) << session.error().message;
    return session.ok() ? std::move(*session) : nullptr;
  }
  std::string directory_of_tree() { return sessions() + "/" + tree_.substr(0, tree_.find(':')); }
  void save_equal(int count) {
    std::vector<Interaction> all;
    for (int i = 0; i < count; ++i) all.push_back(interaction(kOne, std::to_string(i)));
    save(all);
  }
  /// The pid of a process that has ended and was waited for.
  static pid_t dead_pid() {
    pid_t child = spawn([] { return 0; });
    wait_for(child);
    return child;
  }
};

TEST_F(SessionTest, IdentitiesComeFromTheTreeTheNameOrTheProcess) {
  EXPECT_EQ(session_identity(settings_, "12-345:prog:/x")->id, "12-345");
  EXPECT_FALSE(session_identity(settings_, "nonsense").ok());
  EXPECT_FALSE(session_identity(settings_, "12-34x:p:/").ok());
  EXPECT_EQ(session_identity(settings_, "")->kind, SessionIdentity::Kind::kProcess);
  EXPECT_TRUE(session_identity(settings_, "")->root_is_this_process());
  settings_.session_scope = SessionScope::kProcess;
  EXPECT_EQ(session_identity(settings_, "12-345:prog:/x")->kind, SessionIdentity::Kind::kProcess);
  settings_.session = "../a b";
  EXPECT_EQ(session_identity(settings_, "12-345:prog:/x")->id, "named-..%2Fa%20b");
  settings_.session = std::string(300, 'x');
  EXPECT_FALSE(session_identity(settings_, "").ok());
}

TEST_F(SessionTest, ARootIsKnownByItsPidAndItsStart) {
  auto identity = [&](const std::string& tree) { return *session_identity(settings_, tree); };
  EXPECT_TRUE(identity(tree_).root_is_this_process());
  EXPECT_FALSE(identity(tree_).root_is_gone());
  // A tree that this pid began long before this process started: the pid was used again.
  std::string reused = std::to_string(getpid()) + "-1:p:/";
  EXPECT_FALSE(identity(reused).root_is_this_process());
  EXPECT_TRUE(identity(reused).root_is_gone());
  EXPECT_TRUE(identity(new_tree(dead_pid())).root_is_gone());
  EXPECT_FALSE(identity(new_tree(1)).root_is_gone());
  // One that ended and was not waited for is gone.
  pid_t zombie = spawn([] { return 0; });
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT);
  EXPECT_TRUE(identity(new_tree(zombie)).root_is_gone());
  wait_for(zombie);
}

TEST_F(SessionTest, TheLastOneOutEndsIt) {
  save_equal(4);
  auto root = join();
  auto child = join();
  ASSERT_TRUE(root->open_cassette(cassette()).ok());
  root->leave(true);
  EXPECT_TRUE(exists(directory_of_tree()));  // the other is still in it
  child->leave(true);
  EXPECT_EQ(session_count(), 0u);
}

TEST_F(SessionTest, ItLastsWhileTheRootLives) {
  tree_ = new_tree(getppid());
  auto member = join();
  member->leave(true);
  EXPECT_TRUE(exists(directory_of_tree()));
  auto next = join();
  EXPECT_EQ(next->token(), read(directory_of_tree() + "/alive").substr(19, next->token().size()));
  next->leave(true);
}

TEST_F(SessionTest, ARootThatNeverJoinedEndsIt) {
  auto member = in_child([this] {
    auto session = join();
    return session->open_cassette(cassette()).ok() ? 0 : 1;
  });
  EXPECT_EQ(member, 0);
  EXPECT_TRUE(exists(directory_of_tree()));
  end_session(settings_, tree_, true);
  EXPECT_EQ(session_count(), 0u);
  end_session(settings_, tree_, true);  // nothing there: nothing to do
}

TEST_F(SessionTest, AForkedChildKeepsItAlive) {
  auto session = join();
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  pid_t child = spawn([&] {
    close(go[1]);
    char byte;
    return static_cast<int>(::read(go[0], &byte, 1));
  });
  session->leave(true);
  EXPECT_TRUE(exists(directory_of_tree()));
  close(go[1]);
  close(go[0]);
  EXPECT_EQ(wait_for(child), 0);
  sweep_sessions(settings_);
  EXPECT_EQ(session_count(), 0u);
}

TEST_F(SessionTest, SixteenProcessesJoinOneAtOnce) {
  save_equal(1600);
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* created = static_cast<std::atomic<std::uint64_t>*>(memory);
  std::vector<pid_t> children;
  for (int i = 0; i < 16; ++i) {
    children.push_back(spawn([&, i] {
      close(go[1]);
      char byte;
      (void)!::read(go[0], &byte, 1);
      auto session = Session::join(settings_, tree_);
      if (!session) return 1;
      auto opened = (*session)->open_cassette(cassette());
      if (!opened) return 2;
      created[i] = opened->image->created();
      for (int n = 0; n < 100; ++n) {
        RequestView request;
        request.method = "GET";
        request.uri = *parse_uri(kOne);
        Matcher matcher(
            settings_.match_on,
            Redactor(settings_.filter_headers, settings_.filter_query, settings_.filter_body));
        Image::Group group = opened->image->find(matcher.key(request));
        auto any = [](std::uint32_t) { return true; };
        Turn turn = opened->cursors->take_matched(*opened->image, group, false, any);
        if (turn.kind != Turn::Kind::kPlay) return 3;
      }
      (*session)->leave(true);
      return 0;
    }));
  }
  close(go[1]);
  close(go[0]);
  for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  for (int i = 1; i < 16; ++i) EXPECT_EQ(created[i].load(), created[0].load());
  munmap(memory, 4096);
  end_session(settings_, tree_, true);
  EXPECT_EQ(used_ids(settings_.state_dir, cassette())->size(), 1600u);
}

// Sessions that begin and end all the time under one id: nobody joins one that is being ended, and
// nothing that was recorded is lost.
TEST_F(SessionTest, JoiningAndEndingAtOnce) {
  settings_.session = "busy";
  settings_.session_ttl = std::chrono::milliseconds(1);
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(spawn([&, i] {
      settings_.mode = RecordMode::kNewEpisodes;
      for (int n = 0; n < 10; ++n) {
        auto player = open_deck();
        std::string uri = "http://a/" + std::to_string(i) + "/" + std::to_string(n);
        if (!player->record(interaction(uri, "x")).ok()) return 1;
        player.leave();
        usleep(static_cast<useconds_t>((i * 700 + n * 300) % 3000));
      }
      return 0;
    }));
  }
  for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  settings_.session.clear();
  tree_ = new_tree();
  auto player = open(RecordMode::kOnce);  // merges what may be left
  player.leave();
  auto loaded = load_cassette(cassette());
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->interactions.size(), 80u);
}

TEST_F(SessionTest, OnceIsDecidedForTheWholeSession) {
  auto first = open(RecordMode::kOnce);
  ASSERT_TRUE(first->record(interaction(kOne, "one")).ok());
  // Somebody else writes the cassette meanwhile.
  save({interaction(kOne, "other")});
  auto second = open(RecordMode::kOnce);
  EXPECT_EQ(answer(*second, kOne), "forward");
  second.leave();
  first.leave();
  EXPECT_EQ(saved_bodies(), "other one");
}

TEST_F(SessionTest, TwoSessionsDoNotSeeEachOthersCursors) {
  save_equal(2);
  auto one = open(RecordMode::kNone);
  tree_ = new_tree();
  auto two = open(RecordMode::kNone);
  EXPECT_EQ(answer(*one, kOne), "0");
  EXPECT_EQ(answer(*two, kOne), "0");
  EXPECT_EQ(answer(*one, kOne), "1");
  EXPECT_EQ(answer(*two, kOne), "1");
  one.leave();
  two.leave();
}

TEST_F(SessionTest, ANamedSessionGoesOnWithinItsTimeToLive) {
  save_equal(3);
  settings_.session = "mine";
  auto first = open(RecordMode::kNone);
  EXPECT_EQ(answer(*first, kOne), "0");
  first.leave();
  EXPECT_EQ(used_ids(settings_.state_dir, cassette())->size(), 1u);
  auto second = open(RecordMode::kNone);
  EXPECT_EQ(answer(*second, kOne), "1");
  second.leave();
  EXPECT_EQ(session_count(), 1u);
  // Expired: begins anew.
  timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
  utimensat(AT_FDCWD, (sessions() + "/named-mine/alive").c_str(), old, 0);
  auto third = open(RecordMode::kNone);
  EXPECT_EQ(answer(*third, kOne), "0");
  third.leave();
}

TEST_F(SessionTest, ANamedSessionWithoutExpiryStays) {
  settings_.session = "mine";
  settings_.session_ttl = std::chrono::milliseconds(0);
  auto player = open(RecordMode::kNone);
  player.leave();
  timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
  utimensat(AT_FDCWD, (sessions() + "/named-mine/alive").c_str(), old, 0);
  sweep_sessions(settings_);
  EXPECT_EQ(session_count(), 1u);
}

// Killed while it recorded: what it had recorded is merged by the next to come by, once.
TEST_F(SessionTest, ACrashedSessionIsSweptAndMerged) {
  for (RecordMode mode : {RecordMode::kOnce, RecordMode::kRewrite}) {
    save({interaction("http://a/0", "old")});
    pid_t child = spawn([&] {
      // Its own root, as a program under a bare preload.
      tree_ = new_tree(getpid());
      if (mode == RecordMode::kOnce) settings_.cassette = directory_ + "/new.yaml";
      auto player = open(mode);
      (void)player->record(interaction(kOne, "one")).ok();
      (void)player->record(interaction(kOne, "two")).ok();
      raise(SIGKILL);
      return 0;
    });
    EXPECT_EQ(wait_for(child), 128 + SIGKILL);
    EXPECT_EQ(session_count(), 1u);
    auto next = open(RecordMode::kNone);
    EXPECT_EQ(session_count(), 1u);  // ours alone
    next.leave();
    if (mode == RecordMode::kOnce) {
      EXPECT_EQ(bodies(load_cassette(directory_ + "/new.yaml")->interactions), "one two");
    } else {
      EXPECT_EQ(saved_bodies(), "old one two");
    }
    tree_ = new_tree();
  }
}

TEST_F(SessionTest, AJournalWhoseSessionIsGoneIsMergedByTheNext) {
  // As after a reboot: no trace of the session but the journal.
  JournalRecord record;
  record.session = "77-88@99";
  record.began = 1;
  record.interaction = interaction(kOne, "left", 1700000000000000);
  ASSERT_TRUE(Journal(cassette()).append(record).ok());
  auto player = open(RecordMode::kOnce);
  EXPECT_EQ(answer(*player, kOne), "left");
  EXPECT_FALSE(exists(journal()));
  player.leave();
}

TEST_F(SessionTest, ModeNoneReadsALeftJournalAndLeavesItAlone) {
  JournalRecord record;
  record.session = "77-88@99";
  record.began = 1;
  record.interaction = interaction(kOne, "left", 1700000000000000);
  ASSERT_TRUE(Journal(cassette()).append(record).ok());
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "left");
  EXPECT_TRUE(exists(journal()));
  EXPECT_FALSE(exists(cassette()));
}

TEST_F(SessionTest, RecordsOfALivingSessionStayInTheJournal) {
  auto living = open(RecordMode::kNewEpisodes);
  ASSERT_TRUE(living->record(interaction(kOne, "one")).ok());
  tree_ = new_tree();
  auto other = open(RecordMode::kNewEpisodes);
  ASSERT_TRUE(other->record(interaction(kOne, "two")).ok());
  other.leave();
  EXPECT_EQ(saved_bodies(), "two");
  EXPECT_TRUE(exists(journal()));
  living.leave();
  EXPECT_FALSE(exists(journal()));
  EXPECT_EQ(saved_bodies(), "one two");  // as they began, whoever merged first
}

// A process that died while it ended a session: its work is taken up.
TEST_F(SessionTest, AHalfEndedSessionIsFinished) {
  save_equal(2);
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(answer(*player, kOne), "0");
  player.reset();
  auto session = join();
  std::string token = session->token();
  session.reset();
  std::filesystem::rename(directory_of_tree(), sessions() + "/.ended-" + token);
  sweep_sessions(settings_);
  EXPECT_EQ(session_count(), 0u);
  EXPECT_EQ(used_ids(settings_.state_dir, cassette())->size(), 1u);
}

TEST_F(SessionTest, SessionsOfTheLivingAreNotSwept) {
  tree_ = new_tree(getppid());
  auto session = join();
  sweep_sessions(settings_);
  EXPECT_EQ(session_count(), 1u);
  session->leave(true);
  sweep_sessions(settings_);
  EXPECT_EQ(session_count(), 1u);  // nobody is in it, but its root lives
}

TEST_F(SessionTest, CountsAddUpOverProcesses) {
  save_equal(3);
  auto session = join();
  ASSERT_TRUE(session->open_cassette(cassette()).ok());
  settings_.mode = RecordMode::kNone;
  EXPECT_EQ(in_child([this] {
              auto player = open_deck();
              bool right = answer(*player, kOne) == "0" && answer(*player, "http://a/9") == "miss";
              Headers none;
              RequestView request;
              request.headers = &none;
              player->miss(request, {}, "");
              player->relayed("a:80", "this is not HTTP");
              player->refused("a:81", "this is not HTTP");
              player->refused("a:82", "this is not HTTP");
              player.leave();
              return right ? 0 : 1;
            }),
            0);
  auto counts = session->counts();
  ASSERT_TRUE(counts.ok());
  ASSERT_EQ(counts->size(), 1u);
  EXPECT_EQ(counts->front().path, cassette());
  EXPECT_EQ(counts->front().replayed, 1u);
  EXPECT_EQ(counts->front().missed, 1u);
  EXPECT_EQ(counts->front().relayed, 1u);
  EXPECT_EQ(counts->front().refused, 2u);
  EXPECT_EQ(counts->front().interactions, 3u);
  EXPECT_EQ(counts->front().unused, 2u);
  session->leave(true);
}

TEST_F(SessionTest, CountsIncludeSessionsOfScopeProcess) {
  save_equal(3);
  auto session = join();  // as `cassette run` does
  ASSERT_TRUE(session->open_cassette(cassette()).ok());
  settings_.session_scope = SessionScope::kProcess;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(in_child([this] {
                auto player = open_deck();
                bool right = answer(*player, kOne) == "0" && answer(*player, kOne) == "1";
                player->relayed("a:80", "this is not HTTP");
                player.leave();
                return right ? 0 : 1;
              }),
              0);
  }
  auto counts = session->counts();
  ASSERT_TRUE(counts.ok());
  ASSERT_EQ(counts->size(), 1u);
  EXPECT_EQ(counts->front().replayed, 4u);
  EXPECT_EQ(counts->front().relayed, 2u);
  EXPECT_EQ(counts->front().unused, 1u);
  session->leave(true);
}

TEST_F(SessionTest, WhatHappensToManyIsToldOnceATree) {
  settings_.session = "t1";
  auto session = join();
  EXPECT_TRUE(session->first_to_tell("a:80: relayed"));
  EXPECT_FALSE(session->first_to_tell("a:80: relayed"));
  EXPECT_TRUE(session->first_to_tell("b:80: relayed"));
  EXPECT_EQ(in_child([this] { return join()->first_to_tell("a:80: relayed") ? 1 : 0; }), 0);
  tree_ = new_tree(getppid());  // another run, in the same session
  EXPECT_TRUE(join()->first_to_tell("a:80: relayed"));
}

TEST_F(SessionTest, AnUntrustworthyDirectoryIsRefused) {
  std::filesystem::create_directories(directory_ + "/run");
  std::filesystem::permissions(directory_ + "/run", std::filesystem::perms::all);
  EXPECT_FALSE(Session::join(settings_, tree_).ok());
  std::filesystem::remove(directory_ + "/run");
  std::filesystem::create_directory(directory_ + "/elsewhere");
  std::filesystem::create_directory_symlink(directory_ + "/elsewhere", directory_ + "/run");
  EXPECT_FALSE(Session::join(settings_, tree_).ok());
}

// Killed at any moment between joining and leaving: the others go on, and nothing recorded is lost
// or doubled.
TEST_F(SessionTest, KilledProcessesLeaveTheOthersGoing) {
  std::mt19937 random(5);
  auto session = join();
  ASSERT_TRUE(session->open_cassette(cassette()).ok());
  settings_.mode = RecordMode::kOnce;
  int acknowledged[2];
  ASSERT_EQ(pipe(acknowledged), 0);
  for (int round = 0; round < 15; ++round) {
    std::vector<pid_t> children;
    for (int i = 0; i < 3; ++i) {
      children.push_back(spawn([&] {
        auto player = open_deck();
        for (int n = 0; n < 1000; ++n) {
          if (player->record(interaction(kOne, "x")).ok()) (void)!::write(acknowledged[1], "x", 1);
        }
        player.leave();
        return 0;
      }));
    }
    usleep(static_cast<useconds_t>(random() % 20000));
    for (pid_t child : children) kill(child, SIGKILL);
    for (pid_t child : children) wait_for(child);
  }
  fcntl(acknowledged[0], F_SETFL, O_NONBLOCK);
  std::size_t count = 0;
  char bytes[65536];
  for (ssize_t n; (n = ::read(acknowledged[0], bytes, sizeof bytes)) > 0;) {
    count += static_cast<std::size_t>(n);
  }
  close(acknowledged[0]);
  close(acknowledged[1]);
  session->leave(true);
  EXPECT_EQ(session_count(), 0u);
  auto loaded = load_cassette(cassette());
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_GE(loaded->interactions.size(), count);
  EXPECT_LE(loaded->interactions.size(), count + 45);
}

}  // namespace
}  // namespace cassette
