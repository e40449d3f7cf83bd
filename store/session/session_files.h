// The files of a session's directory (session.h has the picture): what session.cc, which joins, and
// session_end.cc, which ends, both need.
#pragma once

#include <sys/stat.h>
#include <time.h>

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
inline constexpr char kDiscarded[] = "/discarded";
/// How it ended, as one could say who may not make files there any more; empty: nobody has.
inline constexpr char kEnding[] = "/ending";
inline constexpr char kNotRecorded[] = "/not-recorded";

bool exists(const std::string& path);
/// Nanoseconds of a clock.
std::uint64_t nanoseconds(clockid_t clock);
/// For the name of a file or directory that nobody else makes.
std::string unique_suffix();
/// Writes a file that is not there yet, readable by us alone. On memory-backed storage that is full
/// it fails here, and not as a SIGBUS later.
Result<void> write_new_file(const std::string& path, std::string_view bytes);
/// Without "." and "..", in no order; empty when it cannot be read.
std::vector<std::string> names_in(const std::string& directory);

/// Removes a directory of two levels: a session, or what is being made. `alive` goes last: as long as
/// it is there, the next to come by knows what this is.
void remove_session_directory(const std::string& directory);

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
/// What a user calls it: the name of a named session, else its directory's.
std::string name_of(const SessionIdentity& identity);

/// True for a process that does not go on by itself: stopped, or held by a debugger.
bool is_stopped(int pid);

/// True when the path leads to the file that is open.
bool leads_to_open_file(const std::string& path, int descriptor);

/// Notes how the root of the session ended. `discards`: nothing is kept if it ended with an error.
void note_ending(const std::string& directory, bool ended_well, bool discards);
struct Ending {
  bool well = false;
  bool failed = false;
  bool discarded = false;
};
Ending ending_of(const std::string& directory);

/// Ends the session if nobody is in it any more and its root has ended (or is this process). A
/// named one is merged and harvested, and stays. False: not all that was recorded is in its
/// cassette; what was wrong is logged.
bool end_if_last(const Settings& settings, const SessionIdentity& identity);
/// A named session that nobody has used for its time to live is ended and removed.
void end_if_expired(const Settings& settings, const SessionIdentity& identity);
/// Every one of them.
void end_expired_sessions(const Settings& settings);
/// Ends a session at once, whoever is in it. False: it is not there.
Result<bool> end_by_force(const Settings& settings, const SessionIdentity& identity);

/// What sessions of scope `process` in this tree came to, as they noted it.
struct SessionTotals {
  std::vector<CassetteCounts> counts;
  std::vector<std::pair<std::string, std::string>> played;  ///< path, id
};
SessionTotals read_totals(const std::string& directory);

/// For Session::not_recorded(). Beyond kMostNotes bytes nothing is noted.
inline constexpr long kMostNotes = 64 * 1024;
void write_note(const std::string& directory, const NotRecorded& note);
std::vector<NotRecorded> read_notes(const std::string& directory);

/// 16 hexadecimal digits.
std::string hexadecimal(std::uint64_t number);
/// Names a cassette in the history, and its directory in the session's.
std::uint64_t cassette_key(std::string_view path);

/// Opens every cassette in a session's directory; what cannot be opened is left out.
std::vector<OpenCassette> open_all_cassettes(const std::string& directory);

}  // namespace cassette
