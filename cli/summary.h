// What `cassette run` says and answers when the program has ended. Pure functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "store/session/session.h"

namespace cassette {

inline constexpr int kMissed = 3;
inline constexpr int kUnusedLeft = 4;  ///< with --fail-on-unused

/// What happened between two looks at a session: one that had begun before this run brings its counts
/// along. `unused` and `interactions` are as they are now.
std::vector<CassetteCounts> counts_since(const std::vector<CassetteCounts>& before,
                                         const std::vector<CassetteCounts>& now);

/// "tests/w.yaml: 12 replayed, 0 recorded, 0 missed, 2 unused" with the path as `shown`, and what else happened if it
/// did: ", 1 could not be recorded, 1 relayed, 1 refused, 3 values redacted in responses".
std::string summary_line(const CassetteCounts& counts, const std::string& shown);

/// A line for each reason: "w.yaml: not recorded: GET http://a/ and 2 more: No space left on device".
std::vector<std::string> not_recorded_lines(
    const std::vector<NotRecorded>& notes,
    const std::function<std::string(const std::string& path)>& shown);

/// The exit status of `cassette run`, given the program's. `complete`: all that was recorded is in its
/// cassette.
int run_status(int program_status, const std::vector<CassetteCounts>& counts, bool fail_on_unused,
               bool complete);

}  // namespace cassette
