// See edit.h.
#include "store/redaction/edit.h"

#include <algorithm>
#include <utility>

namespace cassette {

std::string apply_edits(std::string_view text, const std::vector<Edit>& edits) {
  std::size_t size = text.size();
  for (const Edit& edit : edits) size += edit.replacement.size();
  std::string result;
  result.reserve(size);
  std::size_t position = 0;
  for (const Edit& edit : edits) {
    result.append(text.substr(position, edit.offset - position));
    result.append(edit.replacement);
    position = edit.offset + edit.length;
  }
  result.append(text.substr(position));
  return result;
}

std::size_t offset_after_edits(std::size_t offset, const std::vector<Edit>& edits) {
  std::size_t moved = offset;
  for (const Edit& edit : edits) {
    if (edit.offset >= offset) break;
    // What was inside comes to lie behind the replacement.
    const std::size_t passed = std::min(edit.length, offset - edit.offset);
    moved = moved - passed + edit.replacement.size();
  }
  return moved;
}

std::vector<Edit> merge_edits(std::vector<Edit> first, const std::vector<Edit>& second) {
  if (second.empty()) return first;
  std::vector<Edit> result;
  result.reserve(first.size() + second.size());
  auto ours = first.begin();
  for (const Edit& other : second) {
    while (ours != first.end() && ours->offset + ours->length <= other.offset)
      result.push_back(std::move(*ours++));
    const bool overlaps = ours != first.end() && ours->offset < other.offset + other.length;
    if (!overlaps) result.push_back(other);
  }
  while (ours != first.end()) result.push_back(std::move(*ours++));
  return result;
}

}  // namespace cassette
