// What recordings say of servers' certificates, brought into a cassette: one entry a place. Kept apart from merge.h,
// because these entries stand in for no request: no mode adds to them or looks for what they match.
//
// Thread safety: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "store/interaction.h"
#include "store/journal/journal.h"

namespace cassette {

/// Brings in what the records of whatever sessions say, in the order in which they began.
///  - The newest certificate of a place takes the place of what the cassette has. What is older than that changes nothing.
///  - Of one certificate within one session: it is trusted if each record says so. (Several programs met the server.)
///  - A record without a chain (the server is an ordinary one) takes away what earlier sessions have of the place.
/// Records that are in the cassette already change nothing. False: nothing has changed.
bool merge_certificates(std::vector<JournalRecord*> records,
                        std::vector<Interaction>& certificates);

/// Takes away what was recorded before the session of this token: it writes the cassette anew. True: there was something.
bool drop_older_certificates(std::string_view session, std::vector<Interaction>& certificates);

}  // namespace cassette
