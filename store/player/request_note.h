// A request as an entry of the session's history: redacted, and cut to what is kept. On the fast path
// of every replayed request: allocates only where something has to be redacted.
//
// Thread safety: pure function, but for what it remembers of the calling thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "store/match/match.h"
#include "store/player/player.h"
#include "store/redaction/redaction.h"
#include "store/session/history.h"

namespace cassette {

/// `cassette`: key of its path; `interaction` and `status` as the player knows them. `known`: for what a real server
/// answered; else nullptr.
void note_request(History& history, const Redactor& redactor, KnownSecrets* known,
                  std::uint64_t cassette, const RequestView& request, const Handled& handled,
                  int status) noexcept;

/// The id of the calling thread, without asking the kernel each time.
std::int32_t this_thread_id();

/// In the child of a fork, before it handles a request: its threads have other ids.
void forget_thread_ids();

}  // namespace cassette
