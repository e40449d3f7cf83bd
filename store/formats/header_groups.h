// Header fields put together by name, as a cassette keeps them: names in the order of their first
// appearance, each with the list of its values. Names that differ in case stay apart.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
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

/// The names of all fields in the order that they were sent in, when the groups do not tell it (A, B, A);
/// else nothing. Kept as `response.header_order`, so that replay sends what the server sent.
inline std::vector<std::string_view> order_beyond_groups(const Headers& headers,
                                                         const std::vector<HeaderGroup>& groups) {
  std::size_t at = 0;
  bool told = true;
  for (const HeaderGroup& group : groups) {
    for (std::size_t i = 0; i < group.values.size(); ++i)
      told = told && headers.at(at++).name == group.name;
  }
  std::vector<std::string_view> order;
  if (!told) {
    for (auto [name, value] : headers) order.push_back(name);
  }
  return order;
}

/// Puts fields into the order of `names`. False, and nothing changed, when the names do not fit the
/// fields: somebody edited one and not the other.
inline bool put_in_order(Headers& headers, const std::vector<std::string>& names) {
  if (names.size() != headers.size()) return false;
  std::vector<HeaderGroup> groups = group_headers(headers);
  std::unordered_map<std::string_view, std::size_t> taken;
  Headers ordered;
  for (const std::string& name : names) {
    std::size_t& next = taken[name];
    const HeaderGroup* group = nullptr;
    for (const HeaderGroup& candidate : groups) {
      if (candidate.name == name) group = &candidate;
    }
    if (group == nullptr || next == group->values.size()) return false;
    ordered.add(name, group->values[next++]);
  }
  headers = std::move(ordered);
  return true;
}

}  // namespace cassette
