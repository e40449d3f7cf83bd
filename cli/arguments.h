// What the commands need of CLI11: the look of `--help`, one sentence for a wrong command line or value,
// and the place where the flags of `run` end and the program's own arguments begin.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "cli/command.h"
#include "store/settings/setting_names.h"

namespace cassette {

class CommandLine {
 public:
  /// `usage` is what stands behind "cassette " in the help, e.g. "list [flags] PATH" or
  /// "session show [flags] ID"; what stands before the first " [" is the command.
  CommandLine(std::string usage, std::string description, std::string footer = "");

  CLI::App& app() { return app_; }

  /// Nothing: go on. Otherwise the status to exit with: the help was printed, or a complaint, for
  /// which the status is `failed`.
  std::optional<int> parse(const Arguments& arguments, int failed);

 private:
  CLI::App app_;
  std::string command_;
};

/// The sentence about a value that a setting of the table does not allow; `flag` is where it was given.
std::optional<std::string> value_problem(const std::string& flag, const SettingName& setting,
                                         const std::string& value);

/// Where a command line "[flags] [--] COMMAND [ARG...]" is cut.
struct SplitArguments {
  Arguments flags;    ///< `--name=value` as two, so that an empty value is one
  Arguments command;  ///< without the `--`
};
/// Asks `app` which flags take a value. Unknown flags are left to its parser to complain about.
SplitArguments split_at_command(const CLI::App& app, const Arguments& arguments);

}  // namespace cassette
