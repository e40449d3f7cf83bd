// How a session is joined, made and left. session_end.cc has how it ends.
#include "store/session/session.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/inherited_files.h"
#include "store/session/pool.h"
#include "store/session/session_files.h"
#include "store/settings/tree.h"

namespace cassette {

namespace {

constexpr std::size_t kAliveMapping = 1;  // never read: a mapping of any size keeps the description

int flock_again(int descriptor, int operation) {
  int result;
  do {
    result = flock(descriptor, operation);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::join(const Settings& settings,
                                               std::string_view tree) try {
  auto identity = session_identity(settings, tree);
  if (!identity) return identity.error();
  std::unique_ptr<Session> session(new Session(settings, std::move(*identity)));
  session->tree_ = tree;
  session->tree_id_ = tree.substr(0, tree.find(':'));
  if (auto joined = session->join_or_create(); !joined) return joined.error();
  return session;
} catch (const std::exception& problem) {
  return Error{std::string("cannot join the session: ") + problem.what()};
}

Session::Session(const Settings& settings, SessionIdentity identity)
    : settings_(settings), identity_(std::move(identity)) {
  directory_ = sessions_directory(settings_.runtime_dir) + "/" + identity_.id;
}

Session::~Session() { abandon(); }

void Session::abandon() {
  if (alive_ != nullptr) munmap(alive_, kAliveMapping);
  alive_ = nullptr;
}

Result<void> Session::join_or_create() {
  if (identity_.kind == SessionIdentity::Kind::kNamed) end_if_expired(settings_, identity_);
  timespec pause{0, 100000};
  // Whoever holds a session locked is about to end it.
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + 60'000'000'000u;
  while (nanoseconds(CLOCK_MONOTONIC) < deadline) {
    auto joined = try_join();
    if (!joined) return joined.error();
    if (*joined) return {};
    if (!exists(directory_)) {
      if (auto problem = is_elsewhere()) return *problem;
      if (auto ready = prepare_sessions_directory(settings_.runtime_dir); !ready) return ready;
      auto created = try_create();
      if (!created) return created.error();
      if (*created == Creation::kPoolFull) {
        return Error{"the session " + name() +
                     " is not registered, and the pool is full: there are " +
                     std::to_string(settings_.max_sessions) +
                     " named sessions (`cassette session list` shows them; CASSETTE_MAX_SESSIONS "
                     "allows more)"};
      }
      if (*created == Creation::kCreated) {
        sweep_sessions(settings_);
        return {};
      }
      continue;
    }
    nanosleep(&pause, nullptr);
    pause.tv_nsec = std::min(pause.tv_nsec * 2, 10'000'000l);
  }
  return Error{"cannot join the session " + identity_.id + ": it is being ended all the time"};
}

/// Why the session of this process is not to be made here: its tree has one elsewhere, or will have.
std::optional<Error> Session::is_elsewhere() const {
  RuntimePlace tree;
  RuntimePlace here;
  if (!read_place(tree_.c_str(), &tree)) return std::nullopt;
  const std::string& path = settings_.runtime_dir;
  const std::string why = "the session of this process tree cannot be reached: " + path;
  if (inherited_name(path.c_str()) != tree.path) {
    // Whoever says another directory means it; another user's default is none that was said.
    char standard[64];
    default_runtime_directory(standard, sizeof standard);
    if (path != standard) return std::nullopt;
    return Error{why + " is the directory of another user than who began it"};
  }
  if (find_place(path.c_str(), tree.length, &here) && here == tree) return std::nullopt;
  return Error{why +
               " is not the directory that it was when the tree began (a sandbox, another root?)"};
}

/// Makes the lock of `alive` that of this process.
Result<void> Session::adopt(Descriptor alive) {
  struct stat status {};
  if (fstat(alive.get(), &status) != 0) return file_error("join the session", directory_, errno);
  void* mapping = mmap(nullptr, kAliveMapping, PROT_READ, MAP_SHARED, alive.get(), 0);
  if (mapping == MAP_FAILED) return file_error("join the session", directory_, errno);
  alive_ = mapping;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return {};
}

Result<void> Session::open_history() {
  auto history = History::open(directory_ + "/history");
  if (!history) return history.error();
  history_ = std::make_unique<History>(std::move(*history));
  return {};
}

/// False: it is not there, or is being ended.
Result<bool> Session::try_join() {
  std::string path = directory_ + "/alive";
  Descriptor alive(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!alive) {
    const int problem = errno;
    alive = inherit_instead(path, problem);
    if (alive) return join_inherited(std::move(alive));
    if (problem == ENOENT || problem == ENOTDIR) return false;
    return file_error("join the session", path, problem);
  }
  struct stat status {};
  if (fstat(alive.get(), &status) != 0) return file_error("join the session", path, errno);
  if (status.st_uid != geteuid()) return Error{"the session " + directory_ + " is another user's"};
  if (flock_again(alive.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    return file_error("lock the session", path, errno);
  }
  if (!leads_to_open_file(path, alive.get())) return false;  // invariant 3
  auto text = read_alive_text(alive.get());
  if (!text) return Error{"the session " + directory_ + " is of another version, or damaged"};
  if (auto opened = open_history(); !opened) {
    if (!exists(path)) return false;  // it was ended by force in the meantime
    return opened.error();
  }
  if (auto adopted = adopt(std::move(alive)); !adopted) return adopted.error();
  token_ = text->token;
  if (identity_.kind == SessionIdentity::Kind::kNamed) {
    utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  }
  return true;
}

/// By what was opened for this process: it holds the lock already, which is as good as having locked what the path leads to.
/// It is ended by others, since the lock is not of this process alone.
Result<bool> Session::join_inherited(Descriptor alive) {
  auto text = read_alive_text(alive.get());
  if (!text) return Error{"the session " + directory_ + " is of another version, or damaged"};
  if (auto opened = open_history(); !opened) return opened.error();
  if (auto adopted = adopt(std::move(alive)); !adopted) return adopted.error();
  token_ = text->token;
  return true;
}

Result<Session::Creation> Session::try_create() {
  AliveText text;
  text.token = identity_.id + "@" + std::to_string(nanoseconds(CLOCK_REALTIME));
  text.time_to_live = settings_.session_ttl;
  if (identity_.kind == SessionIdentity::Kind::kProcess) text.tree = tree_id_;

  const std::string made = sessions_directory(settings_.runtime_dir) + "/.new-" + unique_suffix();
  if (mkdir(made.c_str(), 0700) != 0) return file_error("make the session", made, errno);
  std::optional<Place> place;
  bool full = false;
  Result<void> filled = [&]() -> Result<void> {
    const std::string path = made + "/alive";
    if (auto written = write_new_file(path, write_alive_text(text)); !written) return written;
    Descriptor alive(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!alive || flock_again(alive.get(), LOCK_SH) != 0) return file_error("lock", path, errno);
    if (auto adopted = adopt(std::move(alive)); !adopted) return adopted;
    const std::string history = made + "/history";
    Descriptor file(
        open(history.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return file_error("make", history, errno);
    if (auto created = History::create(file.get()); !created) return created;
    if (identity_.kind != SessionIdentity::Kind::kNamed) return {};
    auto claimed = Place::claim(settings_, made, identity_.id);
    if (!claimed) return claimed.error();
    full = !claimed->has_value();
    place = std::move(*claimed);
    return {};
  }();
  // A directory that has something in it is not replaced: the first one wins.
  if (filled && !full && rename(made.c_str(), directory_.c_str()) == 0) {
    token_ = text.token;
    if (auto opened = open_history(); !opened) return opened.error();
    return Creation::kCreated;
  }
  const int problem = errno;
  abandon();
  if (place) place->give_back();
  remove_session_directory(made);
  if (!filled) return filled.error();
  // With the last place, perhaps.
  if (full) return exists(directory_ + "/alive") ? Creation::kAnotherWasFirst : Creation::kPoolFull;
  if (problem == EEXIST || problem == ENOTEMPTY) return Creation::kAnotherWasFirst;
  return file_error("make the session", directory_, problem);
}

Result<Session::Creation> Session::create(const Settings& settings,
                                          const SessionIdentity& identity) try {
  if (auto ready = prepare_sessions_directory(settings.runtime_dir); !ready) return ready.error();
  return Session(settings, identity).try_create();
} catch (const std::exception& problem) {
  return Error{std::string("cannot make the session: ") + problem.what()};
}

/// Another may have its name by now.
bool Session::is_still_there() const {
  struct stat status {};
  return lstat((directory_ + "/alive").c_str(), &status) == 0 && status.st_dev == device_ &&
         status.st_ino == inode_;
}

std::string Session::name() const { return name_of(identity_); }

bool Session::leave(bool ended_well) {
  if (alive_ == nullptr) return true;
  bool there = is_still_there();
  const bool can_note = there || inherited_file(directory_ + kEnding) >= 0;
  bool named = identity_.kind == SessionIdentity::Kind::kNamed;
  if (named && can_note) {
    // It may have further users: only what went wrong is worth noting. Of a script's children its own
    // status tells.
    auto tree = identity_of(tree_id_);
    const bool asked = !tree || tree->root_is_this_process();
    if (!ended_well && asked) note_ending(directory_, false, settings_.discard_on_failure);
    utimensat(AT_FDCWD, (directory_ + "/alive").c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  } else if (can_note && identity_.root_is_this_process()) {
    // Before the lock is given up: one who leaves behind us relies on it that we have ended.
    note_ending(directory_, ended_well, settings_.discard_on_failure);
  }
  abandon();
  return !there || end_if_last(settings_, identity_);
}

/// Where the process tree keeps what is told once: with scope `process` not in this session.
std::string Session::directory_of_run() const {
  const std::string tree = sessions_directory(settings_.runtime_dir) + "/" + tree_id_;
  const bool of_process = identity_.kind == SessionIdentity::Kind::kProcess;
  return of_process && !tree_id_.empty() && exists(tree + "/alive") ? tree : directory_;
}

bool Session::first_to_tell(std::string_view message) const {
  // A named session outlives the run, hence the tree in the key.
  const std::string key = tree_id_ + " " + std::string(message);
  const std::string path =
      directory_of_run() + "/told-" + hexadecimal(XXH3_64bits(key.data(), key.size()));
  const Descriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  return file || errno != EEXIST;
}

void Session::keep_open(const KeepFile& keep) const {
  auto keep_one = [&keep](const std::string& path, int flags) {
    if (inherited_file(path) >= 0) return;
    Descriptor file(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file) keep(path, std::move(file));
  };
  const std::string alive = directory_ + "/alive";
  if (inherited_file(alive) < 0) {
    Descriptor file(open(alive.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file && flock_again(file.get(), LOCK_SH | LOCK_NB) == 0) keep(alive, std::move(file));
  }
  keep_one(directory_of_run() + kNotRecorded, O_RDWR | O_APPEND | O_CREAT);
  keep_one(directory_ + kEnding, O_RDWR | O_CREAT);
  for (const std::string& name : names_in(directory_)) {
    const std::string path = directory_ + "/" + name;
    if (name == "history" || name == "authority" || name.starts_with("authority-rsa-"))
      keep_one(path, O_RDWR);
    for (const std::string& file : names_in(path)) keep_one(path + "/" + file, O_RDWR);
  }
}

void Session::note_not_recorded(const NotRecorded& note) const {
  write_note(directory_of_run(), note);
}

std::vector<NotRecorded> Session::not_recorded() const { return read_notes(directory_); }

}  // namespace cassette
