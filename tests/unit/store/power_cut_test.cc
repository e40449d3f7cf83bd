// The order of writes and syncs: what a power cut at any point may leave on a journaling file system.
//
// Worked out from what the store did, operation for operation. Names (made, renamed, unlinked) change in
// order, and those before the last sync of a directory have happened; of the later ones any number has. The
// bytes of a file are those of its last sync; of what was written since, all, none, a half, or zeros are
// there, and of several writes any one may be missing.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/store/durability.h"

namespace cassette {
namespace {

using Kind = DiskOperation::Kind;

/// A file: what is on the disk for certain, and what was written since.
struct Data {
  std::string synced;
  std::vector<DiskOperation> pending;
};

/// What became of the writes of a file since its sync.
enum class Fate { kThere, kLost, kHalf, kZeros, kLastLost, kFirstZeros };
constexpr Fate kFates[] = {Fate::kThere, Fate::kLost,     Fate::kHalf,
                           Fate::kZeros, Fate::kLastLost, Fate::kFirstZeros};

std::string bytes_of(const Data& data, Fate fate) {
  std::string bytes = data.synced;
  if (fate == Fate::kLost) return bytes;
  for (std::size_t i = 0; i < data.pending.size(); ++i) {
    const DiskOperation& operation = data.pending[i];
    const auto offset = static_cast<std::size_t>(operation.offset);
    if (operation.kind == Kind::kTruncate) {
      bytes.resize(offset);
      continue;
    }
    const bool last = i + 1 == data.pending.size();
    if (fate == Fate::kLastLost && last) break;
    std::string written = operation.bytes;
    if (fate == Fate::kHalf && last) written.resize(written.size() / 2);
    if (fate == Fate::kZeros || (fate == Fate::kFirstZeros && i == 0)) {
      std::fill(written.begin(), written.end(), '\0');
    }
    if (bytes.size() < offset + written.size()) bytes.resize(offset + written.size());
    bytes.replace(offset, written.size(), written);
  }
  return bytes;
}

/// The disk after the first `done` operations.
class Journaled {
 public:
  Journaled(const std::map<std::string, std::string>& before, const std::string& directory) {
    names_.push_back({});
    for (const auto& [path, bytes] : before) names_.back()[path] = add({bytes, {}});
    directories_ = {directory};
    for (const auto& [path, bytes] : before) directories_.insert(directory_of(path));
  }

  void apply(const DiskOperation& operation) {
    std::map<std::string, int> now = names_.back();
    auto file = now.find(operation.path);
    switch (operation.kind) {
      case Kind::kMake:
        now[operation.path] = add({});
        names_.push_back(now);
        break;
      case Kind::kMakeDirectory:
        directories_.insert(operation.path);
        break;  // without its names an empty one is nothing
      case Kind::kWrite:
      case Kind::kTruncate:
        if (file != now.end())
          files_[static_cast<std::size_t>(file->second)].pending.push_back(operation);
        break;
      case Kind::kSync:
        if (directories_.count(operation.path) != 0) {
          certain_ = names_.size() - 1;
        } else if (file != now.end()) {
          settle(files_[static_cast<std::size_t>(file->second)]);
        }
        break;
      case Kind::kSyncAll:
        certain_ = names_.size() - 1;
        for (Data& data : files_) settle(data);
        break;
      case Kind::kRename:
        if (file == now.end()) break;
        now[operation.target] = file->second;
        now.erase(operation.path);
        names_.push_back(now);
        break;
      case Kind::kUnlink:
        now.erase(operation.path);
        names_.push_back(now);
        break;
      case Kind::kOpen:
      case Kind::kRead:
      case Kind::kChange:
        break;
    }
  }

  /// Every set of files that a power cut may leave now.
  std::set<std::map<std::string, std::string>> states() const {
    std::set<std::map<std::string, std::string>> all;
    for (std::size_t at = certain_; at < names_.size(); ++at) {
      std::vector<std::map<std::string, std::string>> some = {{}};
      for (const auto& [path, file] : names_[at]) {
        std::set<std::string> contents;
        for (Fate fate : kFates)
          contents.insert(bytes_of(files_[static_cast<std::size_t>(file)], fate));
        std::vector<std::map<std::string, std::string>> more;
        for (const auto& state : some) {
          for (const std::string& bytes : contents) {
            more.push_back(state);
            more.back()[path] = bytes;
          }
        }
        some = std::move(more);
      }
      all.insert(some.begin(), some.end());
    }
    return all;
  }

 private:
  int add(Data data) {
    files_.push_back(std::move(data));
    return static_cast<int>(files_.size()) - 1;
  }
  static void settle(Data& data) {
    data.synced = bytes_of(data, Fate::kThere);
    data.pending.clear();
  }

  std::vector<Data> files_;
  std::vector<std::map<std::string, int>> names_;  ///< one after the other
  std::size_t certain_ = 0;
  std::set<std::string> directories_;
};

class PowerCutTest : public DurabilityTest {
 protected:
  struct Step {
    DiskOperation operation;
    Acknowledged done;  ///< before it
  };

