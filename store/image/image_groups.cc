// See image_groups.h.
#include "store/image/image_groups.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "store/match/failed_place.h"
#include "store/match/likeness.h"

namespace cassette {

using namespace image_layout;

namespace {

struct KeyHash {
  std::size_t operator()(const MatchKey& key) const { return static_cast<std::size_t>(key.low); }
};

/// A group while it is being made.
struct Group {
  std::vector<std::uint32_t> members;
  std::uint32_t flags = 0;
};

/// In the order in which the keys first came, so that equal cassettes make equal images.
class GroupList {
 public:
  Group& at(const MatchKey& key) {
    auto [found, is_new] = index_.try_emplace(key, groups_.size());
    if (is_new) {
      keys_.push_back(key);
      groups_.emplace_back();
    }
    return groups_[found->second];
  }
  std::size_t size() const { return groups_.size(); }
  const MatchKey& key(std::size_t i) const { return keys_[i]; }
  Group& group(std::size_t i) { return groups_[i]; }

 private:
  std::unordered_map<MatchKey, std::size_t, KeyHash> index_;
  std::vector<MatchKey> keys_;
  std::vector<Group> groups_;
};

class Grouping {
 public:
  Grouping(const Cassette& cassette, const Matcher& matcher, std::uint64_t digest_key)
      : interactions_(cassette.interactions),
        matcher_(matcher),
        digest_key_(digest_key_text(digest_key)) {}

  ImageGroups take() && {
    group_by_key();
    const std::size_t groups = list_.size();
    for (std::size_t i = 0; i < groups; ++i) divide(i);
    lay_out();
    return std::move(result_);
  }

 private:
  void group_by_key() {
    const auto count = static_cast<std::uint32_t>(interactions_.size());
    std::vector<std::uint64_t>& origins = result_.origins;
    likeness_.resize(count);
    result_.identity.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      const RequestView request = view_of(interactions_[i]);
      Group& group = list_.at(matcher_.key(request));
      group.members.push_back(i);
      if (const RedactedDigests& digests = interactions_[i].redacted; digests.key == digest_key_) {
        likeness_[i].digests = fold(digests, matcher_.match_on());
      }
      result_.identity[i] = likeness_[i].digests.identity;
      if (result_.identity[i] != 0) group.flags |= Image::kHasIdentities;
      if (asks(interactions_[i]) != 0) group.flags |= Image::kHasConditions;
      by_priority_ = by_priority_ || interactions_[i].priority != 0;
      if (request.uri.host.empty() || is_failed_place(request.uri.scheme)) continue;
      const std::uint64_t origin = origin_hash(request.uri.host, request.uri.port);
      if (origins.size() < 2 || origins[origins.size() - 2] != origin) {
        origins.push_back(origin);
        origins.push_back(origin_hash(request.uri.host, 0));
      }
    }
    std::sort(origins.begin(), origins.end());
    origins.erase(std::unique(origins.begin(), origins.end()), origins.end());
  }

  /// Makes the groups within one, where its members are not all alike.
  void divide(std::size_t at) {
    const MatchKey key = list_.key(at);
    const std::vector<std::uint32_t> members = list_.group(at).members;
    std::uint32_t flags = list_.group(at).flags;
    if (members.size() > 1) {
      flags |= differences(members);
      result_.bodies_vary = result_.bodies_vary || (flags & kLikeBody) != 0;
    }
    list_.group(at).flags = flags;
    const unsigned varies = flags & Image::kVaries;
    for (std::uint32_t i : members) {
      const std::uint32_t identity = result_.identity[i];
      if (identity != 0)
        list_.at(key_of_alike(key, 0, identity, likeness_[i])).members.push_back(i);
      for (unsigned parts : LikenessOrders(varies)) {
        list_.at(key_of_alike(key, parts, 0, likeness_[i])).members.push_back(i);
        if (identity != 0)
          list_.at(key_of_alike(key, parts, identity, likeness_[i])).members.push_back(i);
      }
    }
  }

