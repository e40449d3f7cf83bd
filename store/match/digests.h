// Keyed hashes of what redaction takes out of a request: they say whether two requests differ in a value that is on
// no disk. Kept beside the placeholders, as `redacted` of an interaction.
//
// A digest has 16 bits. That is enough to tell the tokens of a test from each other, and too little to check guesses
// against: of a million guesses at a password fifteen fit. The key belongs to the cassette, so that equal values in two
// cassettes do not look equal; it is no secret.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>

#include "store/match/match.h"
#include "store/redaction/redaction.h"

namespace cassette {

/// Of a request as it came, before redaction; empty when there are none. A value that is a placeholder itself has none: a program that got it out
/// of a replayed answer says nothing with it.
RedactedDigests digests_of(const Redactor& redactor, std::uint64_t key, const RequestView& request);

/// The key alone, for a request out of which something was taken that has no digest.
RedactedDigests without_digests(std::uint64_t key);
/// Is there a placeholder in a request? Headers aside.
bool has_placeholder(const Interaction& interaction);

/// The same in three numbers: what match_on covers, and of the rest what is in the body, and what is not. 0: nothing is
/// hidden there.
struct FoldedDigests {
  std::uint32_t identity = 0;
  std::uint32_t body = 0;
  std::uint32_t fields = 0;
};
FoldedDigests fold(const RedactedDigests& digests, const MatchOn& match_on);
/// fold() of digests_of(), without the texts. Allocates only where a body is looked into.
FoldedDigests folded_digests_of(const Redactor& redactor, std::uint64_t key,
                                const MatchOn& match_on, const RequestView& request);

/// The key as a cassette writes it; 0 when it is none.
std::uint64_t digest_key(std::string_view text);
std::string digest_key_text(std::uint64_t key);

}  // namespace cassette
