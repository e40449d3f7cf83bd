// Where the engine and the program's own check of certificates meet.
#include "preload/engine/trust/judgements.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cassette {
namespace {

using Verdict = Judgements::Verdict;

const std::vector<std::string> kChain = {"its own", "its issuer's"};

Judgements::Server server(bool may_be_asked = false) {
  Judgements::Server server;
  server.chain = kChain;
  server.recorded_at = 7;
  server.status_signer = "signer";
  server.may_be_asked = may_be_asked;
  return server;
}

TEST(Judgements, KnowTheServerOfALeaf) {
  Judgements judgements;
  judgements.present("leaf", server(true));
  const Judgements::Server* found = judgements.server_of("leaf");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->chain, kChain);
  EXPECT_EQ(found->recorded_at, 7);
  EXPECT_EQ(found->status_signer, "signer");
  EXPECT_TRUE(found->may_be_asked);
}

TEST(Judgements, OfALeafThatIsNoneOfOursThereAreNone) {
  Judgements judgements;
  judgements.present("leaf", server(true));
  for (const std::string& other :
       {std::string(), std::string("lea"), std::string("leaf2"), std::string("leaf\0", 5)}) {
    judgements.judge(other, true);
    judgements.accept(other);
    judgements.set_late_judge(other, [](const auto&) { return true; });
    EXPECT_EQ(judgements.server_of(other), nullptr);
    EXPECT_EQ(judgements.verdict(other), Verdict::kUnknown);
    EXPECT_FALSE(judgements.accepted(other));
    EXPECT_FALSE(judgements.wants_late_judge(other));
    EXPECT_FALSE(judgements.judge_late(other, kChain));
  }
  EXPECT_EQ(judgements.verdict("leaf"), Verdict::kUnknown);
  EXPECT_FALSE(judgements.accepted("leaf"));
  EXPECT_TRUE(judgements.wants_late_judge("leaf"));
}

TEST(Judgements, WhatWasSaidOfALeafBeforeItWasPresentedIsForgotten) {
  Judgements judgements;
  judgements.judge("leaf", true);
  judgements.accept("leaf");
  judgements.present("leaf", server());
  EXPECT_EQ(judgements.verdict("leaf"), Verdict::kUnknown);
  EXPECT_FALSE(judgements.accepted("leaf"));
}

TEST(Judgements, BeginUnknownAndAreThenAsJudged) {
  Judgements judgements;
  judgements.present("one", server());
  judgements.present("other", server());
  EXPECT_EQ(judgements.verdict("one"), Verdict::kUnknown);
  judgements.judge("one", true);
  EXPECT_EQ(judgements.verdict("one"), Verdict::kTrusted);
  EXPECT_EQ(judgements.verdict("other"), Verdict::kUnknown);
  judgements.judge("other", false);
  EXPECT_EQ(judgements.verdict("one"), Verdict::kTrusted);
  EXPECT_EQ(judgements.verdict("other"), Verdict::kDistrusted);
}

TEST(Judgements, TheLastOneCounts) {
  Judgements judgements;
  judgements.present("leaf", server());
  judgements.judge("leaf", true);
  judgements.judge("leaf", false);
  EXPECT_EQ(judgements.verdict("leaf"), Verdict::kDistrusted);
  judgements.judge("leaf", true);
  EXPECT_EQ(judgements.verdict("leaf"), Verdict::kTrusted);
}

TEST(Judgements, AcceptanceIsTheProgramsOwnAndNoVerdict) {
  Judgements judgements;
  judgements.present("leaf", server());
  judgements.judge("leaf", true);
  EXPECT_FALSE(judgements.accepted("leaf"));
  judgements.present("another", server());
  judgements.accept("another");
  EXPECT_TRUE(judgements.accepted("another"));
  EXPECT_EQ(judgements.verdict("another"), Verdict::kUnknown);
}

TEST(Judgements, PresentingALeafAgainKeepsItsServerAndForgetsTheVerdict) {
  // The next connection may have other settings, but whoever asked about the first has a pointer.
  Judgements judgements;
  judgements.present("leaf", server());
  const Judgements::Server* found = judgements.server_of("leaf");
  judgements.judge("leaf", true);
  judgements.accept("leaf");
  judgements.accepts_all("leaf", true);
  Judgements::Server other;
  other.may_be_asked = true;
  judgements.present("leaf", other);
  EXPECT_EQ(judgements.server_of("leaf"), found);
  EXPECT_EQ(found->chain, kChain);
  EXPECT_EQ(judgements.verdict("leaf"), Verdict::kUnknown);
  EXPECT_FALSE(judgements.accepts_all("leaf"));
  EXPECT_TRUE(judgements.accepted("leaf")) << "that it can trust us stays known";
}

