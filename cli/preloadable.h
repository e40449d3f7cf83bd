// Whether LD_PRELOAD can enter a program: `cassette run` refuses one that it cannot, which would run as if
// nothing were there, and reach the network. What is looked at: store/settings/preloadable.h.
#pragma once

#include <optional>
#include <string>

namespace cassette {

/// Why not, as the end of a sentence that begins with the program's name ("is statically linked, ..."),
/// or nothing when it can (or the file cannot be read, which LD_PRELOAD does not need).
/// For a script its interpreter is asked, also the one that `#!/usr/bin/env NAME` finds along `search_path`
/// (nullptr: PATH is not set).
std::optional<std::string> why_not_preloadable(const std::string& path, const char* search_path);

}  // namespace cassette
