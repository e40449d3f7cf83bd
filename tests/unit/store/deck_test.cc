// What a process plays from: inserts and ejects, sessions, context. (c_api.test has the same through
// real programs.)
#include "store/deck.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

constexpr char kOne[] = "http://a/1";

class DeckTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    other_ = directory_ + "/other.yaml";
    save_as(other_, {interaction(kOne, "o1"), interaction(kOne, "o2"), interaction(kOne, "o3")});
    save({interaction(kOne, "b1"), interaction(kOne, "b2")});
  }
  void save_as(const std::string& path, const std::vector<Interaction>& interactions) {
    Cassette all{interactions};
    ASSERT_TRUE(save_cassette(path, all).ok());
  }
  std::string other_;
};

TEST_F(DeckTest, TheGenerationTellsWhenAnotherPlayerIsOnTop) {
  auto opened = open(RecordMode::kNone);
  Deck& deck = opened.deck();
  std::uint32_t before = deck.generation();
  EXPECT_EQ(deck.current(), deck.current());
  EXPECT_EQ(deck.generation(), before);
  ASSERT_TRUE(deck.insert(other_).ok());
  EXPECT_NE(deck.generation(), before);
  EXPECT_EQ(answer(*deck.current(), kOne), "o1");
  ASSERT_TRUE(deck.eject().ok());
  EXPECT_EQ(answer(*deck.current(), kOne), "b1");
  EXPECT_FALSE(deck.eject().ok());
}

TEST_F(DeckTest, WhoeverHoldsAPlayerGoesOnWithIt) {
  auto opened = open(RecordMode::kNone);
  ASSERT_TRUE(opened.deck().insert(other_).ok());
  std::shared_ptr<Player> held = opened.current();
  Decision decision = ask(*held, kOne);
  std::string scratch;
  PlayedResponse response = held->response(decision.interaction, {}, scratch);
  ASSERT_TRUE(opened.deck().eject().ok());
  EXPECT_TRUE(response.bytes.ends_with("o1"));  // a view into what was ejected
  EXPECT_EQ(answer(*opened, kOne), "b1");
}

// ---- tracking over processes ----

TEST_F(DeckTest, OnlyTheOutermostEndOfAllProcessesGoesBackToTheBeginning) {
  auto opened = open(RecordMode::kNone);
  ASSERT_TRUE(opened.deck().insert(other_).ok());
  EXPECT_EQ(answer(*opened, kOne), "o1");
  // Another process of the session inserts and ejects it meanwhile.
  EXPECT_EQ(in_child([this] {
              auto child = open_deck();
              bool good = child.deck().insert(other_).ok() && answer(*child, kOne) == "o2" &&
                          child.deck().eject().ok();
              return good ? 0 : 1;
            }),
            0);
  EXPECT_EQ(answer(*opened, kOne), "o3");
  ASSERT_TRUE(opened.deck().eject().ok());
  ASSERT_TRUE(opened.deck().insert(other_).ok());
  EXPECT_EQ(answer(*opened, kOne), "o1");
}

TEST_F(DeckTest, AKilledUserHoldsNothingBack) {
  auto opened = open(RecordMode::kNone);
  EXPECT_EQ(in_child([this] {
              auto child = open_deck();
              if (!child.deck().insert(other_).ok() || answer(*child, kOne) != "o1") return 1;
              kill(getpid(), SIGKILL);
              return 2;
            }),
            128 + SIGKILL);
  ASSERT_TRUE(opened.deck().insert(other_).ok());
  EXPECT_EQ(answer(*opened, kOne), "o1");
}

TEST_F(DeckTest, WhatTheSessionTracksIsNeverTakenBack) {
  auto opened = open(RecordMode::kNone);
  EXPECT_EQ(answer(*opened, kOne), "b1");
  EXPECT_EQ(in_child([this] {
              settings_.cassette = other_;  // its own cassette is another
              auto child = open_deck();
              bool good = child.deck().insert(cassette()).ok() && answer(*child, kOne) == "b2" &&
                          child.deck().eject().ok();
              return good ? 0 : 1;
            }),
            0);
  EXPECT_EQ(answer(*opened, kOne), "miss");
}

