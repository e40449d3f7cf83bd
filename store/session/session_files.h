// The files of a session's directory (session.h has the picture): what session.cc, which joins, and
// session_end.cc, which ends, both need.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/result.h"
#include "store/session/descriptor.h"
#include "store/session/session.h"

namespace cassette {

inline constexpr char kEndedWell[] = "/ended-well";
inline constexpr char kEndedFailed[] = "/ended-failed";

bool exists(const std::string& path);
/// Without "." and "..", in no order; empty when it cannot be read.
std::vector<std::string> names_in(const std::string& directory);

/// What `alive` says, in one line: "cassette-session 1 <token> <time to live in ms> <tree id or
/// ->".
struct AliveText {
  std::string token;
  std::chrono::milliseconds time_to_live{0};
  std::string tree;  ///< a session of scope `process`: the tree it belongs to; else empty
};
std::string write_alive_text(const AliveText& text);
std::optional<AliveText> read_alive_text(int descriptor);

std::string sessions_directory(const std::string& runtime_dir);
/// Makes $runtime_dir/sessions, and checks that both are ours alone.
Result<void> prepare_sessions_directory(const std::string& runtime_dir);

/// From the name of a session's directory; nothing when it is none.
std::optional<SessionIdentity> identity_of(std::string_view directory_name);

/// True when the path leads to the file that is open.
bool leads_to_open_file(const std::string& path, int descriptor);

/// Notes how the root of the session ended.
void note_ending(const std::string& directory, bool ended_well);

/// Ends the session if nobody is in it any more and its root has ended (or is this process). A
/// named one is merged and harvested, and stays. Errors are logged.
void end_if_last(const Settings& settings, const SessionIdentity& identity);
/// A named session that nobody has used for its time to live is ended and removed.
void end_if_expired(const Settings& settings, const SessionIdentity& identity);

/// What sessions of scope `process` in this tree came to, as they noted it.
struct SessionTotals {
  std::vector<CassetteCounts> counts;
  std::vector<std::pair<std::string, std::string>> played;  ///< path, id
};
SessionTotals read_totals(const std::string& directory);

/// Opens every image in a session's directory with its cursors; what cannot be opened is left out.
std::vector<OpenCassette> open_all_cassettes(const std::string& directory);

}  // namespace cassette
