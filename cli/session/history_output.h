// Requests that a session handled as text and as JSON: what `cassette session history` prints, and
// `verify` when it does not hold. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/json.h"
#include "cli/session/common.h"
#include "store/session/control.h"

namespace cassette {

/// "replayed", "recorded", "forwarded", "missed".
std::string_view name_of(HistoryOutcome outcome);

/// One line a request. Of a session with several cassettes each line names the one that was asked, its
/// path as short as it is from `working_directory`.
std::string requests_as_lines(const std::vector<HistoryEntry>& requests,
                              const SessionState& session, const std::string& working_directory);

/// An array of objects.
void append_requests(JsonOutput& out, const std::vector<HistoryEntry>& requests,
                     const SessionState& session);

/// "12 older requests were dropped"
std::string dropped_text(std::uint64_t dropped);

/// The whole history: lines, and a complaint when something was dropped; or {"dropped": n, "requests":
/// [...]}.
Answer history_answer(const History::Contents& history, const SessionState& session,
                      const std::string& working_directory, bool json);

/// "12 us", "3.4 ms", "1.20 s"
std::string duration_text(std::uint64_t nanoseconds);

}  // namespace cassette
