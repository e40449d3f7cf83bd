// What a miss tells: the request, the reason, and the recorded interaction that comes closest, with
// the fields that differ. Secrets are redacted. Not on the fast path: allocates, and looks at many
// interactions.
//
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/image/image.h"
#include "store/match/match.h"
#include "store/player/player.h"
#include "store/session/cursors.h"

namespace cassette {

/// In the contract's words: "no cassette", "no such request", "used up", ...
std::string_view name_of(MissReason reason);

struct Closest {
  std::uint32_t interaction = 0;
  std::vector<Difference> differences;  ///< empty: it matches, and has been played
};

/// The interaction that differs in the fewest fields; among equals an unplayed one, then the first.
/// Nothing in an empty cassette. In a large cassette not every interaction is looked at.
std::optional<Closest> find_closest(const Image& image, const Cursors& cursors,
                                    const Matcher& matcher, const RequestView& request);
/// In what one interaction differs.
Closest compare(const Image& image, const Matcher& matcher, std::uint32_t interaction,
                const RequestView& request);

/// All that a miss's message says.
struct Miss {
  std::string cassette;
  RecordMode mode = RecordMode::kOnce;
  std::string method, uri;  ///< redacted
  MissReason reason = MissReason::kNone;
  std::string detail;  ///< may be empty
  std::optional<Closest> closest;
  bool expected = false;     ///< `closest` is the one whose turn it is
  std::string closest_name;  ///< "#3 GET http://h/p"
};

/// One line, for the log.
std::string miss_line(const Miss& miss);
/// The whole response, for the program: 599 with the diagnosis as its text.
std::string miss_response(const Miss& miss, bool close_after);

/// The line for a connection that goes to the real server past the cassette, and for one that is refused instead.
std::string relayed_line(std::string_view place, std::string_view what);
std::string refused_line(std::string_view place, std::string_view what);

}  // namespace cassette
