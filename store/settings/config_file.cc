// Reads `.cassette.yaml`. See config_file.h.
#include "store/settings/config_file.h"

#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>

#include "store/files.h"

namespace cassette {
namespace {

std::string at(const std::string& path, int line) {
  return path + ":" + std::to_string(line) + ": ";
}

int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

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
  return kind == SettingKind::kNames || kind == SettingKind::kHosts ||
         kind == SettingKind::kMatchOn || kind == SettingKind::kPairs ||
         kind == SettingKind::kUnsupported;
}

std::optional<Error> fill(ConfigEntry& entry, const YAML::Node& value, const std::string& where) {
  const SettingKind kind = entry.setting->kind;
  if (value.IsScalar()) {
    entry.text = value.Scalar();
  } else if (value.IsSequence() && takes_list(kind)) {
    for (const YAML::Node& item : value) {
      if (!item.IsScalar()) return Error{where + "a list of plain values is expected here"};
      if (!entry.text.empty()) entry.text += ',';
      entry.text += item.Scalar();
    }
  } else if (value.IsMap() && kind == SettingKind::kPairs) {
    for (const auto& pair : value) {
      if (!pair.first.IsScalar() || !pair.second.IsScalar()) {
        return Error{where + "keys with plain values are expected here"};
      }
      entry.pairs.emplace_back(pair.first.Scalar(), pair.second.Scalar());
    }
  } else if (kind == SettingKind::kUnsupported) {
    entry.text = "{...}";
  } else {
    return Error{where + "one value is expected here, not a " + (value.IsMap() ? "map" : "list") +
                 "; allowed: " + entry.setting->allowed};
  }
  if (entry.text.find('\0') != std::string::npos)
    return Error{where + "a zero byte is not allowed"};
  return std::nullopt;
}

Result<std::vector<ConfigEntry>> entries_of(const YAML::Node& root, const std::string& path) {
  std::vector<ConfigEntry> entries;
  if (!root.IsDefined() || root.IsNull()) return entries;
  if (!root.IsMap()) {
    return Error{at(path, line_of(root)) +
                 "a configuration file is a map of settings, such as \"mode: none\""};
  }
  for (const auto& pair : root) {
    const std::string where = at(path, line_of(pair.first));
    if (!pair.first.IsScalar()) return Error{where + "the name of a setting is expected here"};
    const std::string& key = pair.first.Scalar();
    const SettingName* setting = setting_of_key(key);
    if (setting == nullptr) {
      return Error{where + "unknown key \"" + key + "\"; the nearest known one is \"" +
                   nearest_key(key) + "\""};
    }
    for (const ConfigEntry& earlier : entries) {
      if (earlier.setting == setting) {
        return Error{where + "\"" + key + "\" was already set in line " +
                     std::to_string(earlier.line)};
      }
    }
    if (pair.second.IsNull()) continue;
    ConfigEntry entry;
    entry.setting = setting;
    entry.line = line_of(pair.first);
    if (auto error = fill(entry, pair.second, where + key + ": ")) return *error;
    entries.push_back(std::move(entry));
  }
  return entries;
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

Result<std::vector<ConfigEntry>> read_config_file(const std::string& path) {
  // The usual way to say "no configuration file" is no regular file.
  if (path == "/dev/null") return std::vector<ConfigEntry>{};
  Result<std::string> bytes = read_file(path);
  if (!bytes) return Error{"configuration file: " + bytes.error().message};
  try {
    return entries_of(YAML::Load(*bytes), path);
  } catch (const YAML::Exception& error) {
    return Error{at(path, error.mark.line + 1) + "not valid YAML: " + error.msg};
  }
}

}  // namespace cassette
