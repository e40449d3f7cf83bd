// What the tests of durability do to a cassette, again and again, while something goes wrong: record into
// the journal, merge, prune. And what has to hold afterwards.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/files.h"
#include "store/journal/journal.h"
#include "store/journal/merge.h"
#include "store/journal/prune.h"
#include "tests/unit/store/faulty_disk.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {

/// One conversation, and how it ends.
struct Scenario {
  std::string name;
  std::string file;  ///< in the data directory; its name chooses the form
  RecordMode mode = RecordMode::kNewEpisodes;
  std::vector<std::string> old;              ///< what the cassette has, each with its own URI
  std::vector<std::string> recorded;         ///< "uri-of-an-old-one:body" or a new body
  std::vector<std::string> of_another = {};  ///< recorded meanwhile by a session that lives on
  std::vector<std::string> pruned = {};
  std::vector<std::string> at_the_end;  ///< when nothing went wrong, in order
};

inline std::vector<Scenario> scenarios() {
  std::vector<Scenario> all;
  for (const char* form : {"c.yaml", "c.json", "deep/down/c", "deep/down/d.yaml"}) {
    const bool fresh = std::string(form).find("deep") == 0;
    auto add = [&](Scenario scenario) {
      scenario.name = std::string(form) + ": " + scenario.name;
      scenario.file = form;
      all.push_back(std::move(scenario));
    };
    if (fresh) {
      add({"the first recording", "", RecordMode::kOnce, {}, {"n1", "n2"}, {}, {}, {"n1", "n2"}});
      continue;
    }
  }
  for (const char* form : {"c.yaml", "c.json", "c"}) {
    auto add = [&](Scenario scenario) {
      scenario.name = std::string(form) + ": " + scenario.name;
      scenario.file = form;
      all.push_back(std::move(scenario));
    };
    const std::vector<std::string> old = {"o1", "o2"};
    add({"new episodes",
         "",
         RecordMode::kNewEpisodes,
         old,
         {"n1", "n2"},
         {},
         {},
         {"o1", "o2", "n1", "n2"}});
    add({"all", "", RecordMode::kAll, old, {"o1:n1", "n2"}, {}, {}, {"o2", "n1", "n2"}});
    add({"rewrite", "", RecordMode::kRewrite, old, {"o1:n1", "n2"}, {}, {}, {"n1", "n2"}});
    add({"beside another",
         "",
         RecordMode::kNewEpisodes,
         old,
         {"n1"},
         {"x1"},
         {},
         {"o1", "o2", "n1"}});
    add({"prune", "", RecordMode::kNewEpisodes, {"o1", "o2", "o3"}, {}, {}, {"o2"}, {"o1", "o3"}});
  }
  Scenario many{"c: more files than are synced one by one",
                "c",
                RecordMode::kNewEpisodes,
                {"o1"},
                {},
                {},
                {},
                {"o1"}};
  for (int i = 0; i < 12; ++i) many.recorded.push_back("n" + std::to_string(i));
  for (const std::string& body : many.recorded) many.at_the_end.push_back(body);
  all.push_back(many);
  return all;
}

class DurabilityTest : public StoreTest {
 protected:
  static constexpr char kToken[] = "1-2@3";

  void SetUp() override {
    StoreTest::SetUp();
    configure_log(LogLevel::kOff, "");
    // In memory: some file systems make a rename wait for the disk.
    std::string memory = "/dev/shm/cassette-test-XXXXXX";
    if (mkdtemp(memory.data()) != nullptr) memory_ = memory;
    data_ = (memory_.empty() ? directory_ : memory_) + "/data";
    std::filesystem::create_directory(data_);
  }
  void TearDown() override {
    std::error_code ignored;
    if (!memory_.empty()) std::filesystem::remove_all(memory_, ignored);
    StoreTest::TearDown();
  }

  std::string path(const Scenario& scenario) const { return data_ + "/" + scenario.file; }

  /// Begins anew: the cassette with its old interactions, and nothing else.
  void prepare(const Scenario& scenario) {
    const FaultyDisk quick(data_);
    std::filesystem::remove_all(data_);
    std::filesystem::create_directory(data_);
    clock_ = 1700000000000000;
    if (scenario.old.empty()) return;
    Cassette cassette;
    for (const std::string& body : scenario.old) {
      cassette.interactions.push_back(made("http://a/" + body, body));
    }
    auto saved = save_cassette(path(scenario), cassette);
    ASSERT_TRUE(saved.ok()) << saved.error().message;
  }

  /// What is told to the parent, which outlives the process.
  struct Acknowledged {
    unsigned recorded = 0;  ///< so many of `recorded` were
    bool of_another = false;
    bool merged = false;
    bool pruned = false;
  };

