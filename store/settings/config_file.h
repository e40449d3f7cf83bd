// The configuration file `.cassette.yaml`: finds it and reads it into one text for each setting.
// Knows which keys there are (setting_names.h); what their values mean is settings.cc's business.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/result.h"
#include "store/settings/setting_names.h"

namespace cassette {

/// One key of the file, in the form in which its environment variable would say the same.
struct ConfigEntry {
  const SettingName* setting = nullptr;
  std::string text;  ///< a list's items with commas between them
  std::vector<std::pair<std::string, std::string>> pairs;  ///< of a map, in place of `text`
  int line = 0;
};

/// `.cassette.yaml` in `directory` or the nearest one above it that has one; empty: there is none.
/// It need not be readable: one that is there and cannot be read must be an error, not passed over.
std::string find_config_file(const std::string& directory);

/// Reads the text of such a file; `path` begins the errors. Keys without value are left out. Errors name file, line and key: YAML that does not parse, an
/// unknown key (with the nearest known one), one that stands there twice, a list where one value
/// is expected, and all that tree_from_yaml() refuses.
Result<std::vector<ConfigEntry>> parse_config_file(std::string_view text, const std::string& path);
Result<std::vector<ConfigEntry>> read_config_file(const std::string& path);

}  // namespace cassette
