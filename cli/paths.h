// Paths as they are given, kept and shown.
#pragma once

#include <string>

#include "parser/result.h"

namespace cassette {

/// Where a relative path on the command line begins.
Result<std::string> working_directory();

/// As cassette_path() makes them absolute, because sessions and usage are kept by that text: "." and ".."
/// as they are written, symbolic links not looked at.
std::string absolute_path(const std::string& path, const std::string& base);

/// The shorter one of an absolute path and the same relative to `base`.
std::string shortest_path(const std::string& absolute, const std::string& base);

}  // namespace cassette
