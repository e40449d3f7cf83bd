// What `cassette run` says and answers when the program has ended. Pure functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/left_out.h"
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

/// The same as an object on one line: what docs/cli.md lists, paths as they are. `notes`: those of this cassette.
std::string summary_json(const CassetteCounts& counts, const std::vector<NotRecorded>& notes);

/// What makes a run fail whose program ended well.
struct FailOn {
  bool unused = false;  ///< an interaction that was not played
  bool passed = false;  ///< a connection that went past the cassette, or would have
};

/// What became of requests that no session counted.
enum class Lost {
  kNothing,
  kMissed,       ///< they could not be replayed
  kNotRecorded,  ///< nor recorded
};
/// `records`: they might have been.
Lost lost_by(const std::vector<LeftOut>& programs, bool records);

/// The exit status of `cassette run`, given the program's. `complete`: all that was recorded is in its
/// cassette.
int run_status(int program_status, const std::vector<CassetteCounts>& counts, FailOn fail_on,
               bool complete, Lost lost = Lost::kNothing);

}  // namespace cassette