// ---- sessions ----

TEST_F(DeckTest, ASessionOfItsOwnHasItsOwnPositions) {
  auto opened = open(RecordMode::kNone);
  Deck& deck = opened.deck();
  EXPECT_EQ(answer(*opened, kOne), "b1");
  auto started = deck.start_session("");
  ASSERT_TRUE(started.ok());
  EXPECT_EQ(started->outcome, Registration::kRegistered);
  EXPECT_EQ(answer(*opened, kOne), "b1");
  ASSERT_TRUE(deck.insert(other_).ok());
  EXPECT_EQ(answer(*opened, kOne), "o1");
  ASSERT_TRUE(deck.end_session().ok());
  EXPECT_EQ(answer(*opened, kOne), "o1");  // still inserted, in the session before
  ASSERT_TRUE(deck.eject().ok());
  EXPECT_EQ(answer(*opened, kOne), "b2");
  EXPECT_FALSE(deck.end_session().ok());
  EXPECT_TRUE(find_session(settings_, started->id)->has_value());  // up to its time to live
  opened.leave();
}

// ---- context ----

TEST_F(DeckTest, TheContextFillsThePathOfTheSettings) {
  save_as(directory_ + "/case-7.yaml", {interaction(kOne, "seven")});
  settings_.cassette = directory_ + "/case-{n}.yaml";
  auto opened = open(RecordMode::kNone);
  Deck& deck = opened.deck();
  EXPECT_EQ(ask(*opened, kOne).reason, MissReason::kUnusable);
  ASSERT_TRUE(deck.put_context("n", "7").ok());
  EXPECT_EQ(answer(*opened, kOne), "seven");
  EXPECT_STREQ(deck.context("n"), "7");
  const char* given = deck.context("n");
  ASSERT_TRUE(deck.put_context("n", "8").ok());
  EXPECT_STREQ(given, "7");  // stays valid
  EXPECT_STREQ(deck.context("n"), "8");
  EXPECT_EQ(deck.context("other"), nullptr);
  EXPECT_FALSE(deck.put_context("a,b", "x").ok());
  EXPECT_FALSE(deck.put_context("a", "x,y").ok());
  EXPECT_FALSE(deck.put_context("", "x").ok());
  deck.clear_context();
  EXPECT_EQ(deck.context("n"), nullptr);
}

TEST_F(DeckTest, ChildrenAreToldWhatHolds) {
  settings_.cassette = "relative.yaml";
  auto opened = open(RecordMode::kNone);
  Deck& deck = opened.deck();
  using Variables = std::map<std::string, std::string>;
  Variables base = {{"CASSETTE", directory_ + "/relative.yaml"},
                    {"CASSETTE_CONTEXT", ""},
                    {"CASSETTE_SESSION", ""}};
  EXPECT_EQ(deck.for_children(), base);
  ASSERT_TRUE(deck.insert(other_).ok());
  ASSERT_TRUE(deck.start_session("s").ok());
  ASSERT_TRUE(deck.put_context("a", "1").ok());
  ASSERT_TRUE(deck.put_context("b", "2").ok());
  Variables inside = {
      {"CASSETTE", other_}, {"CASSETTE_CONTEXT", "a=1,b=2"}, {"CASSETTE_SESSION", "s"}};
  EXPECT_EQ(deck.for_children(), inside);
  ASSERT_TRUE(deck.eject().ok());
  ASSERT_TRUE(deck.end_session().ok());
  deck.clear_context();
  EXPECT_EQ(deck.for_children(), base);
}

TEST_F(DeckTest, ThreadsInsertAndAskAtOnce) {
  auto opened = open(RecordMode::kNone);
  Deck& deck = opened.deck();
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        if (!deck.insert(other_).ok()) failed.fetch_add(1);
        (void)ask(*deck.current(), kOne);
        (void)deck.put_context("k", std::to_string(i)).ok();
        (void)deck.context("k");
        if (!deck.index().ok() || !deck.rewind().ok()) failed.fetch_add(1);
        if (!deck.eject().ok()) failed.fetch_add(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed.load(), 0);
  EXPECT_FALSE(deck.eject().ok());
}

}  // namespace
}  // namespace cassette
