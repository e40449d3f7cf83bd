// See likeness.h.
#include "store/match/likeness.h"

#include <string>

#include "store/match/key_hasher.h"
#include "store/match/match_parts.h"

namespace cassette {
namespace {

constexpr std::string_view kConditions[] = {"If-None-Match", "If-Modified-Since", "If-Match",
                                            "If-Unmodified-Since", "If-Range"};

/// Beside the conditions: what servers commonly choose their answer by.
constexpr std::string_view kChoosing[] = {
    "Range",        "Accept",     "Accept-Language",        "Accept-Encoding",
    "X-Amz-Target", "SOAPAction", "X-HTTP-Method-Override",
};

}  // namespace

std::uint64_t body_likeness(const Redactor& redactor, const RequestView& request) {
  const std::string body = comparable_body(&redactor, request);
  return XXH3_64bits(body.data(), body.size());
}

std::uint64_t field_likeness(const Redactor& redactor, const RequestView& request) {
  if (request.headers == nullptr) return 0;
  KeyHasher hasher;
  auto add = [&](std::string_view name) {
    const auto value = comparable_header(redactor, *request.headers, name);
    if (value) hasher.add(*value);
    hasher.end();
    hasher.add_number(value ? 1 : 0);
  };
  for (std::string_view name : kConditions) add(name);
  for (std::string_view name : kChoosing) add(name);
  return hasher.digest().low64;
}

MatchKey key_of_alike(const MatchKey& key, unsigned parts, std::uint32_t identity,
                      const Likeness& likeness) {
  const std::uint64_t values[] = {
      key.high,
      key.low,
      parts,
      identity,
      (parts & kLikeBody) != 0 ? likeness.body : 0,
      (parts & kLikeFields) != 0 ? likeness.fields : 0,
      (parts & kLikeSecrets) != 0 ? likeness.digests.fields : 0,
      (parts & kLikeSecrets) != 0 && (parts & kLikeBody) != 0 ? likeness.digests.body : 0,
  };
  const XXH128_hash_t hash = XXH3_128bits(values, sizeof values);
  return {hash.high64, hash.low64};
}

bool is_conditional(const Headers& headers) {
  for (std::string_view name : kConditions) {
    if (headers.find(name)) return true;
  }
  return false;
}

}  // namespace cassette
