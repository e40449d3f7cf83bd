// See directory.h. Never looks at what it did not write or could not have written.
#include "store/formats/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <unordered_set>

#include "store/files.h"
#include "store/formats/hash.h"
#include "store/formats/json.h"
#include "store/formats/yaml.h"
#include "store/uri.h"

namespace cassette {
namespace {

std::string join(const std::string& directory, const std::string& file) {
  return directory.ends_with('/') ? directory + file : directory + "/" + file;
}

bool is_yaml_name(std::string_view name) {
  return name.ends_with(".yaml") || name.ends_with(".yml");
}

bool is_interaction_name(std::string_view name) {
  return !name.starts_with('.') && (name.ends_with(".json") || is_yaml_name(name));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// `_2` before `_10`: runs of digits compare by their value.
bool natural_less(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      auto run = [](std::string_view text, std::size_t& at) {
        while (at < text.size() && text[at] == '0') ++at;
        std::size_t begin = at;
        while (at < text.size() && is_digit(text[at])) ++at;
        return text.substr(begin, at - begin);
      };
      std::string_view left = run(a, i), right = run(b, j);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
      continue;
    }
    if (a[i] != b[j]) return a[i] < b[j];
    ++i;
    ++j;
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;  // "_02" and "_2": equal so far
}

Result<std::vector<std::string>> interaction_files(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (!directory) return file_error("read the directory", path, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (!is_interaction_name(name)) continue;
    struct stat status;
    if (fstatat(dirfd(directory.get()), entry->d_name, &status, 0) != 0) {
      // It went away just now, unless it is a link that leads nowhere: an interaction that is not there.
      const int problem = errno;
      const bool is_there =
          fstatat(dirfd(directory.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
      if (problem == ENOENT && !is_there) continue;
      return file_error("read", join(path, name), problem);
    }
    // A pipe or a device is left to read_file() to refuse.
    if (!S_ISDIR(status.st_mode)) names.push_back(std::move(name));
  }
  if (errno != 0) return file_error("read the directory", path, errno);
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

Result<Interaction> parse_file(const std::string& text, const std::string& path) {
  return is_yaml_name(path) ? interaction_from_yaml(text, path) : interaction_from_json(text, path);
}

Result<Interaction> load_file(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  return parse_file(*text, path);
}

/// Characters that every file system and shell takes; others become `_`. Cut to `limit`.
void append_tame(std::string& name, std::string_view text, std::size_t limit) {
  for (char c : text.substr(0, limit)) {
    bool tame = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || is_digit(c) || c == '.' ||
                c == '_' || c == '-';
    name += tame ? c : '_';
  }
}

}  // namespace

std::string interaction_file_name(const Interaction& interaction) {
  constexpr std::size_t kMethod = 20, kHost = 80, kPath = 80;  // well below the 255 of file systems
  std::string name;
  append_tame(name, interaction.request.method, kMethod);
  if (name.empty() || name.front() == '.') name.insert(0, 1, '_');  // never hidden
  auto uri = parse_uri(interaction.uri);
  if (uri) {
    name += '_';
    append_tame(name, uri->host, kHost);
    name += '_' + std::to_string(uri->port) + '_';
    std::string_view path = uri->path;
    while (path.starts_with('/')) path.remove_prefix(1);
    append_tame(name, path, kPath);
  } else {
    name += '_';
    append_tame(name, interaction.uri, kHost + kPath);
  }
  if (!name.ends_with('_')) name += '_';
  Hash hash;
  hash.add(interaction.request.method);
  hash.add(interaction.uri);
  hash.add(interaction.request.body);
  return name + hash.hex();
}

bool has_interaction_files(const std::string& path) {
  auto names = interaction_files(path);
  return !names || !names->empty();
}

Result<std::vector<Interaction>> load_directory(const std::string& path) {
  auto names = interaction_files(path);
  if (!names) return names.error();
  std::vector<Interaction> interactions;
  interactions.reserve(names->size());
  for (std::string& name : *names) {
    auto interaction = load_file(join(path, name));
    if (!interaction) {
      // Somebody who merges took it away since it was listed: what is there instead is behind it.
      if (::access(join(path, name).c_str(), F_OK) != 0 && errno == ENOENT) continue;
      return interaction.error();
    }
    interaction->file = std::move(name);
    interactions.push_back(std::move(*interaction));
  }
  std::stable_sort(
      interactions.begin(), interactions.end(),
      [](const Interaction& a, const Interaction& b) { return a.recorded_at < b.recorded_at; });
  return interactions;
}

Result<void> save_directory(const std::string& path, std::vector<Interaction>& interactions) {
  if (auto made = make_directories(path); !made) return made;
  auto present = interaction_files(path);
  if (!present) return present.error();

  std::unordered_set<std::string> kept;
  for (const Interaction& interaction : interactions) {
    if (!interaction.file.empty()) kept.insert(interaction.file);
  }
  // What goes, and leaves its name to what comes: recorded anew, a conversation has the same names. A file
  // that is no interaction was not ours: a project's own package.json must survive a cassette that was
  // pointed at the wrong directory.
  std::unordered_set<std::string> going;
  for (const std::string& name : *present) {
    if (kept.contains(name)) continue;
    auto text = read_file(join(path, name));
    if (!text) return text.error();  // it may be one
    if (parse_file(*text, join(path, name))) going.insert(name);
  }
  std::unordered_set<std::string> taken = kept;
  for (const std::string& name : *present) {
    if (!going.contains(name)) taken.insert(name);
  }

  FileBatch batch(path);
  std::vector<std::pair<Interaction*, std::string>> written;
  Result<void> result;
  for (Interaction& interaction : interactions) {
    if (!interaction.file.empty()) continue;
    std::string base = interaction_file_name(interaction);
    std::string name = base + ".json";
    for (int n = 2; !taken.insert(name).second; ++n)
      name = base + "_" + std::to_string(n) + ".json";
    result = batch.add(name, interaction_to_json(interaction, true));
    if (!result) return result;
    written.emplace_back(&interaction, std::move(name));
  }
  if (!written.empty()) result = batch.commit();
  for (auto& [interaction, name] : written) {
    if (result) {
      going.erase(name);
      interaction->file = std::move(name);
    } else if (!going.contains(name)) {
      ::unlink(join(path, name).c_str());  // its name was free before
    }
  }
  if (!result) return result;

  // Only now that all the new ones are safe.
  for (const std::string& name : going) {
    const std::string file = join(path, name);
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) return file_error("remove", file, errno);
  }
  return sync_directory(path);
}

}  // namespace cassette
