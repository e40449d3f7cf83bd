// The sessions of a user, seen and changed from outside: what `cassette session` and the C API ask
// for. An <id> is the name of a named session (CASSETTE_SESSION), or of a session of a process tree
// or process as `list_sessions` gives it.
//
// Thread safety: all functions from any thread of any process.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parser/result.h"
#include "store/session/history.h"
#include "store/session/session.h"
#include "store/settings/settings.h"

namespace cassette {

enum class Registration { kRegistered, kAlreadyRegistered, kPoolFull };

struct Registered {
  Registration outcome = Registration::kRegistered;
  std::string id;
  unsigned limit = 0;  ///< settings.max_sessions
};

/// Registers a named session with settings.session_ttl. An empty `id`: a new one is made up, which
/// was never given before. An id that is registered is renewed. Slots of sessions that have ended
/// or expired are reclaimed before the pool counts as full.
Result<Registered> register_session(const Settings& settings, const std::string& id);

/// Ends a session at once, whoever is in it: merges what it recorded, harvests what it played,
/// removes it, and gives its slot back. Processes that are still in it miss every further request
/// with the reason that it has ended. False: there is no such session.
Result<bool> end_session_now(const Settings& settings, const std::string& id);

/// A cassette as a session has it open.
struct CassetteState {
  CassetteCounts counts;  ///< path and what was done with it
  std::uint64_t key = 0;  ///< as in HistoryEntry::cassette
  std::uint32_t index =
      0;  ///< the first interaction that has not been played (counts.interactions: none)
  std::vector<std::string> ids;  ///< of its interactions, only from find_session()
};

struct SessionState {
  std::string id;
  SessionIdentity::Kind kind = SessionIdentity::Kind::kNamed;
  std::int64_t created = 0;    ///< microseconds since 1970 UTC
  std::int64_t last_used = 0;  ///< the same; when a process joined or left, or it was renewed
  std::chrono::milliseconds time_to_live{0};  ///< kNamed; 0: never expires
  bool in_use = false;                        ///< a process is in it
  std::vector<CassetteState> cassettes;
};

/// All sessions, by kind and id; those that have ended or expired are ended first.
Result<std::vector<SessionState>> list_sessions(const Settings& settings);
/// Nothing: there is no such session.
Result<std::optional<SessionState>> find_session(const Settings& settings, const std::string& id);

/// Back to the beginning: of one cassette (absolute path), or of all (empty). Nothing: there is no
/// such session. Otherwise how many cassettes were rewound: 0 when it has not been opened.
Result<std::optional<std::size_t>> rewind_session(const Settings& settings, const std::string& id,
                                                  const std::string& cassette);

/// Skips the interaction whose turn it is: counts it as used up, not as replayed. Opens the cassette
/// (absolute path) when nobody has yet.
struct Advanced {
  std::uint32_t skipped = 0;  ///< index from 0, or `size`: there was none left
  std::uint32_t size = 0;     ///< interactions in the cassette
};
Result<std::optional<Advanced>> advance_session(const Settings& settings, const std::string& id,
                                                const std::string& cassette);

/// Nothing: there is no such session.
Result<std::optional<History::Contents>> session_history(const Settings& settings,
                                                         const std::string& id);

}  // namespace cassette
