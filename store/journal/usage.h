// Which interactions any run has ever replayed: what `report-unused` is about.
//
// $state_dir/usage/<XXH128 of the cassette's absolute path, 32 hexadecimal digits>: text. The first
// line is the path, every further line the id of an interaction that was replayed, sorted, no
// duplicates. Replaced as a whole (temporary file, rename) under a flock on `<that name>.lock`,
// which stays. A set: marking twice is marking once, so that a session that died while harvesting
// can be harvested again.
//
// Thread safety: all functions from any thread of any process.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "parser/result.h"
#include "store/cassette.h"
#include "store/settings/settings.h"

namespace cassette {

Result<void> mark_used(const std::string& state_dir, const std::string& path,
                       const std::vector<std::string>& ids);
/// Nothing known about a cassette is an empty set, not an error.
Result<std::set<std::string>> used_ids(const std::string& state_dir, const std::string& path);
/// The interactions of these ids are others than before (a directory cassette's file was recorded
/// anew).
Result<void> forget_used(const std::string& state_dir, const std::string& path,
                         const std::vector<std::string>& ids);
/// `report-unused --reset`: nothing has been replayed.
Result<void> reset_used(const std::string& state_dir, const std::string& path);

struct UnusedReport {
  Cassette cassette;                ///< cassette and journal as one
  std::vector<std::size_t> unused;  ///< indexes into it, ascending
};

/// All that `report-unused PATH` has to know: ends dead sessions first (which harvests them), then
/// takes off what was used, sessions that are alive included. `path` may be relative.
Result<UnusedReport> find_unused(const Settings& settings, const std::string& path);

}  // namespace cassette
