// See pool.h.
#include "store/session/pool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <set>
#include <utility>

#include "store/files.h"
#include "store/session/session_files.h"

namespace cassette {

namespace {

std::string places_directory(const std::string& runtime_dir) { return runtime_dir + "/places"; }

std::set<unsigned> taken_places(const std::string& directory) {
  std::set<unsigned> taken;
  for (const std::string& name : names_in(directory)) {
    unsigned number = 0;
    auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (problem == std::errc() && end == name.data() + name.size()) taken.insert(number);
  }
  return taken;
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first {
  }, second{};
  return lstat(a.c_str(), &first) == 0 && lstat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/// Frees the place when its session is not there (invariants 1 and 2).
void reclaim(const std::string& runtime_dir, const std::string& place) {
  Descriptor file(open(place.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file || flock(file.get(), LOCK_EX | LOCK_NB) != 0) return;
  if (!leads_to_open_file(place, file.get())) return;
  char name[256];
  ssize_t size = pread(file.get(), name, sizeof name, 0);
  if (size > 0 && name[size - 1] == '\n') {
    std::string directory = sessions_directory(runtime_dir) + "/" +
                            std::string(name, static_cast<std::size_t>(size) - 1);
    if (same_file(directory + kPlaceFile, place)) return;
  }
  unlink(place.c_str());
}

/// The lowest free place below the limit; empty when there is none.
std::string take(const std::string& directory, const std::string& file, unsigned limit,
                 int* problem) {
  std::set<unsigned> taken = taken_places(directory);
  *problem = 0;
  for (unsigned k = 0; k < limit; ++k) {
    if (taken.count(k) != 0) continue;
    std::string place = directory + "/" + std::to_string(k);
    if (link(file.c_str(), place.c_str()) == 0) return place;
    if (errno == EEXIST) continue;
    *problem = errno;
    break;
  }
  return {};
}

}  // namespace

Result<std::optional<Place>> Place::claim(const Settings& settings, const std::string& made,
                                          std::string_view name) {
  const std::string directory = places_directory(settings.runtime_dir);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return file_error("make", directory, errno);
  }
  const std::string path = made + kPlaceFile;
  if (auto written = write_new_file(path, std::string(name) + "\n"); !written) {
    return written.error();
  }
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return file_error("open", path, errno);
  // Nobody else knows the file yet.
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return file_error("lock", path, errno);
  for (bool reclaimed : {false, true}) {
    if (reclaimed) {
      end_expired_sessions(settings);
      for (unsigned k : taken_places(directory)) {
        reclaim(settings.runtime_dir, directory + "/" + std::to_string(k));
      }
    }
    int problem = 0;
    std::string place = take(directory, path, settings.max_sessions, &problem);
    if (problem != 0) return file_error("take a place in", directory, problem);
    if (!place.empty()) return std::optional(Place(std::move(file), std::move(place)));
  }
  return std::optional<Place>();
}

void Place::give_back() {
  if (leads_to_open_file(path_, file_.get())) unlink(path_.c_str());
}

void free_place(const std::string& runtime_dir, const std::string& ended) {
  const std::string path = ended + kPlaceFile;
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0 || status.st_nlink < 2) return;
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return;
  const std::string directory = places_directory(runtime_dir);
  for (unsigned k : taken_places(directory)) {
    const std::string place = directory + "/" + std::to_string(k);
    if (leads_to_open_file(place, file.get())) unlink(place.c_str());
  }
}

}  // namespace cassette
