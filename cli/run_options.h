// The command line of `cassette run`: the flags of the table in store/settings/setting_names.h, and a program with
// its arguments. Checks the values of flags; what they come to together is store/settings/settings.h's business.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/command.h"
#include "store/settings/setting_names.h"

namespace cassette {

struct RunOptions {
  struct Flag {
    const SettingName* setting;
    std::string value;
  };
  std::vector<Flag> flags;  ///< those that were given
  bool fail_on_unused = false;
  bool fail_on_miss = false;
  bool json = false;
  Arguments command;  ///< not empty

  /// Whether the setting of this variable was given as a flag.
  bool gives(std::string_view environment) const;
};

/// The options, or the status to exit with: help was printed, or a complaint.
std::variant<RunOptions, int> parse_run_options(const Arguments& arguments);

}  // namespace cassette
