// What a program is started with: settings, process tree, cassette path, environment.
#include "cli/run_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/cli/temporary_directory.h"

namespace cassette {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kLibrary[] = "/opt/lib/libcassette.so";

std::string text(const char* value) { return value != nullptr ? value : "(not set)"; }

class RunPlanTest : public testing::Test {
 protected:
  RunPlanTest() : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(here());
  }
  ~RunPlanTest() override { std::filesystem::current_path(before_); }

  const std::string& here() const { return directory_.path(); }

  Result<RunPlan> plan(const Arguments& arguments,
                       const std::vector<std::string>& variables = {}) const {
    auto options = parse_run_options(arguments);
    EXPECT_TRUE(std::holds_alternative<RunOptions>(options));
    std::vector<const char*> entries;
    for (const std::string& variable : variables) entries.push_back(variable.c_str());
    entries.push_back(nullptr);
    return plan_run(std::get<RunOptions>(options), Environment(entries.data()), kLibrary, here());
  }

  /// A variable as the program will see it.
  static std::string variable(const Result<RunPlan>& plan, const char* name) {
    return plan ? text(plan->environment.get(name)) : "error: " + plan.error().message;
  }

  /// The value of CASSETTE_TREE that a living process of another id would have made.
  static std::string living_tree() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    // In nanoseconds: cut to seconds, a parent younger than a second counts as another process.
    std::string nanoseconds = std::to_string(now.tv_sec * 1'000'000'000LL + now.tv_nsec);
    return std::to_string(getppid()) + "-" + nanoseconds + ":outer:/outer/place";
  }

  TemporaryDirectory directory_;

 private:
  std::filesystem::path before_;
};

TEST_F(RunPlanTest, DefaultCassetteIsNamedAfterTheCommand) {
  auto made = plan({"/usr/bin/curl", "-s", "url"});
  EXPECT_EQ(variable(made, "CASSETTE"), here() + "/cassettes/curl.yaml");
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->shown, "cassettes/curl.yaml");
  EXPECT_EQ(variable(made, "LD_PRELOAD"), kLibrary);
  EXPECT_THAT(variable(made, "CASSETTE_TREE"), StartsWith(std::to_string(getpid()) + "-"));
  EXPECT_THAT(variable(made, "CASSETTE_TREE"), HasSubstr(":curl@"));
  EXPECT_THAT(variable(made, "CASSETTE_TREE"), EndsWith(":" + here()));
}

TEST_F(RunPlanTest, ScriptNamesTheCassette) {
  const std::string script = directory_.file("fetch.py", "pass\n");
  EXPECT_EQ(variable(plan({"python3", script}), "CASSETTE"), here() + "/cassettes/fetch.py.yaml");
}

TEST_F(RunPlanTest, FlagBeatsEnvironmentBeatsFile) {
  directory_.file(".cassette.yaml", "mode: all\norder: first\ncassette: of-file.yaml\n");
  auto made = plan({"-m", "none", "true"}, {"CASSETTE_MODE=rewrite", "CASSETTE_ORDER=sequential"});
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->settings.mode, RecordMode::kNone);
  EXPECT_EQ(made->settings.order, Order::kSequential);
  EXPECT_EQ(variable(made, "CASSETTE_MODE"), "none");
  EXPECT_EQ(made->shown, "of-file.yaml");
  // Its processes may go to places where the file would not be found.
  EXPECT_EQ(variable(made, "CASSETTE_CONFIG"), here() + "/.cassette.yaml");
}

TEST_F(RunPlanTest, PathIsShownAsGiven) {
  auto made = plan({"-c", "./tests/../w.yaml", "true"});
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->shown, "./tests/../w.yaml");
  EXPECT_EQ(made->cassette, here() + "/w.yaml");
  auto filled = plan({"-c", "{k}/{program}.json", "--context", "k=v", "true"});
  ASSERT_TRUE(filled.ok());
  EXPECT_EQ(filled->shown, "v/true.json");
}

TEST_F(RunPlanTest, BadSettingIsAnError) {
  EXPECT_THAT(variable(plan({"true"}, {"CASSETTE_MODE=bogus"}), "CASSETTE"), HasSubstr("bogus"));
  EXPECT_THAT(variable(plan({"-c", "{nobody}.yaml", "true"}), "CASSETTE"), HasSubstr("{nobody}"));
}

TEST_F(RunPlanTest, OffLeavesTheProgramAlone) {
  auto made = plan({"-m", "off", "true"}, {"LD_PRELOAD=/x/libcassette.so"});
  EXPECT_EQ(variable(made, "LD_PRELOAD"), "/x/libcassette.so");
  EXPECT_EQ(variable(made, "CASSETTE_MODE"), "off");
  EXPECT_EQ(variable(made, "CASSETTE_TREE"), "(not set)");
}

