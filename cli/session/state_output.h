// Sessions as text and as JSON: what `cassette session list` and `show` print. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/json.h"
#include "store/session/control.h"

namespace cassette {

/// "named", "tree" or "process".
std::string name_of(SessionIdentity::Kind kind);

/// When the session will be ended for nobody being in it: microseconds since 1970 UTC; nothing when
/// somebody is in it, when it never expires, or when it is not named (those end with their root).
std::optional<std::int64_t> expires_at(const SessionState& session);

/// One line a session. `now`: microseconds since 1970 UTC.
std::string sessions_as_lines(const std::vector<SessionState>& sessions, std::int64_t now);
std::string sessions_as_json(const std::vector<SessionState>& sessions);

/// Lines "key: value"; a block for each cassette, its path as short as it is from `working_directory`.
std::string session_as_text(const SessionState& session, std::int64_t now,
                            const std::string& working_directory);
std::string session_as_json(const SessionState& session);

/// "2024-01-31T23:59:59.000001Z"; "-" for what is no time.
std::string time_text(std::int64_t microseconds);

}  // namespace cassette
