// The cassettes of a session: opened by the first who needs one, mapped by the others, counted at the
// end. Knows nothing of how a session is joined or left.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <map>
#include <set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/image/image_layout.h"
#include "store/inherited_files.h"
#include "store/journal/journal.h"
#include "store/journal/merge.h"
#include "store/journal/usage.h"
#include "store/log.h"
#include "store/session/image_cache.h"
#include "store/session/session.h"
#include "store/session/session_files.h"
#include "store/session/session_settings.h"

namespace cassette {

namespace {

/// One compiles while the others wait for it: a matter of thrift, not of safety (the first one to
/// give its work a name wins). So nobody waits for one who was stopped in the middle: the file says
/// who it is.
class CompileLock {
 public:
  explicit CompileLock(const std::string& path)
      : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    constexpr timespec kPause{0, 2'000'000};
    while (file_ && flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
      if ((errno != EWOULDBLOCK && errno != EINTR) || is_stopped(holder())) return;
      nanosleep(&kPause, nullptr);
    }
    const std::string pid = std::to_string(getpid()) + "\n";
    // Cannot be told: then they wait for us.
    if (file_) (void)!pwrite(file_.get(), pid.data(), pid.size(), 0);
  }

 private:
  int holder() const {
    char text[16] = {};
    return pread(file_.get(), text, sizeof text - 1, 0) > 0 ? std::atoi(text) : 0;
  }

  Descriptor file_;
};

/// Gives a finished file its name, unless another was first and it is not to be replaced.
Result<void> publish(const std::string& temporary, const std::string& path, bool replace) {
  int result =
      replace ? rename(temporary.c_str(), path.c_str()) : link(temporary.c_str(), path.c_str());
  int problem = result == 0 ? 0 : errno;
  if (!replace) unlink(temporary.c_str());
  if (problem != 0 && problem != EEXIST) return file_error("make", path, problem);
  return {};
}

Result<void> create_with(Result<void> (*create)(int, const Image&), const std::string& path,
                         const Image& image) {
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return file_error("make", path, errno);
  return create(file.get(), image);
}

Result<OpenCassette> open_at(const std::string& directory, const std::string& settings_key,
                             std::string_view path) {
  const std::string base = directory + "/" + settings_key;
  auto image = Image::open(base + ".image");
  if (!image) return image.error();
  auto cursors = Cursors::open(directory + "/cursors", base + ".hints", *image);
  if (!cursors) return cursors.error();
  return OpenCassette{std::make_shared<const Image>(std::move(*image)),
                      std::make_shared<Cursors>(std::move(*cursors)), cassette_key(path),
                      directory};
}

bool changed_just_now(const std::string& path) {
  constexpr std::uint64_t kJustNow = 2'000'000'000;
  struct stat status {};
  return stat(path.c_str(), &status) == 0 &&
         image_layout::nanoseconds(status.st_ctim) + kJustNow > nanoseconds(CLOCK_REALTIME);
}

}  // namespace

/// True when this session was begun by a child after the root of its tree had ended.
bool Session::outlived_its_root(const std::string& path) const {
  if (identity_.root_is_this_process()) return false;
  if (identity_.root_is_gone()) return true;
  // A root ends its session shortly before itself: a cassette that is this new may be its last work.
  constexpr timespec kPause{0, 5'000'000};
  for (int i = 0; i < 20 && changed_just_now(path); ++i) {
    nanosleep(&kPause, nullptr);
    if (identity_.root_is_gone()) return true;
  }
  return false;
}

/// Makes the cassette what it was when the tree began, should a child have outlived the root: what the tree recorded
/// until then is in the cassette, and was not there when it began. True: nothing was.
bool Session::take_back_own(const std::string& path, std::int64_t tree_began,
                            Cassette& cassette) const {
  auto is_own = [&](const Interaction& each) { return each.recorded_at >= tree_began; };
  std::vector<Interaction>& all = cassette.interactions;
  std::vector<Interaction>& certificates = cassette.certificates;
  const bool has_own = std::any_of(all.begin(), all.end(), is_own) ||
                       std::any_of(certificates.begin(), certificates.end(), is_own);
  if (!has_own || !outlived_its_root(path)) return false;
  std::erase_if(all, is_own);
  std::erase_if(certificates, is_own);
  return cassette.empty();
}

Result<OpenCassette> Session::open_cassette(const std::string& path, bool writes) try {
  auto opened = open_or_compile(path, writes);
  if (!opened && !is_still_there()) return Error{"the session " + name() + " has ended"};
  return opened;
} catch (const std::exception& problem) {
  return Error{"cannot open the cassette " + path + ": " + problem.what()};
}

Result<OpenCassette> Session::open_fallback(const std::string& path) {
  auto opened = open_cassette(path, false);
  if (!opened || opened->image->existed()) return opened;
  return Error{"there is no cassette " + path +
               " to fall back on (a comma within a name is written twice)"};
}