  /// All of it, on whatever disk there is.
  void run(const Scenario& scenario, const std::string& other, Acknowledged& done) {
    std::uint64_t sequence = 0;
    auto record = [&](const std::string& token, const std::string& what) {
      const std::size_t colon = what.find(':');
      const std::string body = colon == std::string::npos ? what : what.substr(colon + 1);
      JournalRecord record;
      record.session = token;
      record.mode = scenario.mode;
      record.interaction = made("http://a/" + what.substr(0, colon), body);
      record.began = static_cast<std::uint64_t>(*record.interaction.recorded_at) * 1000;
      record.pid = 1;
      record.sequence = sequence++;
      return Journal(path(scenario)).append(record).ok();
    };
    for (const std::string& what : scenario.of_another) done.of_another = record(other, what);
    for (const std::string& what : scenario.recorded) {
      if (!record(kToken, what)) continue;
      acknowledged_.push_back(what.substr(what.find(':') + 1));
      done.recorded |= 1u << (sequence - 1 - scenario.of_another.size());
    }
    if (!scenario.recorded.empty()) done.merged = merge(scenario, /*died=*/false);
    if (!scenario.pruned.empty()) {
      Settings settings = settings_;
      std::vector<std::string> ids;
      auto loaded = load_cassette(path(scenario));
      if (!loaded) return;
      for (const Interaction& each : loaded->interactions) {
        if (each.response.body == scenario.pruned.front()) ids.push_back(each.id);
      }
      done.pruned = prune_cassette(settings, path(scenario), ids).ok();
    }
  }

  bool merge(const Scenario& scenario, bool died) {
    std::optional<FaultyDisk> quick;
    if (FaultyDisk::here() == nullptr) quick.emplace(data_);
    EndedSession session;
    session.token = kToken;
    session.ended_well = !died;
    session.died = died;
    session.matcher = &matcher_;
    return merge_journal(path(scenario), settings_.runtime_dir, session).ok();
  }

  /// How often each body is there; "error" when that cannot be read.
  static std::map<std::string, int> count(const Result<Cassette>& cassette) {
    std::map<std::string, int> counts;
    if (!cassette) return {{"error: " + cassette.error().message, 1}};
    for (const Interaction& each : cassette->interactions) {
      // All of it, or it is another's.
      const std::string& body = each.response.body;
      const bool whole = each.request.method == "GET" && each.response.status == 200 &&
                         each.request.body == binary() && each.response.headers.size() == 1;
      ++counts[whole ? body : "damaged: " + body];
    }
    return counts;
  }
  static std::vector<std::string> bodies_in_order(const Result<Cassette>& cassette) {
    std::vector<std::string> result;
    if (!cassette) return {cassette.error().message};
    for (const Interaction& each : cassette->interactions) result.push_back(each.response.body);
    return result;
  }

  /// What is wrong with the cassette and its journal as they are: empty when all that must be there is,
  /// and nothing twice. `must`: bodies; `may`: bodies that may be there or not.
  std::string wrong(const Scenario& scenario, const std::vector<std::string>& must,
                    const std::vector<std::string>& may) const {
    const bool nothing = !cassette_exists(path(scenario)) && !exists(journal_path(path(scenario)));
    if (nothing) return must.empty() ? "" : "nothing is there";
    std::string problem;
    if (cassette_exists(path(scenario))) {
      if (auto alone = load_cassette(path(scenario)); !alone)
        problem += alone.error().message + "; ";
    }
    std::map<std::string, int> there = count(load_with_journal(path(scenario)));
    if (!cassette_exists(path(scenario)) && must.empty()) {
      // An empty journal alone is no cassette.
      if (read(journal_path(path(scenario))).empty()) there.clear();
      for (auto it = there.begin(); it != there.end();) {
        it = it->first.rfind("error: ", 0) == 0 ? there.erase(it) : std::next(it);
      }
    }
    for (const std::string& body : must) {
      if (there[body] != 1)
        problem += body + " is there " + std::to_string(there[body]) + " times; ";
      there.erase(body);
    }
    for (const std::string& body : may) {
      if (there[body] > 1) problem += body + " is there more than once; ";
      there.erase(body);
    }
    for (const auto& [body, times] : there) {
      if (times != 0) problem += "there is " + body + "; ";
    }
    return problem;
  }

  /// Temporaries that nobody will ever remove.
  std::string left_behind() const {
    std::string names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data_)) {
      const std::string name = entry.path().filename();
      if (name.rfind(".cassette-", 0) == 0) names += name + " ";
    }
    return names;
  }

  static const std::string& binary() {
    static const std::string bytes = [] {
      std::string all = "cassjnl1";
      for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
      return all;
    }();
    return bytes;
  }

  Interaction made(const std::string& uri, const std::string& body) {
    Interaction result = interaction(uri, body, clock_ += 1000);
    result.request.body = binary();
    result.request_has_body = true;
    return result;
  }

  std::string memory_;
  std::string data_;
  std::int64_t clock_ = 0;
  Matcher matcher_{MatchOn{}, Redactor({}, {}, {})};
  std::vector<std::string> acknowledged_;  ///< in this process
};

}  // namespace cassette
