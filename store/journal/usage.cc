#include "store/journal/usage.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <unordered_set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/journal/merge.h"
#include "store/session/descriptor.h"
#include "store/session/session.h"

namespace cassette {

namespace {

/// As cassette_path() makes them, so that `list cassettes/` and a program that used
/// `/home/.../cassettes` mean the same; without a final slash.
std::string absolute_path(const std::string& path) {
  std::string result = std::filesystem::absolute(path).lexically_normal().string();
  while (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

std::string file_for(const std::string& state_dir, const std::string& path) {
  XXH128_hash_t hash = XXH3_128bits(path.data(), path.size());
  char name[33];
  std::snprintf(name, sizeof name, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return state_dir + "/usage/" + name;
}

Result<std::set<std::string>> read_ids(const std::string& file) {
  std::set<std::string> ids;
  if (access(file.c_str(), F_OK) != 0) return ids;
  auto bytes = read_file(file);
  if (!bytes) return bytes.error();
  std::string_view rest = *bytes;
  bool first = true;
  while (!rest.empty()) {
    std::size_t end = std::min(rest.find('\n'), rest.size());
    if (!first && end > 0) ids.emplace(rest.substr(0, end));
    first = false;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return ids;
}

/// Applies `change` to the set under its lock; writes only what changed.
template <typename Change>
Result<void> update(const std::string& state_dir, const std::string& given, Change change) try {
  std::string path = absolute_path(given);
  std::string file = file_for(state_dir, path);
  if (auto made = make_directories(state_dir + "/usage"); !made) return made;
  std::string locked = file + ".lock";
  Descriptor lock(open(locked.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return file_error("make", locked, errno);
  while (flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return file_error("lock", locked, errno);
  }
  auto ids = read_ids(file);
  if (!ids) return ids.error();
  std::size_t before = ids->size();
  change(*ids);
  if (ids->size() == before) return {};  // changes only add, or only take away
  std::string text = path + "\n";
  for (const std::string& id : *ids) text += id + "\n";
  remove_temporaries(file);
  return write_file_atomically(file, text);
} catch (const std::exception& problem) {
  return Error{"cannot note what was used of " + given + ": " + problem.what()};
}

}  // namespace

Result<void> mark_used(const std::string& state_dir, const std::string& path,
                       const std::vector<std::string>& ids) {
  return update(state_dir, path, [&](std::set<std::string>& all) {
    for (const std::string& id : ids) {
      if (!id.empty() && id.find('\n') == std::string::npos) all.insert(id);
    }
  });
}

Result<std::set<std::string>> used_ids(const std::string& state_dir, const std::string& path) try {
  return read_ids(file_for(state_dir, absolute_path(path)));
} catch (const std::exception& problem) {
  return Error{"cannot read what was used of " + path + ": " + problem.what()};
}

Result<void> forget_used(const std::string& state_dir, const std::string& path,
                         const std::vector<std::string>& ids) {
  if (access(file_for(state_dir, absolute_path(path)).c_str(), F_OK) != 0) return {};
  return update(state_dir, path, [&](std::set<std::string>& all) {
    for (const std::string& id : ids) all.erase(id);
  });
}

Result<void> reset_used(const std::string& state_dir, const std::string& path) {
  return update(state_dir, path, [](std::set<std::string>& all) { all.clear(); });
}

Result<UnusedReport> find_unused(const Settings& settings, const std::string& given) try {
  std::string path = absolute_path(given);
  sweep_sessions(settings);
  UnusedReport report;
  // Asked before the used ones: a session that ends between the two is in both, never in neither.
  std::vector<std::string> playing = ids_played_in_sessions(settings.runtime_dir, path);
  auto cassette = load_with_journal(path);
  if (!cassette) return cassette.error();
  report.cassette = std::move(*cassette);
  auto used = used_ids(settings.state_dir, path);
  if (!used) return used.error();
  std::unordered_set<std::string> all(used->begin(), used->end());
  all.insert(playing.begin(), playing.end());
  for (std::size_t i = 0; i < report.cassette.interactions.size(); ++i) {
    if (all.count(report.cassette.interactions[i].id) == 0) report.unused.push_back(i);
  }
  return report;
} catch (const std::exception& problem) {
  return Error{"cannot tell what is unused of " + given + ": " + problem.what()};
}

}  // namespace cassette