  std::vector<Step> record(const Scenario& scenario) {
    prepare(scenario);
    before_.clear();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data_)) {
      if (entry.is_regular_file()) before_[entry.path()] = read(entry.path());
    }
    std::vector<Step> steps;
    Acknowledged done;
    {
      FaultyDisk disk(data_);
      run(scenario, "9-9@9", done);
      for (const DiskOperation& operation : disk.operations()) steps.push_back({operation, {}});
    }
    // What is behind the last operation was acknowledged; what each operation knew does not matter, because
    // only a merge (and a prune) promises to survive this.
    steps.push_back({{Kind::kRead, "", "", "", 0}, done});
    return steps;
  }

  void put(const std::map<std::string, std::string>& state) const {
    std::filesystem::remove_all(data_);
    std::filesystem::create_directory(data_);
    for (const auto& [path, bytes] : state) {
      std::filesystem::create_directories(std::filesystem::path(path).parent_path());
      write(path, bytes);
    }
  }

  /// What is wrong in this state, and after the next has merged.
  std::string wrong_in(const Scenario& scenario, const std::map<std::string, std::string>& state,
                       const Acknowledged& done) {
    put(state);
    std::vector<std::string> must, may;
    const bool replaces =
        scenario.mode == RecordMode::kAll || scenario.mode == RecordMode::kRewrite;
    for (const std::string& old : scenario.old) {
      const bool stays = std::find(scenario.at_the_end.begin(), scenario.at_the_end.end(), old) !=
                         scenario.at_the_end.end();
      if (!stays && (done.merged || done.pruned)) continue;
      (stays ? must : may).push_back(old);
    }
    for (const std::string& what : scenario.recorded) {
      (done.merged ? must : may).push_back(what.substr(what.find(':') + 1));
    }
    for (const std::string& what : scenario.of_another) may.push_back(what);
    std::string problem = wrong(scenario, must, may);
    if (replaces && !done.merged) {
      // All of the old ones, or all of the new ones.
      auto there = count(load_with_journal(path(scenario)));
      const bool all_old = std::all_of(scenario.old.begin(), scenario.old.end(),
                                       [&](const std::string& body) { return there[body] == 1; });
      const bool all_new = std::all_of(scenario.at_the_end.begin(), scenario.at_the_end.end(),
                                       [&](const std::string& body) { return there[body] == 1; });
      if (!all_old && !all_new) problem += "neither all the old ones nor all the new ones; ";
    }
    if (!problem.empty()) return problem;
    // Sessions do not survive a power cut: everything is as of the dead.
    const bool something = cassette_exists(path(scenario)) || exists(journal_path(path(scenario)));
    if (something && !merge(scenario, /*died=*/true)) return "it cannot be merged";
    problem = wrong(scenario, must, may);
    if (exists(journal_path(path(scenario)))) problem += "the journal stays; ";
    return problem;
  }

  /// How many states are wrong, and of how many; the first one is told.
  std::pair<std::size_t, std::size_t> try_all(const Scenario& scenario, std::vector<Step> steps,
                                              std::string* first, bool all_of_them = true) {
    std::set<std::map<std::string, std::string>> seen;
    Journaled disk(before_, data_);
    std::size_t bad = 0, all = 0;
    for (std::size_t at = 0; at < steps.size(); ++at) {
      for (const auto& state : disk.states()) {
        const bool end = at + 1 == steps.size();
        if (!seen.insert(state).second && !end) continue;
        ++all;
        std::string problem = wrong_in(scenario, state, steps[at].done);
        if (problem.empty()) continue;
        if (!all_of_them) return {1, all};
        if (bad++ == 0) {
          *first = "before operation " + std::to_string(at) + ": " + problem;
          for (const auto& [path, bytes] : state) {
            *first += "\n  " + path + ": " + std::to_string(bytes.size()) + " bytes";
          }
        }
      }
      disk.apply(steps[at].operation);
    }
    return {bad, all};
  }

  std::map<std::string, std::string> before_;
};

TEST_F(PowerCutTest, LeavesWhatWasMergedAndNeverHalfACassette) {
  std::size_t states = 0;
  for (const Scenario& scenario : scenarios()) {
    SCOPED_TRACE(scenario.name);
    std::vector<Step> steps = record(scenario);
    ASSERT_TRUE(steps.back().done.merged || steps.back().done.pruned);
    std::string first;
    auto [bad, all] = try_all(scenario, std::move(steps), &first);
    ASSERT_EQ(bad, 0u) << first;
    states += all;
  }
  RecordProperty("states", static_cast<int>(states));
  EXPECT_GT(states, 1000u);
}

// That this test would find it: without its syncs the same sequence loses something.
TEST_F(PowerCutTest, AStoreThatForgetsToSyncIsFoundOut) {
  for (const Scenario& scenario : scenarios()) {
    if (scenario.recorded.size() > 2) continue;  // too many states
    SCOPED_TRACE(scenario.name);
    std::vector<Step> steps = record(scenario);
    std::erase_if(steps, [](const Step& step) {
      return step.operation.kind == Kind::kSync || step.operation.kind == Kind::kSyncAll;
    });
    std::string first;
    EXPECT_GT(try_all(scenario, std::move(steps), &first, /*all_of_them=*/false).first, 0u);
  }
}

}  // namespace
}  // namespace cassette
