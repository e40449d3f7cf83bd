// `cassette run [flags] -- COMMAND [ARG...]`: a program under the library, and a summary when it has ended.
// Decides nothing about interactions, that is the library's part in the program's processes.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/child.h"
#include "cli/command.h"
#include "cli/find_program.h"
#include "cli/left_out.h"
#include "cli/paths.h"
#include "cli/preloadable.h"
#include "cli/run_options.h"
#include "cli/run_plan.h"
#include "cli/summary.h"
#include "cli/unsaid.h"
#include "store/log.h"
#include "store/session/session.h"

namespace cassette {
namespace {

int failed(const Error& error) {
  complain(error.message);
  return kRunFailed;
}

/// The status and the complaint for a program that the system does not start.
int cannot_start(const std::string& name, int error) {
  if (means_not_found(error)) {
    complain(name + ": not found" + (name.find('/') == std::string::npos ? " in PATH" : ""));
    return 127;
  }
  complain(name + ": cannot be executed: " + std::strerror(error));
  return 126;
}

int run_and_wait(const FoundProgram& program, const RunOptions& options, const RunPlan& plan) {
  Result<ProgramEnd> end = run_program(program.path, options.command, plan.environment);
  if (!end) return failed(end.error());
  if (end->start_error != 0) return cannot_start(options.command[0], end->start_error);
  return end->status;
}

/// The session's counts with the main cassette's first, and behind it those that it falls back on.
Result<std::vector<CassetteCounts>> counts_of(const Session& session, const RunPlan& plan) {
  Result<std::vector<CassetteCounts>> counts = session.counts();
  if (!counts) return counts;
  auto is_main = [&plan](const CassetteCounts& row) { return row.path == plan.cassette; };
  if (std::none_of(counts->begin(), counts->end(), is_main))
    counts->push_back({.path = plan.cassette});
  auto next = std::stable_partition(counts->begin(), counts->end(), is_main);
  for (const std::string& path : plan.fallbacks) {
    next = std::stable_partition(next, counts->end(),
                                 [&path](const auto& row) { return row.path == path; });
  }
  return counts;
}

/// Opens them, so that what is wrong with one is told while nothing has happened yet.
Result<void> open_cassettes(Session& session, const RunPlan& plan) {
  if (auto opened = session.open_cassette(plan.cassette); !opened) return opened.error();
  const RecordMode mode = plan.settings.mode;
  if (mode == RecordMode::kAll || mode == RecordMode::kRewrite) return {};  // they play nothing
  for (const std::string& path : plan.fallbacks) {
    if (auto opened = session.open_fallback(path); !opened) return opened.error();
  }
  return {};
}

void print_summary(const std::vector<CassetteCounts>& counts, const std::vector<NotRecorded>& notes,
                   const RunPlan& plan, bool json) {
  if (json) {
    for (const CassetteCounts& row : counts) std::cerr << summary_json(row, notes);
    return;
  }
  auto shown = [&plan](const std::string& path) {
    return path == plan.cassette ? plan.shown : shortest_path(path, plan.working_directory);
  };
  for (const CassetteCounts& row : counts) complain(summary_line(row, shown(row.path)));
  for (const std::string& line : not_recorded_lines(notes, shown)) complain(line);
}

/// The session begins before the program and ends after it.
int run_in_session(const FoundProgram& program, const RunOptions& options, const RunPlan& plan) {
  // With scope `process` each process of the program has its own session, and tells this one what it did.
  Settings settings = plan.settings;
  settings.session_scope = SessionScope::kTree;
  Result<std::unique_ptr<Session>> joined = Session::join(settings, plan.tree);
  if (!joined) return failed(joined.error());
  Session& session = **joined;
  if (Result<void> opened = open_cassettes(session, plan); !opened) {
    session.leave(false);
    return failed(opened.error());
  }
  Result<std::vector<CassetteCounts>> before = counts_of(session, plan);
  if (!before) {
    session.leave(false);
    return failed(before.error());
  }
  const std::size_t old_notes = session.not_recorded().size();
  const LeftOutList list(plan);
  const bool records = may_record(plan);
  const Unsaid unsaid(plan);
  int status = run_and_wait(program, options, plan);
  // A summary that nobody reads any more must not change the exit status.
  std::signal(SIGPIPE, SIG_IGN);
  Result<std::vector<CassetteCounts>> now = counts_of(session, plan);
  std::vector<NotRecorded> notes = session.not_recorded();
  notes.erase(notes.begin(),
              notes.begin() + static_cast<std::ptrdiff_t>(std::min(old_notes, notes.size())));
  const bool complete = session.leave(status == 0);
  unsaid.print();
  if (!now) return status != 0 ? (complain(now.error().message), status) : failed(now.error());
  const std::vector<CassetteCounts> counts = counts_since(*before, *now);
  print_summary(counts, notes, plan, options.json);
  const std::vector<LeftOut> left_out = list.read();
  for (const LeftOut& each : left_out) {
    if (options.json) std::cerr << left_out_json(each);
    if (!options.json) complain(left_out_line(each));
  }
  return run_status(status, counts, {options.fail_on_unused, options.fail_on_miss}, complete,
                    lost_by(left_out, records));
}

}  // namespace

int run_command(const Arguments& arguments) {
  std::variant<RunOptions, int> parsed = parse_run_options(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const RunOptions& options = std::get<RunOptions>(parsed);

  Result<std::string> directory = working_directory();
  if (!directory) return failed(directory.error());
  Result<std::string> library = find_library();
  if (!library) return failed(library.error());
  Result<RunPlan> plan = plan_run(options, Environment(environ), *library, *directory);
  if (!plan) return failed(plan.error());
  configure_log(plan->settings.log_level, plan->settings.log_file);

  const char* search_path = plan->environment.get("PATH");
  const FoundProgram program = find_program(options.command[0], search_path);
  if (program.error != 0) return cannot_start(options.command[0], program.error);
  if (plan->settings.mode == RecordMode::kOff) return run_and_wait(program, options, *plan);
  if (auto reason = why_not_preloadable(program.path, search_path)) {
    return failed(Error{program.path + " " + *reason +
                        "; it was not started, since it would reach the network"});
  }
  return run_in_session(program, options, *plan);
}

}  // namespace cassette
