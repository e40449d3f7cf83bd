// Makes the flags of `cassette run` out of the table of settings. See run_options.h.
#include "cli/run_options.h"

#include <array>
#include <iterator>
#include <string_view>

#include "cli/arguments.h"

namespace cassette {
namespace {

constexpr char kUsage[] = "run [flags] [--] COMMAND [ARG ...]";
constexpr char kDescription[] =
    "Runs COMMAND with its HTTP traffic recorded into a cassette, or replayed from it.\n"
    "A flag beats the environment variable that is named with it, which beats .cassette.yaml.\n";
constexpr char kFooter[] =
    "Exit status: that of COMMAND, 128+n when signal n ended it. When that is 0: 125 if something could\n"
    "not be recorded, 3 if there was a miss, or with --fail-on-miss something that went past the cassette,\n"
    "4 with --fail-on-unused if something was unused.\n"
    "125 also when COMMAND was not started because of an error; 126: it cannot be executed; 127: not "
    "found.\n";

/// What a setting's flag came to; `option` is null for a setting that has no flag.
struct FlagSlot {
  CLI::Option* option = nullptr;
  std::string value;
};

void add_flag(CLI::App& app, const SettingName& setting, FlagSlot& slot) {
  std::string names = std::string("--") + setting.flag;
  if (setting.short_flag != '\0') names = std::string("-") + setting.short_flag + "," + names;
  std::string help = std::string(setting.help) + " [" + setting.environment + "]";
  if (setting.placeholder == nullptr) {
    slot.option = app.add_flag(names, slot.value, help);
  } else {
    slot.option = app.add_option(names, slot.value, help)->type_name(setting.placeholder);
  }
  slot.option->take_last();
}

}  // namespace

bool RunOptions::gives(std::string_view environment) const {
  for (const Flag& flag : flags) {
    if (flag.setting->environment == environment) return true;
  }
  return false;
}

std::variant<RunOptions, int> parse_run_options(const Arguments& arguments) {
  CommandLine line(kUsage, kDescription, kFooter);
  CLI::App& app = line.app();
  std::array<FlagSlot, std::size(kSettings)> slots;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (kSettings[i].flag != nullptr) add_flag(app, kSettings[i], slots[i]);
  }
  RunOptions options;
  app.add_flag("--fail-on-unused", options.fail_on_unused,
               "Exits with 4 when interactions of the cassette were not played.");
  app.add_flag("--fail-on-miss", options.fail_on_miss,
               "Exits with 3 also when a connection was relayed past the cassette, or refused.");
  app.add_flag("--json", options.json, "Prints the summary as JSON, an object a line.");

  SplitArguments split = split_at_command(app, arguments);
  if (auto status = line.parse(split.flags, kRunFailed)) return *status;
  options.command = std::move(split.command);
  if (options.command.empty()) {
    complain("run: a COMMAND is missing; usage: cassette " + std::string(kUsage));
    return kRunFailed;
  }
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].option == nullptr || slots[i].option->count() == 0) continue;
    const std::string flag = std::string("--") + kSettings[i].flag;
    if (auto problem = value_problem(flag, kSettings[i], slots[i].value)) {
      complain(*problem);
      return kRunFailed;
    }
    options.flags.push_back({&kSettings[i], slots[i].value});
  }
  return options;
}

}  // namespace cassette
