// Every operation of recording, merging and pruning fails once, is cut short once, and is the last of its
// process once: what had been acknowledged is there, once and whole, the old interactions too, and the next
// merge makes of it what it would have been.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "store/session/session.h"
#include "tests/unit/store/durability.h"

namespace cassette {
namespace {

using Fault = FaultyDisk::Fault;

struct Planned {
  const char* name;
  Fault fault;
  int error;
};
constexpr Planned kPlans[] = {
    {"EIO", Fault::kError, EIO},
    {"EDQUOT", Fault::kError, EDQUOT},
    {"no space from then on", Fault::kErrorsOn, ENOSPC},
    {"read-only from then on", Fault::kErrorsOn, EROFS},
    {"a short write", Fault::kShortWrite, 0},
    {"death", Fault::kDeath, 0},
    {"death within", Fault::kHalfDeath, 0},
};

class FaultsTest : public DurabilityTest {
 protected:
  void SetUp() override {
    DurabilityTest::SetUp();
    void* memory = mmap(nullptr, sizeof(Acknowledged), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    done_ = static_cast<Acknowledged*>(memory);
    // A session that lives on, and records too.
    auto joined = Session::join(settings_, tree_);
    ASSERT_TRUE(joined.ok()) << joined.error().message;
    living_ = std::move(*joined);
  }
  void TearDown() override {
    living_.reset();
    munmap(done_, sizeof(Acknowledged));
    DurabilityTest::TearDown();
  }

  std::size_t operations_of(const Scenario& scenario) {
    prepare(scenario);
    FaultyDisk disk(data_);
    *done_ = {};
    run(scenario, living_->token(), *done_);
    return disk.operations().size();
  }

  /// In a child: the exit status.
  int run_with(const Scenario& scenario, const Planned& planned, std::size_t at) {
    prepare(scenario);
    *done_ = {};
    return in_child([&] {
      FaultyDisk disk(data_);
      disk.plan(planned.fault, at, planned.error);
      run(scenario, living_->token(), *done_);
      return 0;
    });
  }

  static std::string body_of_record(const std::string& what) {
    return what.substr(what.find(':') + 1);
  }
  static bool contains(const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  }

  void check(const Scenario& scenario) {
    std::vector<std::string> must, may;
    for (const std::string& old : scenario.old) {
      (contains(scenario.at_the_end, old) ? must : may).push_back(old);
    }
    for (std::size_t i = 0; i < scenario.recorded.size(); ++i) {
      const bool acknowledged = (done_->recorded >> i & 1) != 0;
      (acknowledged ? must : may).push_back(body_of_record(scenario.recorded[i]));
    }
    for (const std::string& other : scenario.of_another) {
      (done_->of_another ? must : may).push_back(other);
    }
    EXPECT_EQ(wrong(scenario, must, may), "");
    if (done_->merged) {
      auto alone = count(load_cassette(path(scenario)));
      for (std::size_t i = 0; i < scenario.recorded.size(); ++i) {
        if ((done_->recorded >> i & 1) == 0) continue;
        EXPECT_EQ(alone[body_of_record(scenario.recorded[i])], 1) << "merged, it was said";
      }
    }
    if (done_->pruned) {
      EXPECT_EQ(count(load_cassette(path(scenario)))[scenario.pruned.front()], 0);
    }
  }

  /// The next to come by, with a disk that works.
  void check_next_merge(const Scenario& scenario) {
    // What was written and not acknowledged may be there.
    std::vector<std::string> wanted;
    auto now = count(load_with_journal(path(scenario)));
    const bool whole = std::all_of(scenario.at_the_end.begin(), scenario.at_the_end.end(),
                                   [&](const std::string& body) { return now[body] == 1; });
    const bool none = !exists(journal_path(path(scenario)));
    EXPECT_TRUE(merge(scenario, /*died=*/false));
    check(scenario);
    if (whole && scenario.pruned.empty() && !none) {
      EXPECT_EQ(bodies_in_order(load_cassette(path(scenario))), scenario.at_the_end);
    }
    EXPECT_EQ(left_behind(), "");
    // Records of the living session stay where they are.
    EXPECT_EQ(exists(journal_path(path(scenario))),
              done_->of_another || now_has_other(now, scenario));
  }
  static bool now_has_other(std::map<std::string, int>& now, const Scenario& scenario) {
    return std::any_of(scenario.of_another.begin(), scenario.of_another.end(),
                       [&now](const std::string& body) { return now[body] != 0; });
  }

  Acknowledged* done_ = nullptr;
  std::unique_ptr<Session> living_;
};

TEST_F(FaultsTest, WithoutAFaultItIsAsItShouldBe) {
  for (const Scenario& scenario : scenarios()) {
    SCOPED_TRACE(scenario.name);
    EXPECT_GT(operations_of(scenario), 5u);
    EXPECT_TRUE(done_->merged || done_->pruned);
    EXPECT_EQ(bodies_in_order(load_cassette(path(scenario))), scenario.at_the_end);
    EXPECT_EQ(left_behind(), "");
    EXPECT_EQ(exists(journal_path(path(scenario))), !scenario.of_another.empty());
  }
}

TEST_F(FaultsTest, WhatWasAcknowledgedIsThereAfterEverySingleFault) {
  std::size_t tried = 0;
  for (const Scenario& scenario : scenarios()) {
    const std::size_t operations = operations_of(scenario);
    for (const Planned& planned : kPlans) {
      for (std::size_t at = 0; at < operations; ++at) {
        SCOPED_TRACE(scenario.name + ", " + planned.name + " at " + std::to_string(at));
        const int status = run_with(scenario, planned, at);
        EXPECT_TRUE(status == 0 || status == FaultyDisk::kDied) << status;
        check(scenario);
        check_next_merge(scenario);
        ++tried;
        if (HasFailure()) return;
      }
    }
  }
  RecordProperty("faults", static_cast<int>(tried));
  EXPECT_GT(tried, 1000u);
}

// After the machine has died nobody knows any more how the session ended.
TEST_F(FaultsTest, AnotherWhoMergesKnowsNothingOfTheSessionAndLosesNothing) {
  for (const Scenario& scenario : scenarios()) {
    const std::size_t operations = operations_of(scenario);
    for (Fault fault : {Fault::kDeath, Fault::kHalfDeath}) {
      for (std::size_t at = 0; at < operations; ++at) {
        SCOPED_TRACE(scenario.name + ", death at " + std::to_string(at));
        run_with(scenario, {"", fault, 0}, at);
        EXPECT_TRUE(merge(scenario, /*died=*/true));
        check(scenario);
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace cassette
