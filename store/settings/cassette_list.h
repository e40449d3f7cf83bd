// The value of CASSETTE where it names several cassettes: "new.yaml,old.yaml", the one that is recorded into, and
// those to fall back on. A comma that belongs to a name is written twice. Looks at no file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cassette {

/// The paths, in order, as they are written there. Blanks around them, and empty ones, are left out; a text without
/// a comma is one path as it is.
std::vector<std::string> split_cassettes(std::string_view list);

/// What split_cassettes() takes apart into these.
std::string join_cassettes(const std::vector<std::string>& paths);

}  // namespace cassette
