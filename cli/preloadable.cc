// See preloadable.h.
#include "cli/preloadable.h"

#include "store/settings/preloadable.h"

namespace cassette {

std::optional<std::string> why_not_preloadable(const std::string& path, const char* search_path) {
  char reason[PATH_MAX + 256] = "";
  if (PreloadCheck(search_path, reason, sizeof reason).can_enter(path.c_str())) return std::nullopt;
  return reason;
}

}  // namespace cassette
