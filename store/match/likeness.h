// In what requests of one match key are alike beyond it. Where several interactions answer a request, the one that is
// most like it is played first: requests that ran at the same time, and differ in what `match_on` leaves out, get each
// its own answer. Likeness never decides whether a request matches.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "store/match/digests.h"
#include "store/match/match.h"

namespace cassette {

/// Components of likeness; they are added up.
enum LikenessPart : unsigned {
  kLikeBody = 1,     ///< the body, as `body` compares it
  kLikeFields = 2,   ///< fields that ask for another answer: Range, conditions, Accept, ...
  kLikeSecrets = 4,  ///< what is hidden by redaction
};

inline constexpr unsigned kLikeAll = kLikeBody | kLikeFields | kLikeSecrets;

/// In which parts to look for one that is alike, one after the other, where the candidates differ in `varies`.
class LikenessOrders {
 public:
  explicit LikenessOrders(unsigned varies) {
    add(varies);
    add(varies & ~static_cast<unsigned>(kLikeSecrets));
    add(varies & kLikeBody);
    add(varies & kLikeFields);
  }
  const unsigned* begin() const { return orders_; }
  const unsigned* end() const { return orders_ + count_; }

 private:
  void add(unsigned parts) {
    for (std::size_t i = 0; i < count_; ++i) {
      if (orders_[i] == parts) return;
    }
    if (parts != 0) orders_[count_++] = parts;
  }
  unsigned orders_[4] = {};
  std::size_t count_ = 0;
};

struct Likeness {
  std::uint64_t body = 0;
  std::uint64_t fields = 0;
  FoldedDigests digests;
};

/// Only the parts that are asked for; allocates.
std::uint64_t body_likeness(const Redactor& redactor, const RequestView& request);
std::uint64_t field_likeness(const Redactor& redactor, const RequestView& request);

/// The key of those among the requests of `key` that are alike in these parts. `identity` not 0: and in the values that
/// redaction took out of what match_on covers. Without kLikeBody, secrets in bodies do not count.
MatchKey key_of_alike(const MatchKey& key, unsigned parts, std::uint32_t identity,
                      const Likeness& likeness);

/// A precondition (RFC 9110 section 13.1): without one there is no 304 and no 412.
bool is_conditional(const Headers& headers);

}  // namespace cassette
