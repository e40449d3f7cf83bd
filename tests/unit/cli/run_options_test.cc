// The command line of `cassette run`: where it ends and the program's own begins, and which values pass.
#include "cli/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/arguments.h"

namespace cassette {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RunOptions parsed(const Arguments& arguments) {
  auto result = parse_run_options(arguments);
  EXPECT_TRUE(std::holds_alternative<RunOptions>(result));
  return std::holds_alternative<RunOptions>(result) ? std::get<RunOptions>(result) : RunOptions();
}

/// What is complained about; empty when nothing is.
std::string complaint(const Arguments& arguments) {
  testing::internal::CaptureStderr();
  auto result = parse_run_options(arguments);
  std::string text = testing::internal::GetCapturedStderr();
  const int* status = std::get_if<int>(&result);
  EXPECT_EQ(status != nullptr ? *status : kRunFailed, kRunFailed);
  EXPECT_EQ(text.empty(), status == nullptr);
  return text;
}

std::string value_of(const RunOptions& options, const std::string& environment) {
  for (const auto& flag : options.flags) {
    if (flag.setting->environment == environment) return flag.value;
  }
  return "(not given)";
}

TEST(RunOptions, CommandBeginsAtTheFirstArgumentThatIsNoFlag) {
  EXPECT_THAT(parsed({"curl", "-s", "-c", "jar", "--", "x"}).command,
              ElementsAre("curl", "-s", "-c", "jar", "--", "x"));
  EXPECT_THAT(parsed({"-m", "none", "curl", "-m", "5"}).command, ElementsAre("curl", "-m", "5"));
  EXPECT_THAT(parsed({"--allow-playback-repeats", "true"}).command, ElementsAre("true"));
  EXPECT_THAT(parsed({"--fail-on-unused", "true"}).command, ElementsAre("true"));
}

TEST(RunOptions, TwoDashesEndTheFlags) {
  EXPECT_THAT(parsed({"-m", "none", "--", "-odd", "--"}).command, ElementsAre("-odd", "--"));
  EXPECT_THAT(parsed({"--", "--"}).command, ElementsAre("--"));
}

TEST(RunOptions, ValueMayBeJoinedOrLookLikeAFlag) {
  for (const Arguments& flags :
       {Arguments{"-c", "a.yaml"}, Arguments{"-ca.yaml"}, Arguments{"--cassette", "a.yaml"},
        Arguments{"--cassette=a.yaml"}}) {
    Arguments arguments = flags;
    arguments.push_back("true");
    RunOptions options = parsed(arguments);
    EXPECT_EQ(value_of(options, "CASSETTE"), "a.yaml") << flags[0];
    EXPECT_THAT(options.command, ElementsAre("true"));
  }
  EXPECT_EQ(value_of(parsed({"--session", "--x", "true"}), "CASSETTE_SESSION"), "--x");
  EXPECT_EQ(value_of(parsed({"--session", "--", "true"}), "CASSETTE_SESSION"), "--");
}

TEST(RunOptions, EmptyValueIsAValue) {
  RunOptions options = parsed({"--filter-headers=", "--filter-body", "", "true"});
  EXPECT_EQ(value_of(options, "CASSETTE_FILTER_HEADERS"), "");
  EXPECT_EQ(value_of(options, "CASSETTE_FILTER_BODY"), "");
  EXPECT_THAT(options.command, ElementsAre("true"));
}

TEST(RunOptions, ListsAndBracketsAreLeftAlone) {
  RunOptions options = parsed({"--ignore-hosts", "[::1]", "--match-on", "method,path", "true"});
  EXPECT_EQ(value_of(options, "CASSETTE_IGNORE_HOSTS"), "[::1]");
  EXPECT_EQ(value_of(options, "CASSETTE_MATCH_ON"), "method,path");
}

TEST(RunOptions, TheLastOfTwoCounts) {
  EXPECT_EQ(value_of(parsed({"-m", "all", "-m", "none", "true"}), "CASSETTE_MODE"), "none");
}

TEST(RunOptions, EveryFlagOfTheTableIsThere) {
  CommandLine line("test", "");
  testing::internal::CaptureStdout();
  EXPECT_EQ(std::get<int>(parse_run_options({"--help"})), kOk);
  const std::string help = testing::internal::GetCapturedStdout();
  for (const SettingName& setting : kSettings) {
    if (setting.flag == nullptr) continue;
    EXPECT_THAT(help, HasSubstr(std::string("--") + setting.flag));
  }
}

TEST(RunOptions, SwitchMayBeGivenAValue) {
  EXPECT_EQ(
      value_of(parsed({"--allow-playback-repeats", "true"}), "CASSETTE_ALLOW_PLAYBACK_REPEATS"),
      "true");
  EXPECT_EQ(
      value_of(parsed({"--allow-playback-repeats=off", "true"}), "CASSETTE_ALLOW_PLAYBACK_REPEATS"),
      "off");
}

TEST(RunOptions, ComplaintsNameWhatIsWrong) {
  EXPECT_THAT(complaint({"-m", "bogus", "true"}),
              testing::AllOf(HasSubstr("--mode"), HasSubstr("bogus"), HasSubstr("new_episodes")));
  EXPECT_THAT(complaint({"--bogus", "true"}), HasSubstr("--bogus"));
  EXPECT_THAT(complaint({"--mode"}), HasSubstr("--mode"));
  EXPECT_THAT(complaint({"-m", "none"}), HasSubstr("COMMAND is missing"));
  EXPECT_THAT(complaint({}), HasSubstr("COMMAND is missing"));
  EXPECT_THAT(complaint({"-m", "none", "--"}), HasSubstr("COMMAND is missing"));
}

}  // namespace
}  // namespace cassette
