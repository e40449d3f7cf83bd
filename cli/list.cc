// `cassette list PATH`: what a cassette holds, one line an interaction. Reads only.
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/paths.h"
#include "cli/text.h"
#include "store/journal/merge.h"

namespace cassette {
namespace {

constexpr char kUsage[] = "list [flags] PATH";
constexpr char kDescription[] =
    "Prints one line for each interaction of the cassette PATH: index, id, method, URI, status (or the\n"
    "network error; /EOF, /ECONNRESET or /OPEN behind it: how an answer ended that never became whole), bytes of the response's body as recorded, and when it was recorded.\n"
    "What is still in the cassette's journal is there too. Behind them, the certificates of servers that were no\n"
    "ordinary ones: trusted or untrusted, in place of a status.\n";

/// URIs may be very long; the columns behind them should stay on the screen.
constexpr std::size_t kWidestColumn = 72;

/// The status, and how it ended if it never became whole: "200/EOF".
std::string outcome(const Interaction& interaction) {
  if (interaction.certificate) return std::string(verdict_of(*interaction.certificate));
  if (!interaction.error.empty()) return on_one_line(interaction.error);
  std::string text = std::to_string(interaction.response.status);
  if (interaction.end != ResponseEnd::kWhole) text.append("/").append(name_of(interaction.end));
  return text;
}

std::string as_lines(const Cassette& cassette) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < entries_in(cassette); ++i) {
    const Interaction& interaction = entry_of(cassette, i);
    const bool answered = interaction.error.empty() && !interaction.certificate;
    const std::string when = recorded_at(interaction);
    rows.push_back({std::to_string(i + 1), on_one_line(interaction.id),
                    on_one_line(interaction.request.method), on_one_line(interaction.uri),
                    outcome(interaction),
                    answered ? std::to_string(interaction.response.body.size()) : "-",
                    when.empty() ? "-" : when});
  }
  return columns(rows, {true, false, false, false, false, true, false}, kWidestColumn);
}

std::string as_json(const Cassette& cassette) {
  JsonOutput out;
  out.begin_array();
  for (std::size_t i = 0; i < entries_in(cassette); ++i) out.row(entry_of(cassette, i), i + 1);
  out.end_array();
  return out.text();
}

}  // namespace

int list_command(const Arguments& arguments) {
  CommandLine line(kUsage, kDescription);
  std::string path;
  bool json = false;
  line.app()
      .add_option("PATH", path, "The cassette: a file or a directory.")
      ->type_name("")
      ->required();
  line.app().add_flag("--json", json, "Prints an array of objects.");
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
  return print(json ? as_json(*cassette) : as_lines(*cassette)) ? kOk : kFailed;
}

}  // namespace cassette
