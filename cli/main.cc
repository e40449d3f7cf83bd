// `cassette COMMAND ...`: finds the command and calls it. What is common to all of them, `--help`,
// `--version` and an unknown name, is answered here.
#include <algorithm>
#include <exception>
#include <string>

#include "cli/command.h"

namespace cassette {
namespace {

constexpr char kVersion[] = "0.1.0";

struct Command {
  const char* name;
  const char* arguments;
  const char* summary;
  int (*run)(const Arguments&);
};

constexpr Command kCommands[] = {
    {"run", "[flags] -- COMMAND [ARG ...]", "runs a program under the library", run_command},
    {"list", "PATH", "prints one line an interaction", list_command},
    {"show", "PATH [INDEX|ID]", "prints whole interactions, bodies decoded", show_command},
    {"report-unused", "PATH...", "prints what no run has replayed", report_unused_command},
    {"session", "SUBCOMMAND ...", "looks at sessions, and steers them", session_command},
};

std::string help() {
  std::string text =
      "Records the HTTP traffic of any program into a cassette, and replays it offline.\n"
      "\nUsage: cassette COMMAND ...\n\nCommands:\n";
  for (const Command& command : kCommands) {
    std::string usage = std::string("  ") + command.name + " " + command.arguments;
    usage.resize(std::max<std::size_t>(usage.size() + 2, 36), ' ');
    text += usage + command.summary + "\n";
  }
  return text +
         "\n`cassette COMMAND --help` tells more; `cassette --version` prints the version.\n";
}

int dispatch(const Arguments& arguments) {
  if (arguments.empty()) {
    complain("a COMMAND is missing; `cassette --help` lists them");
    return kFailed;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") return print(help()) ? kOk : kFailed;
  if (name == "--version") return print(std::string("cassette ") + kVersion + "\n") ? kOk : kFailed;
  std::string known;
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(Arguments(arguments.begin() + 1, arguments.end()));
    known += known.empty() ? command.name : std::string(", ") + command.name;
  }
  complain("unknown command \"" + name + "\"; there are: " + known);
  return kFailed;
}

}  // namespace
}  // namespace cassette

int main(int argc, char** argv) {
  // Functions of ours do not throw; the standard library may (no memory), and CLI11 might.
  try {
    return cassette::dispatch(cassette::Arguments(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const std::exception& exception) {
    cassette::complain(std::string("stopped: ") + exception.what());
  }
  // `run` promises 125 for what went wrong here, the others 2.
  const bool running = argc > 1 && std::string(argv[1]) == "run";
  return running ? cassette::kRunFailed : cassette::kFailed;
}
