// Reads `.cassette.yaml`. See config_file.h.
#include "store/settings/config_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "store/files.h"
#include "store/formats/text.h"
#include "store/formats/tree.h"
#include "store/settings/cassette_list.h"

namespace cassette {
namespace {

std::string at(const std::string& path, int line) {
  return path + ":" + std::to_string(line) + ": ";
}

/// How many letters have to be added, removed or replaced to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

const SettingName* setting_of_key(std::string_view key) {
  for (const SettingName& setting : kSettings) {
    if (setting.key != nullptr && key == setting.key) return &setting;
  }
  return nullptr;
}

std::string nearest_key(std::string_view key) {
  key = key.substr(0, 100);  // it costs its length times the names', and none is that long
  std::string nearest;
  std::size_t best = SIZE_MAX;
  for (const SettingName& setting : kSettings) {
    if (setting.key == nullptr) continue;
    std::size_t d = distance(key, setting.key);
    if (d < best) {
      best = d;
      nearest = setting.key;
    }
  }
  return nearest;
}

bool takes_list(SettingKind kind) {
  return changes_defaults(kind) || kind == SettingKind::kHosts || kind == SettingKind::kMatchOn ||
         kind == SettingKind::kPairs || kind == SettingKind::kPaths ||
         kind == SettingKind::kStatuses || kind == SettingKind::kUnsupported;
}

std::optional<Error> fill(ConfigEntry& entry, const DocumentNode& value, const std::string& where) {
  const SettingKind kind = entry.setting->kind;
  if (value.is_scalar()) {
    entry.text = value.text;
  } else if (value.is_list() && takes_list(kind)) {
    for (const DocumentNode& item : value.items) {
      if (!item.is_scalar()) return Error{where + "a list of plain values is expected here"};
      if (!entry.text.empty()) entry.text += ',';
      entry.text += kind == SettingKind::kPaths ? join_cassettes({item.text}) : item.text;
    }
  } else if (value.is_map() && (kind == SettingKind::kPairs || kind == SettingKind::kHostPath)) {
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const DocumentNode& key = value.items[i];
      const DocumentNode& text = value.items[i + 1];
      if (!key.is_scalar() || !text.is_scalar()) {
        return Error{where + "keys with plain values are expected here"};
      }
      entry.pairs.emplace_back(key.text, text.text);
    }
  } else if (kind == SettingKind::kUnsupported) {
    entry.text = "{...}";
  } else {
    return Error{where + "one value is expected here, not a " + (value.is_map() ? "map" : "list") +
                 "; allowed: " + entry.setting->allowed};
  }
  if (entry.text.find('\0') != std::string::npos)
    return Error{where + "a zero byte is not allowed"};
  return std::nullopt;
}

}  // namespace

std::string find_config_file(const std::string& directory) {
  std::string current = directory;
  for (;;) {
    std::string candidate = current == "/" ? "/.cassette.yaml" : current + "/.cassette.yaml";
    struct stat info {};
    if (lstat(candidate.c_str(), &info) == 0) return candidate;
    std::size_t slash = current.rfind('/');
    if (slash == std::string::npos || current == "/") return {};
    current.resize(slash == 0 ? 1 : slash);
  }
}

Result<std::vector<ConfigEntry>> parse_config_file(std::string_view text, const std::string& path) {
  const Result<DocumentNode> tree = tree_from_yaml(text, path);
  if (!tree) return tree.error();
  std::vector<ConfigEntry> entries;
  const DocumentNode& root = *tree;
  if (root.is_null()) return entries;
  if (!root.is_map()) {
    return error_at(path, root.line,
                    "a configuration file is a map of settings, such as \"mode: none\"");
  }
  for (std::size_t i = 0; i + 1 < root.items.size(); i += 2) {
    const DocumentNode& key = root.items[i];
    const std::string where = at(path, key.line);
    if (!key.is_scalar()) return Error{where + "the name of a setting is expected here"};
    const SettingName* setting = setting_of_key(key.text);
    if (setting == nullptr) {
      return Error{where + "unknown key \"" + for_message(key.text) +
                   "\"; the nearest known one is \"" + nearest_key(key.text) + "\""};
    }
    for (const ConfigEntry& earlier : entries) {
      if (earlier.setting == setting) {
        return Error{where + "\"" + key.text + "\" was already set in line " +
                     std::to_string(earlier.line)};
      }
    }
    if (root.items[i + 1].is_null()) continue;
    ConfigEntry entry;
    entry.setting = setting;
    entry.line = key.line;
    if (auto error = fill(entry, root.items[i + 1], where + key.text + ": ")) return *error;
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<ConfigEntry>> read_config_file(const std::string& path) {
  // The usual way to say "no configuration file" is no regular file.
  if (path == "/dev/null") return std::vector<ConfigEntry>{};
  Result<std::string> bytes = read_file(path);
  if (!bytes) return Error{"configuration file: " + bytes.error().message};
  return parse_config_file(*bytes, path);
}

}  // namespace cassette
