// Replacing pieces of a text while all other bytes stay as they are. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cassette {

/// text[offset, offset + length) has to become `replacement`.
struct Edit {
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string replacement;
};

/// The edits in ascending order, none overlapping.
std::string apply_edits(std::string_view text, const std::vector<Edit>& edits);

/// Where the byte that was at `offset` is afterwards (behind the replacement, if it was replaced).
std::size_t offset_after_edits(std::size_t offset, const std::vector<Edit>& edits);

/// Those of both in ascending order; of two that overlap the one in `first` counts, else the one that begins earlier.
std::vector<Edit> merge_edits(std::vector<Edit> first, const std::vector<Edit>& second);

}  // namespace cassette