TEST(Judgements, KnowWhoGoesOnInAnyCase) {
  Judgements judgements;
  judgements.present("leaf", server());
  judgements.accepts_all("none of ours", true);
  EXPECT_FALSE(judgements.accepts_all("none of ours"));
  EXPECT_FALSE(judgements.accepts_all("leaf"));
  judgements.accepts_all("leaf", true);
  EXPECT_TRUE(judgements.accepts_all("leaf"));
  EXPECT_FALSE(judgements.accepted("leaf"));
  EXPECT_EQ(judgements.verdict("leaf"), Verdict::kUnknown);
  judgements.accepts_all("leaf", false);
  EXPECT_FALSE(judgements.accepts_all("leaf"));
}

TEST(Judgements, AServerStaysWhereItIs) {
  Judgements judgements;
  judgements.present("leaf", server());
  const Judgements::Server* found = judgements.server_of("leaf");
  for (int i = 0; i < 1000; ++i) judgements.present(std::to_string(i), server());
  EXPECT_EQ(judgements.server_of("leaf"), found);
  EXPECT_EQ(found->chain, kChain);
}

TEST(Judgements, ALateJudgeIsWantedForServersThatMayBeAskedUntilThereIsOne) {
  Judgements judgements;
  judgements.present("known", server(false));
  judgements.present("later", server(true));
  EXPECT_FALSE(judgements.wants_late_judge("known"));
  EXPECT_TRUE(judgements.wants_late_judge("later"));
  EXPECT_TRUE(judgements.wants_late_judge("later")) << "asking is not setting";
  judgements.set_late_judge("later", [](const auto&) { return true; });
  EXPECT_FALSE(judgements.wants_late_judge("later"));
}

TEST(Judgements, ALateJudgeIsAskedAboutTheChain) {
  Judgements judgements;
  judgements.present("leaf", server(true));
  EXPECT_FALSE(judgements.judge_late("leaf", kChain)) << "there is none";
  int asked = 0;
  judgements.set_late_judge("leaf", [&asked](const std::vector<std::string>& chain) {
    ++asked;
    return chain == kChain;
  });
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(judgements.judge_late("leaf", kChain));
  EXPECT_FALSE(judgements.judge_late("leaf", {}));
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(judgements.verdict("leaf"), Verdict::kUnknown) << "what it says is not kept";
}

TEST(Judgements, TheFirstLateJudgeStays) {
  // Two connections of one name may be checked at once: both were told that a judge is wanted.
  Judgements judgements;
  judgements.present("leaf", server(true));
  judgements.set_late_judge("leaf", [](const auto&) { return true; });
  judgements.set_late_judge("leaf", [](const auto&) { return false; });
  EXPECT_TRUE(judgements.judge_late("leaf", kChain));
}

TEST(Judgements, ALateJudgeMayUseThemItself) {
  Judgements judgements;
  judgements.present("leaf", server(true));
  judgements.set_late_judge("leaf", [&judgements](const auto&) {
    judgements.judge("leaf", true);
    return judgements.verdict("leaf") == Verdict::kTrusted && judgements.server_of("leaf");
  });
  EXPECT_TRUE(judgements.judge_late("leaf", kChain));
}

TEST(Judgements, AreStillUsableAfterALock) {
  Judgements judgements;
  judgements.present("leaf", server());
  { std::lock_guard<Judgements> forking(judgements); }
  EXPECT_NE(judgements.server_of("leaf"), nullptr);
}

TEST(Judgements, AreForAllThreads) {
  constexpr int kThreads = 8, kLeaves = 200;
  Judgements judgements;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&judgements, &wrong, thread] {
      for (int i = 0; i < kLeaves; ++i) {
        // One that all have, and one of its own.
        const std::string shared = std::to_string(i), own = shared + "/" + std::to_string(thread);
        for (const std::string& leaf : {shared, own}) {
          judgements.present(leaf, server(true));
          const Judgements::Server* found = judgements.server_of(leaf);
          if (found == nullptr || found->chain != kChain) ++wrong;
          judgements.judge(leaf, true);
          // Another thread may present the shared one again just now.
          const Verdict verdict = judgements.verdict(leaf);
          if (verdict != Verdict::kTrusted && (leaf == own || verdict != Verdict::kUnknown))
            ++wrong;
          if (judgements.wants_late_judge(leaf))
            judgements.set_late_judge(leaf, [](const auto& chain) { return chain == kChain; });
          if (!judgements.judge_late(leaf, kChain)) ++wrong;
          judgements.accept(leaf);
          if (!judgements.accepted(leaf)) ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace cassette
