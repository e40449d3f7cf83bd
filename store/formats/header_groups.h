// Header fields put together by name, as a cassette keeps them: names in the order of their first
// appearance, each with the list of its values. Names that differ in case stay apart.
#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "parser/headers.h"

namespace cassette {

struct HeaderGroup {
  std::string_view name;  ///< a view into the Headers
  std::vector<std::string_view> values;
};

inline std::vector<HeaderGroup> group_headers(const Headers& headers) {
  std::vector<HeaderGroup> groups;
  std::unordered_map<std::string_view, std::size_t> index_of;
  for (auto [name, value] : headers) {
    auto [found, is_new] = index_of.try_emplace(name, groups.size());
    if (is_new) groups.push_back({name, {}});
    groups[found->second].values.push_back(value);
  }
  return groups;
}

}  // namespace cassette
