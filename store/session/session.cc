#include "store/session/session.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/journal/merge.h"
#include "store/journal/usage.h"
#include "store/log.h"
#include "store/session/session_files.h"
#include "store/session/session_settings.h"

namespace cassette {

namespace {

constexpr std::size_t kAliveMapping = 1;  // never read: a mapping of any size keeps the description

std::uint64_t nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// A name for a file or directory that nobody else makes.
std::string unique_suffix() {
  static std::atomic<unsigned> counter{0};
  return std::to_string(getpid()) + "-" + std::to_string(nanoseconds(CLOCK_BOOTTIME)) + "-" +
         std::to_string(counter.fetch_add(1));
}

int flock_again(int descriptor, int operation) {
  int result;
  do {
    result = flock(descriptor, operation);
  } while (result != 0 && errno == EINTR);
  return result;
}

Result<void> write_file(const std::string& path, std::string_view bytes) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return file_error("write", path, errno);
  // A full /dev/shm shows here, and not as a SIGBUS later.
  while (!bytes.empty()) {
    ssize_t n = write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return file_error("write", path, n < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

/// Gives a finished file its name, unless another was first.
Result<void> publish(const std::string& temporary, const std::string& path) {
  int problem = link(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
  unlink(temporary.c_str());
  if (problem != 0 && problem != EEXIST) return file_error("make", path, problem);
  return {};
}

}  // namespace

Result<std::unique_ptr<Session>> Session::join(const Settings& settings,
                                               std::string_view tree) try {
  auto identity = session_identity(settings, tree);
  if (!identity) return identity.error();
  std::unique_ptr<Session> session(new Session(settings, std::move(*identity)));
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
  // Whoever holds a session locked is about to end it; a named one is merged meanwhile, which takes
  // as long as its cassettes are large.
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + 60'000'000'000u;
  while (nanoseconds(CLOCK_MONOTONIC) < deadline) {
    auto joined = try_join(directory_);
    if (!joined) return joined.error();
    if (*joined) return {};
    if (!exists(directory_)) {
      if (auto ready = prepare_sessions_directory(settings_.runtime_dir); !ready) return ready;
      auto created = try_create(directory_);
      if (!created) return created.error();
      if (*created) {
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

/// False: it is not there, or is being ended.
Result<bool> Session::try_join(const std::string& directory) {
  std::string path = directory + "/alive";
  Descriptor alive(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!alive) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return file_error("join the session", path, errno);
  }
  struct stat status {};
  if (fstat(alive.get(), &status) != 0) return file_error("join the session", path, errno);
  if (status.st_uid != geteuid()) return Error{"the session " + directory + " is another user's"};
  if (flock_again(alive.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    return file_error("lock the session", path, errno);
  }
  if (!leads_to_open_file(path, alive.get())) return false;  // invariant 3
  auto text = read_alive_text(alive.get());
  if (!text) return Error{"the session " + directory + " is of another version, or damaged"};
  void* mapping = mmap(nullptr, kAliveMapping, PROT_READ, MAP_SHARED, alive.get(), 0);
  if (mapping == MAP_FAILED) return file_error("join the session", path, errno);
  alive_ = mapping;
  token_ = text->token;
  if (identity_.kind == SessionIdentity::Kind::kNamed) {
    utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  }
  return true;
}

/// False: another was first.
Result<bool> Session::try_create(const std::string& directory) {
  AliveText text;
  text.token = identity_.id + "@" + std::to_string(nanoseconds(CLOCK_REALTIME));
  text.time_to_live = settings_.session_ttl;
  if (identity_.kind == SessionIdentity::Kind::kProcess) text.tree = tree_id_;

  std::string temporary = sessions_directory(settings_.runtime_dir) + "/.new-" + unique_suffix();
  if (mkdir(temporary.c_str(), 0700) != 0) return file_error("make the session", temporary, errno);
  std::string path = temporary + "/alive";
  auto written = write_file(path, write_alive_text(text));
  Descriptor alive;
  if (written) alive = Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  void* mapping = MAP_FAILED;
  int problem = errno;
  if (alive && flock_again(alive.get(), LOCK_SH) == 0) {
    mapping = mmap(nullptr, kAliveMapping, PROT_READ, MAP_SHARED, alive.get(), 0);
    problem = errno;
  }
  // A directory that has something in it is not replaced: the first one wins.
  bool renamed = mapping != MAP_FAILED && rename(temporary.c_str(), directory.c_str()) == 0;
  if (mapping != MAP_FAILED && !renamed) problem = errno;
  if (renamed) {
    alive_ = mapping;
    token_ = text.token;
    return true;
  }
  if (mapping != MAP_FAILED) munmap(mapping, kAliveMapping);
  unlink(path.c_str());
  rmdir(temporary.c_str());
  if (!written) return written.error();
  if (problem == EEXIST || problem == ENOTEMPTY) return false;
  return file_error("make the session", directory, problem);
}

Result<OpenCassette> Session::open_cassette(const std::string& path) try {
  std::string settings = session_settings_text(settings_);
  std::string named = path + "\n" + settings;
  XXH128_hash_t hash = XXH3_128bits(named.data(), named.size());
  char key[33];
  std::snprintf(key, sizeof key, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  const std::string base = directory_ + "/" + key;

  auto open_both = [&base]() -> Result<OpenCassette> {
    auto image = Image::open(base + ".image");
    if (!image) return image.error();
    auto cursors = Cursors::open(base + ".cursors", *image);
    if (!cursors) return cursors.error();
    return OpenCassette{std::make_shared<const Image>(std::move(*image)),
                        std::make_shared<Cursors>(std::move(*cursors))};
  };
  // The cursors are published first: an image that is there has its cursors.
  if (exists(base + ".image")) return open_both();

  // One compiles, the others wait for it; link(2) below decides if that one should have died.
  Descriptor lock(open((base + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return file_error("make", base + ".lock", errno);
  if (flock_again(lock.get(), LOCK_EX) != 0) return file_error("lock", base + ".lock", errno);
  if (exists(base + ".image")) return open_both();

  bool merged = false;
  if (settings_.mode != RecordMode::kNone) {  // which never writes
    auto report = merge_journal(path, settings_.runtime_dir, std::nullopt);
    merged = report.ok();
    if (!merged) {
      log(LogLevel::kWarn, report.error().message);
    } else if (!report->new_ids.empty()) {
      auto forgotten = forget_used(settings_.state_dir, path, report->new_ids);
      if (!forgotten) log(LogLevel::kWarn, forgotten.error().message);
    }
  }
  Cassette cassette;
  ImageContext context;
  context.path = path;
  context.settings = settings;
  // Checked even where nothing is there yet: better now than after the program has run.
  if (auto form = cassette_form(path); !form) return form.error();
  context.existed = cassette_exists(path);
  if (!merged) {
    auto loaded = load_with_journal(path);
    if (loaded) {
      context.existed = true;
      cassette = std::move(*loaded);
    } else if (context.existed) {
      return loaded.error();
    }
  } else if (context.existed) {
    auto loaded = load_cassette(path);
    if (!loaded) return loaded.error();
    cassette = std::move(*loaded);
  }
  Matcher matcher = parse_session_settings(settings).matcher();
  auto bytes = compile_image(cassette, matcher, context);
  if (!bytes) return bytes.error();
  cassette = {};

  std::string temporary = base + "." + unique_suffix() + ".tmp";
  if (auto written = write_file(temporary, *bytes); !written) {
    unlink(temporary.c_str());
    return Error{"no memory for the session: " + written.error().message};
  }
  bytes->clear();
  bytes->shrink_to_fit();
  auto image = Image::open(temporary);
  std::string cursors = base + "." + unique_suffix() + ".tmp";
  Descriptor file(open(cursors.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  Result<void> created = !image  ? Result<void>(image.error())
                         : !file ? Result<void>(file_error("make", cursors, errno))
                                 : Cursors::create(file.get(), *image);
  if (!created) {
    unlink(temporary.c_str());
    unlink(cursors.c_str());
    return created.error();
  }
  // Under the lock nobody else can be here; left over is at most what one who died published:
  // cursors that nobody has used yet, because their image is not there.
  unlink((base + ".cursors").c_str());
  if (auto done = publish(cursors, base + ".cursors"); !done) {
    unlink(temporary.c_str());
    return done.error();
  }
  if (auto done = publish(temporary, base + ".image"); !done) return done.error();
  return open_both();
} catch (const std::exception& problem) {
  return Error{"cannot open the cassette " + path + ": " + problem.what()};
}

Result<std::vector<CassetteCounts>> Session::counts() const try {
  std::map<std::string, CassetteCounts> by_path;
  std::map<std::string, std::vector<OpenCassette>> opened;
  for (OpenCassette& cassette : open_all_cassettes(directory_)) {
    opened[std::string(cassette.image->path())].push_back(std::move(cassette));
  }
  SessionTotals totals = read_totals(directory_);
  std::map<std::string, std::set<std::string>> played;
  for (auto& [path, id] : totals.played) played[path].insert(id);
  for (const CassetteCounts& each : totals.counts) {
    auto [place, first] = by_path.try_emplace(each.path, each);
    if (first) continue;
    place->second.replayed += each.replayed;
    place->second.recorded += each.recorded;
    place->second.missed += each.missed;
    place->second.record_failures += each.record_failures;
  }
  for (auto& [path, counts] : by_path) {
    std::uint64_t used = played[path].size();
    counts.unused = counts.interactions > used ? counts.interactions - used : 0;
  }
  for (auto& [path, cassettes] : opened) {
    CassetteCounts& counts = by_path[path];
    counts.path = path;
    std::sort(cassettes.begin(), cassettes.end(),
              [](const auto& a, const auto& b) { return a.image->created() < b.image->created(); });
    for (const OpenCassette& cassette : cassettes) {
      counts.replayed += cassette.cursors->replayed();
      counts.recorded += cassette.cursors->recorded();
      counts.missed += cassette.cursors->missed();
      counts.record_failures += cassette.cursors->record_failures();
    }
    const Image& first = *cassettes.front().image;
    counts.interactions = first.size();
    if (cassettes.size() == 1 && played[path].empty()) {
      counts.unused = cassettes.front().cursors->unplayed();
      continue;
    }
    std::set<std::string>& ids = played[path];
    for (const OpenCassette& cassette : cassettes) {
      for (std::uint32_t i = 0; i < cassette.image->size(); ++i) {
        if (cassette.cursors->played(i)) ids.emplace(cassette.image->id(i));
      }
    }
    counts.unused = 0;
    for (std::uint32_t i = 0; i < first.size(); ++i) {
      counts.unused += ids.count(std::string(first.id(i))) == 0 ? 1 : 0;
    }
  }
  std::vector<CassetteCounts> result;
  result.reserve(by_path.size());
  for (auto& [path, counts] : by_path) result.push_back(std::move(counts));
  return result;
} catch (const std::exception& problem) {
  return Error{std::string("cannot count: ") + problem.what()};
}

void Session::leave(bool ended_well) {
  if (alive_ == nullptr) return;
  bool named = identity_.kind == SessionIdentity::Kind::kNamed;
  if (named) {
    // It may have further users: only what went wrong is worth noting.
    if (!ended_well) note_ending(directory_, false);
    utimensat(AT_FDCWD, (directory_ + "/alive").c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  } else if (identity_.root_is_this_process()) {
    // Before the lock is given up: one who leaves behind us relies on it that we have ended.
    note_ending(directory_, ended_well);
  }
  abandon();
  end_if_last(settings_, identity_);
}

}  // namespace cassette
