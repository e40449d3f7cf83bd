// `cassette session SUBCOMMAND ...`: finds the subcommand and calls it; `--help` lists them.
#include <algorithm>
#include <string>

#include "cli/command.h"
#include "cli/session/subcommands.h"
#include "store/formats/text.h"

namespace cassette {
namespace {

struct Subcommand {
  const char* name;
  const char* arguments;
  const char* summary;
  int (*run)(const Arguments&);
};

constexpr Subcommand kSubcommands[] = {
    {"register", "[ID]", "takes a place for a session, prints its id", register_subcommand},
    {"unregister", "ID", "ends a session: merges what it recorded, frees its place",
     unregister_subcommand},
    {"list", "", "prints one line a session", list_sessions_subcommand},
    {"show", "ID", "prints all about one, with its cassettes", show_session_subcommand},
    {"rewind", "ID [CASSETTE]", "goes back to the beginning: of one cassette, or all",
     rewind_subcommand},
    {"advance", "ID CASSETTE", "skips the interaction whose turn it is", advance_subcommand},
    {"history", "ID", "prints every request it handled", history_subcommand},
    {"verify", "ID [flags]", "were these requests made, and how often?", verify_subcommand},
    {"purge", "ID|--all", "removes sessions of any kind, whoever is in them", purge_subcommand},
};

std::string help() {
  std::string text =
      "Looks at sessions, and steers them. A session is the scope in which the playback positions of\n"
      "cassettes advance. A named one (`cassette run --session ID`, or CASSETTE_SESSION=ID) is shared by\n"
      "every process that names it; every other process tree has its own.\n"
      "\nUsage: cassette session SUBCOMMAND ...\n\nSubcommands:\n";
  for (const Subcommand& subcommand : kSubcommands) {
    std::string usage = std::string("  ") + subcommand.name + " " + subcommand.arguments;
    usage.resize(std::max<std::size_t>(usage.size() + 2, 26), ' ');
    text += usage + subcommand.summary + "\n";
  }
  return text +
         "\nExit status: 0 done, 1 `verify` does not hold, 2 an error, 5 `register`: the id is registered\n"
         "already, 6 `register`: the pool is full, 7 there is no such session.\n"
         "`cassette session SUBCOMMAND --help` tells more.\n";
}

}  // namespace

int session_command(const Arguments& arguments) {
  if (arguments.empty()) {
    complain("session: a SUBCOMMAND is missing; `cassette session --help` lists them");
    return kFailed;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") return print(help()) ? kOk : kFailed;
  std::string known;
  for (const Subcommand& subcommand : kSubcommands) {
    if (name == subcommand.name)
      return subcommand.run(Arguments(arguments.begin() + 1, arguments.end()));
    known += known.empty() ? subcommand.name : std::string(", ") + subcommand.name;
  }
  complain("session: unknown subcommand \"" + for_message(name) + "\"; there are: " + known);
  return kFailed;
}

}  // namespace cassette
