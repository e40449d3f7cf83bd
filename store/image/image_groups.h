// The groups of an image: which interactions answer the same request, and within such a group, which are alike beyond
// that (store/match/likeness.h). A group of alike ones is a group like any other, under a key of its own: so finding the
// likeliest one costs a few more look-ups, however many interactions there are.
//
// Thread safety: pure function.
#pragma once

#include <cstdint>
#include <vector>

#include "store/cassette.h"
#include "store/image/image_layout.h"
#include "store/match/match.h"

namespace cassette {

struct ImageGroups {
  std::vector<Image::Slot> slots;
  std::vector<std::uint32_t> members;
  std::vector<std::uint32_t> group_of;  ///< each interaction's slot
  std::vector<std::uint32_t> identity;  ///< as FoldedDigests has it
  std::vector<std::uint64_t> origins;   ///< sorted
  bool bodies_vary = false;             ///< in any group
};

/// `digest_key`: digests under other keys count as none.
ImageGroups group_interactions(const Cassette& cassette, const Matcher& matcher,
                               std::uint64_t digest_key);

}  // namespace cassette
