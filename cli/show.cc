// `cassette show PATH [INDEX|ID]`: whole interactions, for reading. Reads only.
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/paths.h"
#include "cli/show_text.h"
#include "store/formats/text.h"
#include "store/journal/merge.h"

namespace cassette {
namespace {

constexpr char kUsage[] = "show [flags] PATH [INDEX|ID]";
constexpr char kDescription[] =
    "Prints the interactions of the cassette PATH, or the one of that index or id (`cassette list` tells\n"
    "both), with all header fields, and bodies with their content coding undone. Binary bodies are shown\n"
    "as the beginning of a hex dump. On a terminal JSON is indented. Certificates of servers stand behind them.\n";

/// The index from 0 of the interaction that INDEX or ID names.
Result<std::size_t> find_interaction(const Cassette& cassette, const std::string& name) {
  const std::size_t count = entries_in(cassette);
  // An id may consist of digits alone, so ids go first.
  for (std::size_t i = 0; i < count; ++i) {
    if (entry_of(cassette, i).id == name) return i;
  }
  const bool is_number =
      name.find_first_not_of("0123456789") == std::string::npos && name.size() < 10;
  const std::size_t index = is_number && !name.empty() ? std::stoul(name) : 0;
  if (index >= 1 && index <= count) return index - 1;
  return Error{"show: there is no interaction \"" + for_message(name) + "\"; allowed: " +
               (count > 0 ? "an index from 1 to " + std::to_string(count) +
                                ", or an id that `cassette list` prints"
                          : "none, the cassette is empty")};
}

std::string as_json(const Cassette& cassette, const std::vector<std::size_t>& chosen, bool single) {
  JsonOutput out;
  if (!single) out.begin_array();
  for (std::size_t i : chosen) out.whole(entry_of(cassette, i), i + 1);
  if (!single) out.end_array();
  return out.text();
}

}  // namespace

int show_command(const Arguments& arguments) {
  CommandLine line(kUsage, kDescription);
  std::string path;
  std::string name;
  bool json = false;
  line.app()
      .add_option("PATH", path, "The cassette: a file or a directory.")
      ->type_name("")
      ->required();
  CLI::Option* which =
      line.app().add_option("INDEX|ID", name, "Which interaction (default: all).")->type_name("");
  line.app().add_flag("--json", json, "Prints an object, or without INDEX|ID an array of objects.");
  if (auto status = line.parse(arguments, kFailed)) return *status;

  Result<std::string> directory = working_directory();
  if (!directory) {
    complain(directory.error().message);
    return kFailed;
  }
  Result<Cassette> cassette = load_with_journal(absolute_path(path, *directory));
  if (!cassette) {
    complain(cassette.error().message);
    return kFailed;
  }
  std::vector<std::size_t> chosen;
  if (which->count() > 0) {
    Result<std::size_t> found = find_interaction(*cassette, name);
    if (!found) {
      complain(found.error().message);
      return kFailed;
    }
    chosen.push_back(*found);
  } else {
    for (std::size_t i = 0; i < entries_in(*cassette); ++i) chosen.push_back(i);
  }
  if (json) return print(as_json(*cassette, chosen, which->count() > 0)) ? kOk : kFailed;
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  std::string text;
  for (std::size_t i : chosen) {
    if (!text.empty()) text += '\n';
    text += interaction_text(entry_of(*cassette, i), i + 1, terminal);
  }
  return print(text) ? kOk : kFailed;
}

}  // namespace cassette
