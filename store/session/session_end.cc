// How a session ends: the last one out renames its directory away, harvests what was played, merges
// what was recorded, and removes it. Each step may be done again by another, should this process
// die.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <exception>
#include <map>

#include "store/files.h"
#include "store/journal/merge.h"
#include "store/journal/usage.h"
#include "store/log.h"
#include "store/session/pool.h"
#include "store/session/session.h"
#include "store/session/session_files.h"
#include "store/session/session_settings.h"

namespace cassette {

namespace {

constexpr std::string_view kEnded = ".ended-";
constexpr std::string_view kNew = ".new-";

Descriptor open_alive(const std::string& directory) {
  return Descriptor(open((directory + "/alive").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

/// The lock of one who ends a session: nobody is in it, and nobody else ends it.
bool lock_to_end(const Descriptor& alive) {
  return alive && flock(alive.get(), LOCK_EX | LOCK_NB) == 0;
}

bool older_than(const std::string& path, std::chrono::milliseconds age) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return false;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::chrono::nanoseconds passed = std::chrono::seconds(now.tv_sec - status.st_mtim.tv_sec) +
                                    std::chrono::nanoseconds(now.tv_nsec - status.st_mtim.tv_nsec);
  return passed > age;
}

std::vector<std::string> played_ids(const OpenCassette& cassette) {
  std::vector<std::string> ids;
  for (std::uint32_t i = 0; i < cassette.image->size(); ++i) {
    if (cassette.cursors->played(i)) ids.emplace_back(cassette.image->id(i));
  }
  return ids;
}

/// The cassette as every session has it open, those that are being ended included.
std::vector<OpenCassette> opened_in_sessions(const std::string& runtime_dir,
                                             const std::string& path) {
  const std::string sessions = sessions_directory(runtime_dir);
  const std::uint64_t key = cassette_key(path);
  std::vector<OpenCassette> opened;
  for (const std::string& name : names_in(sessions)) {
    for (OpenCassette& cassette : open_all_cassettes(sessions + "/" + name)) {
      if (cassette.key == key) opened.push_back(std::move(cassette));
    }
  }
  return opened;
}

void log_error(const Result<void>& result) {
  if (!result) log(LogLevel::kError, result.error().message);
}

/// A session of scope `process` tells the tree it ran in what it came to, for the summary of
/// `cassette run`. One write(2) to a file that is only appended to.
void note_totals(const Settings& settings, const std::string& tree,
                 const std::vector<OpenCassette>& cassettes) {
  std::string directory = sessions_directory(settings.runtime_dir) + "/" + tree;
  if (tree.empty() || !exists(directory + "/alive")) return;
  std::string lines;
  for (const OpenCassette& cassette : cassettes) {
    std::string path(cassette.image->path());
    if (path.find('\n') != std::string::npos) continue;
    const Cursors& cursors = *cassette.cursors;
    lines += "counts ";
    for (std::uint64_t count : {cursors.replayed(), cursors.recorded(), cursors.missed(),
                                cursors.record_failures(), cursors.relayed(), cursors.refused(),
                                cursors.redacted(), std::uint64_t{cassette.image->size()}}) {
      lines += std::to_string(count) + " ";
    }
    lines += path + "\n";
    for (const std::string& id : played_ids(cassette)) {
      if (id.find_first_of(" \n") == std::string::npos) lines += "played " + id + " " + path + "\n";
    }
  }
  Descriptor file(open((directory + "/totals").c_str(),
                       O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file && write(file.get(), lines.data(), lines.size()) < 0) {
    log(LogLevel::kWarn, file_error("write", directory + "/totals", errno).message);
  }
}

/// What was recorded and is neither in the journal nor has been merged: somebody removed the journal, or
/// the directory, or merged it elsewhere.
std::uint64_t missing_of(const std::vector<const OpenCassette*>& opened, std::uint64_t in_journal) {
  std::uint64_t recorded = 0, there = in_journal;
  for (const OpenCassette* cassette : opened) {
    recorded += cassette->cursors->recorded();
    there += cassette->cursors->settled();
  }
  return recorded > there ? recorded - there : 0;
}

/// Harvests and merges. The caller holds the lock. False: something that was recorded is not in its
/// cassette, and that is logged.
bool conclude(const Settings& settings, const std::string& directory,
              const SessionIdentity& identity, const AliveText& text, bool left) {
  std::vector<OpenCassette> cassettes = open_all_cassettes(directory);
  std::map<std::string, std::vector<const OpenCassette*>> by_path;
  for (const OpenCassette& cassette : cassettes) {
    by_path[std::string(cassette.image->path())].push_back(&cassette);
  }
  if (identity.kind == SessionIdentity::Kind::kProcess) note_totals(settings, text.tree, cassettes);

  bool complete = true;
  EndedSession ended;
  ended.token = text.token;
  const Ending ending = ending_of(directory);
  ended.discards = ending.discarded;
  if (identity.kind == SessionIdentity::Kind::kNamed) {
    ended.died = !left;
    ended.ended_well = left && !ending.failed;
  } else {
    ended.ended_well = ending.well;
    ended.died = !ending.failed && !ending.well;
  }
  for (auto& [path, opened] : by_path) {
    SessionSettings own = parse_session_settings(opened.front()->image->settings());
    Matcher matcher = own.matcher();
    ended.matcher = &matcher;
    ended.recorded = 0;
    for (const OpenCassette* cassette : opened) {
      ended.recorded += cassette->cursors->recorded();
      std::vector<std::string> ids = played_ids(*cassette);
      if (!ids.empty()) log_error(mark_used(own.state_dir, path, ids));
    }
    const bool removed = opened.front()->image->existed() && !cassette_exists(path);
    auto report = merge_journal(path, settings.runtime_dir, ended);
    if (!report) {
      log(LogLevel::kError, report.error().message + " (what was recorded stays in its journal)");
      complete = false;
      continue;
    }
    if (std::uint64_t missing = missing_of(opened, report->of_session); missing != 0) {
      log(LogLevel::kError,
          path + ": " + std::to_string(missing) +
              " recorded interactions are gone: the journal was removed meanwhile");
      complete = false;
    }
    opened.front()->cursors->count_settled(report->of_session);
    if (!report->new_ids.empty()) log_error(forget_used(own.state_dir, path, report->new_ids));
    if (report->dropped != 0) {
      log(LogLevel::kWarn, path + ": the program ended with an error, so " +
                               std::to_string(report->dropped) +
                               " recorded interactions are dropped");
    }
    if (removed && report->merged != 0) {
      log(LogLevel::kWarn,
          path + ": it was removed meanwhile; a new one has what this session recorded");
    }
    if (report->merged != 0) {
      log(LogLevel::kInfo, path + ": " + std::to_string(report->merged) + " interactions merged");
    }
  }
  return complete;
}

/// The caller holds the lock on `alive`, which is still that of `directory`. As conclude().
bool end_locked(const Settings& settings, const std::string& directory,
                const SessionIdentity& identity, const Descriptor& alive) {
  auto text = read_alive_text(alive.get());
  if (!text) {
    log(LogLevel::kWarn, "the session " + directory + " is damaged and removed");
    remove_session_directory(directory);
    return false;
  }
  std::string away =
      sessions_directory(settings.runtime_dir) + "/" + std::string(kEnded) + text->token;
  if (rename(directory.c_str(), away.c_str()) != 0) {
    log(LogLevel::kError, file_error("end the session", directory, errno).message);
    return false;
  }
  free_place(settings.runtime_dir, away);
  const bool complete = conclude(settings, away, identity, *text, false);
  remove_session_directory(away);
  return complete;
}

/// One that was renamed away by a process that died while it merged.
void finish_ended(const Settings& settings, const std::string& directory, std::string_view token) {
  Descriptor alive = open_alive(directory);
  if (!alive) {
    if (errno == ENOENT) remove_session_directory(directory);
    return;
  }
  if (!lock_to_end(alive) || !leads_to_open_file(directory + "/alive", alive.get())) return;
  auto text = read_alive_text(alive.get());
  auto identity = identity_of(token.substr(0, token.find('@')));
  if (text && identity) conclude(settings, directory, *identity, *text, false);
  remove_session_directory(directory);
}

/// What there may be to harvest and to merge.
std::uint64_t work_in(const std::string& directory) {
  std::uint64_t sum = 0;
  for (const OpenCassette& cassette : open_all_cassettes(directory)) {
    sum += cassette.cursors->replayed() + cassette.cursors->recorded();
  }
  return sum;
}

/// Of a named session, which goes on: who comes meanwhile joins it, and need not wait for one who
/// takes long, or is stopped. Who leaves meanwhile finds it locked and relies on us: hence again, as
/// long as something was done. The caller holds the lock, and does not hold it any more after this.
bool conclude_named(const Settings& settings, const std::string& directory,
                    const SessionIdentity& identity, const AliveText& text,
                    const Descriptor& alive) {
  std::uint64_t before = 0;
  bool complete = true;
  do {
    // At once: until then nobody can join. Not one step: should another be faster, it is his.
    if (flock(alive.get(), LOCK_SH | LOCK_NB) != 0) return complete;
    before = work_in(directory);
    complete = conclude(settings, directory, identity, text, true);
    flock(alive.get(), LOCK_UN);
  } while (work_in(directory) != before && lock_to_end(alive));
  return complete;
}

bool has_ended(const std::string& directory, const SessionIdentity& identity) {
  const Ending ending = ending_of(directory);
  return ending.well || ending.failed || identity.root_is_gone();
}

}  // namespace

bool end_if_last(const Settings& settings, const SessionIdentity& identity) try {
  std::string directory = sessions_directory(settings.runtime_dir) + "/" + identity.id;
  bool named = identity.kind == SessionIdentity::Kind::kNamed;
  if (!named && !identity.root_is_this_process() && !has_ended(directory, identity)) return true;
  Descriptor alive = open_alive(directory);
  if (!lock_to_end(alive) || !leads_to_open_file(directory + "/alive", alive.get())) return true;
  if (!named) return end_locked(settings, directory, identity, alive);
  auto text = read_alive_text(alive.get());
  return !text || conclude_named(settings, directory, identity, *text, alive);
} catch (const std::exception& problem) {
  log(LogLevel::kError, std::string("cannot end the session: ") + problem.what());
  return false;
}

void end_if_expired(const Settings& settings, const SessionIdentity& identity) try {
  std::string directory = sessions_directory(settings.runtime_dir) + "/" + identity.id;
  Descriptor alive = open_alive(directory);
  if (!alive) return;
  auto text = read_alive_text(alive.get());
  auto expired = [&] {
    return text && text->time_to_live.count() != 0 &&
           older_than(directory + "/alive", text->time_to_live);
  };
  // Asked before the lock is taken, which would keep one who leaves from merging, and again with
  // it.
  if (!expired() || !lock_to_end(alive)) return;
  if (!leads_to_open_file(directory + "/alive", alive.get()) || !expired()) return;
  end_locked(settings, directory, identity, alive);
} catch (const std::exception& problem) {
  log(LogLevel::kError, std::string("cannot end the session: ") + problem.what());
}

void end_expired_sessions(const Settings& settings) {
  for (const std::string& name : names_in(sessions_directory(settings.runtime_dir))) {
    auto identity = identity_of(name);
    if (identity && identity->kind == SessionIdentity::Kind::kNamed) {
      end_if_expired(settings, *identity);
    }
  }
}

Result<bool> end_by_force(const Settings& settings, const SessionIdentity& identity) try {
  const std::string sessions = sessions_directory(settings.runtime_dir);
  const std::string directory = sessions + "/" + identity.id;
  Descriptor alive = open_alive(directory);
  if (!alive) return errno == ENOENT ? Result<bool>(false) : file_error("open", directory, errno);
  auto text = read_alive_text(alive.get());
  const std::string away = sessions + "/" + std::string(kEnded) +
                           (text ? text->token : identity.id + "@damaged-" + unique_suffix());
  // The one step that decides who ends it.
  if (rename(directory.c_str(), away.c_str()) != 0) {
    return errno == ENOENT ? Result<bool>(false) : file_error("end the session", directory, errno);
  }
  for (const OpenCassette& cassette : open_all_cassettes(away)) cassette.cursors->end();
  free_place(settings.runtime_dir, away);
  if (text) conclude(settings, away, identity, *text, true);
  remove_session_directory(away);
  return true;
} catch (const std::exception& problem) {
  return Error{std::string("cannot end the session: ") + problem.what()};
}

// ---- session.h ----

void end_session(const Settings& settings, std::string_view tree, bool ended_well) {
  auto identity = session_identity(settings, tree);
  if (!identity || identity->kind != SessionIdentity::Kind::kTree) return;
  std::string directory = sessions_directory(settings.runtime_dir) + "/" + identity->id;
  if (!exists(directory) || !identity->root_is_this_process()) return;
  note_ending(directory, ended_well, settings.discard_on_failure);
  end_if_last(settings, *identity);
}

void sweep_sessions(const Settings& settings) try {
  std::string sessions = sessions_directory(settings.runtime_dir);
  for (const std::string& name : names_in(sessions)) {
    std::string directory = sessions + "/" + name;
    if (name.starts_with(kEnded)) {
      finish_ended(settings, directory, std::string_view(name).substr(kEnded.size()));
    } else if (name.starts_with(kNew)) {
      if (older_than(directory, std::chrono::minutes(1)) &&
          (!exists(directory + "/alive") || lock_to_end(open_alive(directory)))) {
        remove_session_directory(directory);
      }
    } else if (auto identity = identity_of(name)) {
      if (identity->kind == SessionIdentity::Kind::kNamed) {
        end_if_expired(settings, *identity);
      } else if (has_ended(directory, *identity)) {
        end_if_last(settings, *identity);
      }
    }
  }
} catch (const std::exception& problem) {
  log(LogLevel::kError, std::string("cannot look after dead sessions: ") + problem.what());
}

bool session_may_record(const std::string& runtime_dir, std::string_view token) {
  std::string sessions = sessions_directory(runtime_dir);
  auto identity = identity_of(token.substr(0, token.find('@')));
  if (!identity) return false;
  std::string directory = sessions + "/" + identity->id;
  Descriptor alive = open_alive(directory);
  auto text = alive ? read_alive_text(alive.get()) : std::nullopt;
  if (text && text->token == token) {
    // A named session outlives its processes, and those whose last one died leave records behind.
    if (identity->kind == SessionIdentity::Kind::kNamed) {
      return flock(alive.get(), LOCK_EX | LOCK_NB) != 0;
    }
    return true;
  }
  // Asked second: a session that ends goes from there to here.
  return exists(sessions + "/" + std::string(kEnded) + std::string(token) + "/alive");
}

std::vector<std::string> ids_played_in_sessions(const std::string& runtime_dir,
                                                const std::string& path) {
  std::vector<std::string> ids;
  for (const OpenCassette& cassette : opened_in_sessions(runtime_dir, path)) {
    for (std::string& id : played_ids(cassette)) ids.push_back(std::move(id));
  }
  return ids;
}

void forget_played_in_sessions(const std::string& runtime_dir, const std::string& path) {
  for (const OpenCassette& cassette : opened_in_sessions(runtime_dir, path)) {
    cassette.cursors->forget_played();
  }
}

}  // namespace cassette
