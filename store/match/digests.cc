// See digests.h.
#include "store/match/digests.h"

#include <charconv>
#include <cstdio>
#include <string>

#include "store/match/key_hasher.h"
#include "store/match/match_parts.h"
#include "store/match/parameters.h"

namespace cassette {
namespace {

constexpr std::string_view kQuery = "query";
constexpr std::string_view kBody = "body";
constexpr std::string_view kHeader = "header:";

using Digest = std::uint16_t;

Digest digest_from(std::uint64_t hash) { return static_cast<Digest>(hash >> 48); }

bool holds_placeholder(std::string_view value) { return value.find(kRedacted) != value.npos; }

/// Calls `each(prefix, name, digest)` for each part that hides something; the part is called prefix + name.
template <typename Each>
void each_digest(const Redactor& redactor, std::uint64_t key, const RequestView& request,
                 Each each) {
  KeyHasher hasher;
  std::uint64_t query = 0;
  bool in_query = false;
  std::string_view rest = request.uri.query;
  Parameter parameter;
  while (next_parameter(rest, parameter)) {
    if (!parameter.has_value || !redactor.hides_query(parameter)) continue;
    hasher.reset();
    hasher.add_number(key);
    percent_decode(parameter.name, [&hasher](char c) { hasher.add(c); });
    hasher.end();
    std::size_t size = 0;
    char begin[kRedacted.size()];
    percent_decode(parameter.value, [&](char c) {
      hasher.add(c);
      if (size < sizeof begin) begin[size] = c;
      ++size;
    });
    if (size == sizeof begin && std::string_view(begin, size) == kRedacted) continue;
    query += hasher.digest().low64;
    in_query = true;
  }
  if (in_query) each(kQuery, std::string_view(), digest_from(query));

  const std::size_t fields = request.headers != nullptr ? request.headers->size() : 0;
  for (std::size_t i = 0; i < fields; ++i) {
    const Headers::Field field = request.headers->at(i);
    if (!redactor.hides_header(field.name) || holds_placeholder(field.value)) continue;
    bool is_first = true;
    for (std::size_t j = 0; j < i && is_first; ++j) {
      is_first = !equals_ignoring_case(request.headers->at(j).name, field.name);
    }
    if (!is_first) continue;
    hasher.reset();
    hasher.add_number(key);
    for (std::size_t j = i; j < fields; ++j) {
      const Headers::Field other = request.headers->at(j);
      if (!equals_ignoring_case(other.name, field.name)) continue;
      hasher.add(other.value);
      hasher.end();
    }
    each(kHeader, field.name, digest_from(hasher.digest().low64));
  }

  if (request.body.empty() || !redactor.any_body()) return;
  const std::string plain = comparable_body(nullptr, request);
  if (plain == comparable_body(&redactor, request)) return;
  hasher.reset();
  hasher.add_number(key);
  hasher.add(plain);
  each(kBody, std::string_view(), digest_from(hasher.digest().low64));
}

/// Adds up, because parts come in any order.
class Fold {
 public:
  explicit Fold(const MatchOn& match_on) : match_on_(match_on) {}

  void add(std::string_view prefix, std::string_view name, Digest digest) {
    KeyHasher hasher;
    hasher.add(prefix);
    hasher.add_lower(name);
    hasher.end();
    hasher.add_number(digest);
    const auto hash = static_cast<std::uint32_t>(hasher.digest().low64) | 1u;
    std::uint32_t& rest = prefix == kBody ? folded_.body : folded_.fields;
    (is_covered(prefix, name) ? folded_.identity : rest) += hash;
  }

  FoldedDigests take() const { return folded_; }

 private:
  bool is_covered(std::string_view prefix, std::string_view name) const {
    if (prefix == kQuery) return match_on_.query || match_on_.uri;
    if (prefix == kBody) return match_on_.body;
    if (match_on_.headers) return true;
    for (const std::string& matched : match_on_.header_names) {
      if (equals_ignoring_case(matched, name)) return true;
    }
    return false;
  }

  const MatchOn& match_on_;
  FoldedDigests folded_;
};

}  // namespace

RedactedDigests digests_of(const Redactor& redactor, std::uint64_t key,
                           const RequestView& request) {
  RedactedDigests digests;
  auto add = [&digests](std::string_view prefix, std::string_view name, Digest digest) {
    std::string part(prefix);
    for (char c : name) part += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    char text[5];
    std::snprintf(text, sizeof text, "%04x", digest);
    digests.digests.push_back({std::move(part), text});
  };
  each_digest(redactor, key, request, add);
  if (!digests.digests.empty()) digests.key = digest_key_text(key);
  return digests;
}

RedactedDigests without_digests(std::uint64_t key) { return {digest_key_text(key), {}}; }

bool has_placeholder(const Interaction& interaction) {
  return holds_placeholder(interaction.uri) || holds_placeholder(interaction.request.body);
}

FoldedDigests fold(const RedactedDigests& digests, const MatchOn& match_on) {
  Fold folded(match_on);
  for (const RedactedDigests::Digest& digest : digests.digests) {
    std::string_view name = digest.part;
    std::string_view prefix = name;
    if (name.starts_with(kHeader)) {
      prefix = kHeader;
      name.remove_prefix(kHeader.size());
    } else {
      name = {};
    }
    Digest value = 0;
    std::from_chars(digest.text.data(), digest.text.data() + digest.text.size(), value, 16);
    folded.add(prefix, name, value);
  }
  return folded.take();
}

FoldedDigests folded_digests_of(const Redactor& redactor, std::uint64_t key,
                                const MatchOn& match_on, const RequestView& request) {
  Fold folded(match_on);
  each_digest(redactor, key, request,
              [&folded](std::string_view prefix, std::string_view name, Digest digest) {
                folded.add(prefix, name, digest);
              });
  return folded.take();
}

std::uint64_t digest_key(std::string_view text) {
  std::uint64_t key = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key, 16);
  return error == std::errc() && end == text.data() + text.size() ? key : 0;
}

std::string digest_key_text(std::uint64_t key) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(key));
  return text;
}

}  // namespace cassette
