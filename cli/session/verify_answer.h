// What `cassette session verify` says: the verdict, what was counted, and when it does not hold the requests
// that come closest. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/session/common.h"
#include "cli/session/verify_request.h"

namespace cassette {

/// So many requests are shown when it does not hold.
inline constexpr std::size_t kShownRequests = 10;

/// Those for which most of the criteria hold first, in the order in which they were handled among equals;
/// at most kShownRequests. Views into the history's text.
std::vector<HistoryEntry> closest_requests(const History::Contents& history,
                                           const Criteria& criteria);

/// `criteria`: those of the request, resolved.
Answer verify_answer(const VerifyRequest& request, const Criteria& criteria,
                     const History::Contents& history, const SessionState& session,
                     const std::string& working_directory);

}  // namespace cassette
