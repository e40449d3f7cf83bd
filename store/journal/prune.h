// Taking unused interactions out of a cassette: `report-unused --prune`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "parser/result.h"
#include "store/settings/settings.h"

namespace cassette {

/// Removes the interactions with these ids from the cassette, but for those that have been used in the
/// meantime. Under the journal's lock: nothing is recorded or merged meanwhile. A file is replaced as a
/// whole, of a directory the files go. What living sessions recorded stays in the journal, untouched.
/// Returns the ids that were removed. On an error the cassette is as it was.
///
/// Thread safety: from any thread of any process.
Result<std::vector<std::string>> prune_cassette(const Settings& settings, const std::string& path,
                                                const std::vector<std::string>& ids);

}  // namespace cassette