TEST_F(RunPlanTest, RunInsideALivingTreeIsPartOfIt) {
  const std::string tree = living_tree();
  auto made = plan({"true"}, {"CASSETTE_TREE=" + tree, "CASSETTE=shared.yaml"});
  EXPECT_EQ(variable(made, "CASSETTE_TREE"), tree);
  EXPECT_EQ(variable(made, "CASSETTE"), "/outer/place/shared.yaml");
  EXPECT_EQ(variable(plan({"true"}, {"CASSETTE_TREE=" + tree}), "CASSETTE"),
            "/outer/place/cassettes/outer.yaml");
  // What is said here is meant from here.
  EXPECT_EQ(variable(plan({"-c", "own.yaml", "true"}, {"CASSETTE_TREE=" + tree}), "CASSETTE"),
            here() + "/own.yaml");
}

TEST_F(RunPlanTest, ASessionOfItsOwnOrADeadTreeMakesANewTree) {
  EXPECT_THAT(variable(plan({"--session", "s", "true"}, {"CASSETTE_TREE=" + living_tree()}),
                       "CASSETTE_TREE"),
              HasSubstr(":true@"));
  for (const std::string tree : {"4194304-1:dead:/", "nonsense", "", "1-x:y:z"}) {
    EXPECT_THAT(variable(plan({"true"}, {"CASSETTE_TREE=" + tree}), "CASSETTE_TREE"),
                HasSubstr(":true@"))
        << tree;
  }
}

TEST_F(RunPlanTest, LogFileIsKeptWhenTheProgramGoesElsewhere) {
  EXPECT_EQ(variable(plan({"--log", "debug:log.txt", "true"}), "CASSETTE_LOG"),
            "debug:" + here() + "/log.txt");
  EXPECT_EQ(variable(plan({"--log", "debug", "true"}), "CASSETTE_LOG"), "debug");
}

TEST_F(RunPlanTest, FilesOfTlsAreKeptWhenTheProgramGoesElsewhere) {
  const Arguments arguments = {"-m",     "none", "--tls-client-cert", "c.pem", "--tls-ca-file",
                               "ca.pem", "true"};
  auto made = plan(arguments, {"CASSETTE_TLS_CLIENT_KEY=/k.pem"});
  EXPECT_EQ(variable(made, "CASSETTE_TLS_CLIENT_CERT"), here() + "/c.pem");
  EXPECT_EQ(variable(made, "CASSETTE_TLS_CLIENT_KEY"), "/k.pem");
  EXPECT_EQ(variable(made, "CASSETTE_TLS_CA_FILE"), here() + "/ca.pem");
}

TEST_F(RunPlanTest, AClientCertificateIsNeededWhereSomethingMayBeRecorded) {
  auto with = [&](const char* mode) {
    auto made = plan({"-m", mode, "-c", "c.yaml", "--tls-client-cert", "absent.pem", "true"});
    return made ? std::string("runs") : made.error().message;
  };
  for (const char* mode : {"once", "new_episodes", "all", "rewrite"})
    EXPECT_THAT(with(mode), HasSubstr(here() + "/absent.pem")) << mode;
  EXPECT_EQ(with("none"), "runs");
  EXPECT_EQ(with("off"), "runs");
  std::ofstream("c.yaml") << "interactions: []\n";
  EXPECT_EQ(with("once"), "runs");
  EXPECT_THAT(with("new_episodes"), HasSubstr("absent.pem"));
}

TEST(EnvironmentTest, SetReplacesEveryEntryOfThatName) {
  const char* entries[] = {"A=1", "AB=2", "A=3", "odd", nullptr};
  Environment environment(entries);
  EXPECT_EQ(text(environment.get("A")), "1");
  environment.set("A", "4");
  EXPECT_EQ(text(environment.get("A")), "4");
  EXPECT_EQ(text(environment.get("AB")), "2");
  EXPECT_EQ(text(environment.get("odd")), "(not set)");
  EXPECT_EQ(environment.pointers().size(), 4u);
  EXPECT_EQ(environment.pointers().back(), nullptr);
}

TEST(PreloadList, LibraryComesFirstAndOnce) {
  EXPECT_EQ(preload_list("", "/l.so"), "/l.so");
  EXPECT_EQ(preload_list("/a.so /b.so:/c.so", "/l.so"), "/l.so:/a.so:/b.so:/c.so");
  EXPECT_EQ(preload_list("/a.so:/l.so: /l.so", "/l.so"), "/l.so:/a.so");
  EXPECT_TRUE(fits_preload_list("/l.so"));
  EXPECT_FALSE(fits_preload_list("/with blank/l.so"));
}

}  // namespace
}  // namespace cassette
