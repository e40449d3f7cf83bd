// `cassette report-unused PATH...`: what no run has replayed. `--reset` only forgets; `--prune` removes
// it from the cassettes, and asks before.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/paths.h"
#include "cli/text.h"
#include "store/journal/merge.h"
#include "store/journal/prune.h"
#include "store/journal/usage.h"
#include "store/log.h"
#include "store/session/session.h"

namespace cassette {
namespace {

constexpr char kUsage[] = "report-unused [flags] PATH...";
constexpr char kDescription[] =
    "Prints the interactions of the cassettes PATH... that no run has replayed since they were recorded,\n"
    "or since --reset. For a directory: the names of unused files relative to it, one a line, sorted, so\n"
    "that `cd DIR && cassette report-unused . | xargs rm` works. For a file: lines `id method uri`.\n"
    "With several PATHs each line begins with its PATH: `PATH/file`, or `PATH: id method uri`.\n";
constexpr char kFooter[] =
    "Exit status: 0 nothing is unused (or --reset; or --prune, and it was removed), 1 something is, 2 an\n"
    "error.\n";

/// What is to be done with what is unused.
struct Task {
  bool prune = false;
  bool asks = true;  ///< before it prunes
  bool json = false;
};

/// A cassette of the command line.
struct Target {
  std::string given;
  std::string path;  ///< absolute
};

/// The lines of one cassette. `prefixed`: other cassettes' lines are printed too.
std::string as_lines(const Target& target, const UnusedReport& report, bool prefixed) {
  std::string text;
  std::vector<std::string> files;
  for (std::size_t i : report.unused) {
    const Interaction& interaction = report.cassette.interactions[i];
    if (!interaction.file.empty()) {
      // Not escaped: a name that is to be given to another program.
      const bool slash = !target.given.empty() && target.given.back() == '/';
      files.push_back((prefixed ? target.given + (slash ? "" : "/") : "") + interaction.file +
                      "\n");
      continue;
    }
    if (prefixed) text += target.given + ": ";
    text += interaction.id + " " + on_one_line(interaction.request.method) + " " +
            on_one_line(interaction.uri) + "\n";
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) text += file;
  return text;
}

/// Forgets what was played, that of sessions which are over but not yet counted, or still live, included.
Result<void> reset(const Settings& settings, const Target& target) {
  // A misspelt PATH should not look like success.
  if (!cassette_exists(target.path)) {
    if (Result<Cassette> journal = load_with_journal(target.path); !journal) return journal.error();
  }
  // A named session stays when its processes are gone, and would tell of them for ever.
  forget_played_in_sessions(settings.runtime_dir, target.path);
  return reset_used(settings.state_dir, target.path);
}

int reset_all(const Settings& settings, const std::vector<Target>& targets) {
  sweep_sessions(settings);
  int status = kOk;
  for (const Target& target : targets) {
    if (Result<void> done = reset(settings, target); !done) {
      complain(done.error().message);
      status = kFailed;
    }
  }
  return status;
}

/// From the person at the other end of stdin. The end of it is a no.
bool confirmed(const Target& target, const UnusedReport& report) {
  const std::size_t count = report.unused.size(), all = report.cassette.interactions.size();
  std::string question = "cassette: " + on_one_line(target.given) + ": remove " +
                         (count == all ? "all " + std::to_string(all)
                                       : std::to_string(count) + " of " + std::to_string(all)) +
                         " interactions? [y/N] ";
  std::cerr << question << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

/// Leaves in the report what was removed. The exit status.
int prune(const Settings& settings, const Target& target, const Task& task, UnusedReport& report) {
  if (report.unused.empty()) return kOk;
  if (task.asks && !confirmed(target, report)) {
    report.unused.clear();
    return kSomethingUnused;
  }
  std::vector<std::string> ids;
  for (std::size_t i : report.unused) ids.push_back(report.cassette.interactions[i].id);
  Result<std::vector<std::string>> removed = prune_cassette(settings, target.path, ids);
  if (!removed) {
    complain(removed.error().message);
    report.unused.clear();
    return kFailed;
  }
  const std::set<std::string> gone(removed->begin(), removed->end());
  std::erase_if(report.unused,
                [&](std::size_t i) { return gone.count(report.cassette.interactions[i].id) == 0; });
  if (gone.size() == ids.size()) return kOk;
  complain(target.given + ": " + std::to_string(ids.size() - gone.size()) +
           " interactions stay: a session that is still running recorded or replayed them");
  return kSomethingUnused;
}

int report_all(const Settings& settings, const std::vector<Target>& targets, const Task& task) {
  int status = kOk;
  std::string lines;
  JsonOutput objects;
  objects.begin_array();
  for (const Target& target : targets) {
    Result<UnusedReport> report = find_unused(settings, target.path);
    if (!report) {
      // The others are reported all the same.
      complain(report.error().message);
      status = kFailed;
      continue;
    }
    const int now = task.prune               ? prune(settings, target, task, *report)
                    : report->unused.empty() ? kOk
                                             : kSomethingUnused;
    status = std::max(status, now);
    lines += as_lines(target, *report, targets.size() > 1);
    for (std::size_t i : report->unused) {
      objects.begin_object();
      objects.member("cassette", target.given);
      objects.identity(report->cassette.interactions[i], i + 1);
      objects.end_object();
    }
  }
  objects.end_array();
  return print(task.json ? objects.text() : lines) ? status : kFailed;
}

}  // namespace

int report_unused_command(const Arguments& arguments) {
  CommandLine line(kUsage, kDescription, kFooter);
  std::vector<std::string> paths;
  bool forget = false;
  Task task;
  bool yes = false;
  line.app()
      .add_option("PATH", paths, "The cassettes: files or directories.")
      ->type_name("")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  line.app().add_flag("--reset", forget, "Forgets what was replayed, and prints nothing.");
  line.app().add_flag("--prune", task.prune,
                      "Removes what is unused from the cassettes, and prints what was removed.");
  line.app().add_flag("--yes", yes, "With --prune: does not ask.");
  line.app().add_flag("--json", task.json, "Prints an array of objects.");
  if (auto status = line.parse(arguments, kFailed)) return *status;
  if (forget && task.prune) {
    complain(
        "report-unused: --reset forgets what was used, --prune needs to know it: use one of them");
    return kFailed;
  }
  task.asks = !yes;

  Result<std::string> directory = working_directory();
  if (!directory) {
    complain(directory.error().message);
    return kFailed;
  }
  Result<Settings> settings =
      load_settings([](const char* name) { return std::getenv(name); }, *directory);
  if (!settings) {
    complain(settings.error().message);
    return kFailed;
  }
  configure_log(settings->log_level, settings->log_file);
  std::vector<Target> targets;
  for (const std::string& path : paths) targets.push_back({path, absolute_path(path, *directory)});
  return forget ? reset_all(*settings, targets) : report_all(*settings, targets, task);
}

}  // namespace cassette