Result<OpenCassette> Session::open_or_compile(const std::string& path, bool writes) const {
  const std::string settings = session_settings_text(settings_);
  const std::string settings_key = hexadecimal(XXH3_64bits(settings.data(), settings.size()));
  const std::string directory = directory_ + "/" + hexadecimal(cassette_key(path));
  auto is_there = [&](const std::string& in) {
    return exists_or_inherited(in + "/" + settings_key + ".image");
  };
  if (is_there(directory)) {
    if (auto opened = open_at(directory, settings_key, path)) return opened;
  }

  CompileLock lock(directory + ".lock");
  // What is there and cannot be used, because it is damaged or of another version, is made anew.
  auto open_usable = [&](const std::string& in) -> Result<std::optional<OpenCassette>> {
    if (!is_there(in)) return std::optional<OpenCassette>();
    auto opened = open_at(in, settings_key, path);
    if (opened) return std::optional<OpenCassette>(std::move(*opened));
    return opened.error();
  };
  auto usable = open_usable(directory);
  if (usable && *usable) return std::move(**usable);
  if (!usable) log(LogLevel::kWarn, usable.error().message + "; it is made anew");
  auto bytes = compile(path, settings, writes);
  if (!bytes) return bytes.error();
  if (auto added = add_cassette(directory, settings_key, *bytes, !usable); !added) {
    return added.error();
  }
  if (is_there(directory)) return open_at(directory, settings_key, path);
  // The cassette has changed since others of the session opened it: what they count is not ours.
  const std::string own = directory + "-" + settings_key;
  usable = open_usable(own);
  if (usable && *usable) return std::move(**usable);
  if (auto added = add_cassette(own, settings_key, *bytes, !usable); !added) return added.error();
  return open_at(own, settings_key, path);
}

/// The bytes of an image of the cassette as it is now, journals of dead sessions merged.
Result<std::string> Session::compile(const std::string& path, const std::string& settings,
                                     bool writes) const {
  bool merged = false;
  writes = writes && settings_.mode != RecordMode::kNone;  // which never does
  if (writes) {
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
  // Where nothing is recorded, what was recorded since is another's.
  std::optional<std::int64_t> tree_began;
  if (writes) tree_began = identity_.began_at();
  // Kept from an earlier session, unless there is more to it than the cassette's own files, or what may be of this
  // tree.
  std::optional<CassetteStamp> stamp;
  if (context.existed && (merged || !exists(journal_path(path)))) {
    stamp = stamp_of_large_cassette(path);
    if (stamp && tree_began && static_cast<std::int64_t>(stamp->changed / 1000) >= *tree_began) {
      stamp.reset();
    }
    if (stamp) {
      if (auto kept = find_image(settings_.state_dir, path, settings, *stamp))
        return std::move(*kept);
    }
  }
  if (!merged) {
    auto loaded = load_with_journal(path);
    if (loaded) {
      context.existed = context.existed || !loaded->empty();
      cassette = std::move(*loaded);
    } else if (context.existed) {
      return loaded.error();
    }
  } else if (context.existed) {
    auto loaded = load_cassette(path);
    if (!loaded) return loaded.error();
    cassette = std::move(*loaded);
  }
  if (tree_began && take_back_own(path, *tree_began, cassette)) context.existed = false;
  Matcher matcher = parse_session_settings(settings).matcher();
  auto image = compile_image(cassette, matcher, context);
  if (image && stamp && stamp == stamp_of_large_cassette(path)) {
    keep_image(settings_.state_dir, path, settings, *stamp, *image);
  }
  return image;
}

/// Adds what a cassette needs for these match settings, unless it is there (`replace`: even then).
/// Adds nothing where the cursors that are there belong to other interactions: those are what the
/// session has played, and are never made anew.
Result<void> Session::add_cassette(const std::string& directory, const std::string& settings_key,
                                   const std::string& bytes, bool replace) const {
  const std::string suffix = unique_suffix();
  const std::string made = directory_ + "/.new-" + suffix;
  if (mkdir(made.c_str(), 0700) != 0) return file_error("make", made, errno);
  const std::string base = made + "/" + settings_key;
  Result<void> done = [&]() -> Result<void> {
    if (auto written = write_new_file(base + ".image", bytes); !written) {
      return Error{"no memory for the session: " + written.error().message};
    }
    auto image = Image::open(base + ".image");
    if (!image) return image.error();
    Image::mark_unchanged(base + ".image", *image);
    if (auto created = create_with(Cursors::create_hints, base + ".hints", *image); !created) {
      return created;
    }
    if (!exists(directory)) {
      if (auto created = create_with(Cursors::create, made + "/cursors", *image); !created) {
        return created;
      }
      if (auto created = write_new_file(made + "/users", ""); !created) return created;
      if (rename(made.c_str(), directory.c_str()) == 0) return {};
      if (errno != EEXIST && errno != ENOTEMPTY) return file_error("make", directory, errno);
    }
    auto cursors = Cursors::open(directory + "/cursors", base + ".hints", *image);
    if (!cursors || !cursors->belongs_to(*image)) return {};
    // Hints may always begin anew: they only spare looking.
    const std::string target = directory + "/" + settings_key;
    if (auto named = publish(base + ".hints", target + ".hints", replace); !named) return named;
    return publish(base + ".image", target + ".image", replace);
  }();
  remove_session_directory(made);
  return done;
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
    place->second.relayed += each.relayed;
    place->second.refused += each.refused;
    place->second.redacted += each.redacted;
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
      counts.relayed += cassette.cursors->relayed();
      counts.refused += cassette.cursors->refused();
      counts.redacted += cassette.cursors->redacted();
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

}  // namespace cassette