  /// In which parts these are not all alike.
  unsigned differences(const std::vector<std::uint32_t>& members) {
    auto differ = [&](auto value) {
      return std::any_of(members.begin() + 1, members.end(),
                         [&](std::uint32_t i) { return value(i) != value(members.front()); });
    };
    // The bytes first: most are equal, and looking into bodies takes its time.
    unsigned varies = 0;
    const Redactor& redactor = matcher_.redactor();
    const bool bytes_differ =
        differ([&](std::uint32_t i) { return std::string_view(interactions_[i].request.body); });
    if (bytes_differ) {
      for (std::uint32_t i : members)
        likeness_[i].body = body_likeness(redactor, view_of(interactions_[i]));
    }
    if (differ([&](std::uint32_t i) { return likeness_[i].body; }) ||
        differ([&](std::uint32_t i) { return likeness_[i].digests.body; })) {
      varies |= kLikeBody;
    }
    for (std::uint32_t i : members)
      likeness_[i].fields = field_likeness(redactor, view_of(interactions_[i]));
    if (differ([&](std::uint32_t i) { return likeness_[i].fields; })) varies |= kLikeFields;
    if (differ([&](std::uint32_t i) { return likeness_[i].digests.fields; }) ||
        differ([&](std::uint32_t i) { return likeness_[i].digests.body; })) {
      varies |= kLikeSecrets;
    }
    if ((varies & kLikeBody) != 0 && !bytes_differ) {
      for (std::uint32_t i : members)
        likeness_[i].body = body_likeness(redactor, view_of(interactions_[i]));
    }
    return varies;
  }

  void lay_out() {
    std::vector<Image::Slot>& slots = result_.slots;
    slots.resize(std::bit_ceil(std::max<std::size_t>(2 * list_.size(), 2)));
    result_.group_of.resize(interactions_.size());
    const auto mask = static_cast<std::uint32_t>(slots.size() - 1);
    std::vector<std::uint32_t> slot_of(list_.size());
    for (std::size_t i = 0; i < list_.size(); ++i) {
      const MatchKey& key = list_.key(i);
      std::uint32_t at = static_cast<std::uint32_t>(key.low) & mask;
      while (slots[at].count != 0) at = (at + 1) & mask;
      slots[at].high = key.high;
      slots[at].low = key.low;
      slots[at].count = static_cast<std::uint32_t>(list_.group(i).members.size());
      slots[at].flags = list_.group(i).flags;
      slot_of[i] = at;
    }
    for (std::size_t i = 0; i < list_.size(); ++i) {
      Group& group = list_.group(i);
      if (by_priority_) {
        std::stable_sort(group.members.begin(), group.members.end(),
                         [&](std::uint32_t a, std::uint32_t b) {
                           return interactions_[a].priority > interactions_[b].priority;
                         });
      }
      slots[slot_of[i]].first = static_cast<std::uint32_t>(result_.members.size());
      result_.members.insert(result_.members.end(), group.members.begin(), group.members.end());
    }
    // The groups by match key came first, and each interaction is in one of them.
    std::vector<bool> has_group(interactions_.size());
    for (std::size_t i = 0; i < list_.size(); ++i) {
      for (std::uint32_t member : list_.group(i).members) {
        if (!has_group[member]) result_.group_of[member] = slot_of[i];
        has_group[member] = true;
      }
    }
  }

  const std::vector<Interaction>& interactions_;
  const Matcher& matcher_;
  const std::string digest_key_;
  GroupList list_;
  std::vector<Likeness> likeness_;
  bool by_priority_ = false;
  ImageGroups result_;
};

}  // namespace

std::uint16_t image_layout::asks(const Interaction& interaction) {
  const int status = interaction.response.status;
  const Headers& headers = interaction.request.headers;
  if (!interaction.error.empty()) return 0;
  if (status == 206 || status == 416) return headers.find("Range") ? kAsksRange : 0;
  if (status == 304 || status == 412) return is_conditional(headers) ? kAsksCondition : 0;
  return 0;
}

ImageGroups group_interactions(const Cassette& cassette, const Matcher& matcher,
                               std::uint64_t digest_key) {
  return Grouping(cassette, matcher, digest_key).take();
}

}  // namespace cassette
