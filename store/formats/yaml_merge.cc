// See yaml_merge.h.
#include "store/formats/yaml_merge.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace cassette {
namespace {

/// A quoted one is an ordinary key.
bool is_merge_key(const DocumentNode& key) {
  if (!key.is_scalar() || key.text != "<<") return false;
  return key.plain ? key.tag.empty() : key.tag == "tag:yaml.org,2002:merge";
}

/// Pairs of maps that are merged, each key once: what comes later takes the place of what was there.
class Merged {
 public:
  void add(DocumentNode& map) {
    for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
      DocumentNode& key = map.items[i];
      if (key.is_scalar()) {
        auto [found, is_new] = place_.try_emplace(key.text, pairs_.size());
        if (!is_new) {
          pairs_[found->second + 1] = std::move(map.items[i + 1]);
          continue;
        }
      }
      pairs_.push_back(std::move(key));
      pairs_.push_back(std::move(map.items[i + 1]));
    }
  }

  std::vector<DocumentNode>& pairs() { return pairs_; }

 private:
  std::vector<DocumentNode> pairs_;
  std::unordered_map<std::string, std::size_t> place_;
};

bool add_value(Merged& merged, DocumentNode& value) {
  if (value.is_map()) {
    merged.add(value);
    return true;
  }
  auto is_map = [](const DocumentNode& item) { return item.is_map(); };
  if (!value.is_list() || !std::all_of(value.items.begin(), value.items.end(), is_map))
    return false;
  for (auto item = value.items.rbegin(); item != value.items.rend(); ++item) merged.add(*item);
  return true;
}

}  // namespace

int merge_keys(DocumentNode& map) {
  bool any = false;
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    any = any || is_merge_key(map.items[i]);
  }
  if (!any) return 0;
  Merged merged;
  std::vector<DocumentNode> own;
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    if (is_merge_key(map.items[i])) {
      if (!add_value(merged, map.items[i + 1])) return map.items[i].line;
      continue;
    }
    own.push_back(std::move(map.items[i]));
    own.push_back(std::move(map.items[i + 1]));
  }
  std::unordered_set<std::string_view> own_keys;
  for (std::size_t i = 0; i < own.size(); i += 2) {
    if (own[i].is_scalar()) own_keys.insert(own[i].text);
  }
  map.items.clear();
  std::vector<DocumentNode>& pairs = merged.pairs();
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (pairs[i].is_scalar() && own_keys.contains(pairs[i].text)) continue;
    map.items.push_back(std::move(pairs[i]));
    map.items.push_back(std::move(pairs[i + 1]));
  }
  std::move(own.begin(), own.end(), std::back_inserter(map.items));
  return 0;
}

}  // namespace cassette
