// Match keys: what a request comes down to. See match.h; match_differences.cc tells requests apart
// for people. Nothing here may depend on anything but the request and the settings: keys are kept
// in compiled cassettes that other processes map.
#include "store/match/match.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "store/match/canonical_body.h"
#include "store/match/failed_place.h"
#include "store/match/key_hasher.h"
#include "store/match/match_parts.h"
#include "store/match/media_type.h"
#include "store/match/parameters.h"
#include "store/redaction/plain_body.h"

namespace cassette {
namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

/// The percent-encodings that mean the same are hashed as one: `%2f` as `%2F` (RFC 3986 section
/// 6.2.2.1), `%7E` as `~` (section 6.2.2.2), `%3C` as the `<` that may not stand there, and that is
/// what a program makes of a placeholder. Whether `%2F` and `/` are the same is up to the server:
/// they are kept apart.
void add_as_written(KeyHasher& hasher, std::string_view text) {
  if (std::memchr(text.data(), '%', text.size()) == nullptr) {
    hasher.add(text);
    return;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      hasher.add(text[i]);
      continue;
    }
    const char decoded = static_cast<char>(high * 16 + low);
    if (is_unreserved(decoded) || decoded == '<' || decoded == '>') {
      hasher.add(decoded);
    } else {
      hasher.add('%');
      hasher.add("0123456789ABCDEF"[high]);
      hasher.add("0123456789ABCDEF"[low]);
    }
    i += 2;
  }
}

void add_path(KeyHasher& hasher, std::string_view path) {
  // As format_uri() writes it: an empty path is "/", the "*" of OPTIONS is "/*".
  if (path.empty() || path.front() != '/') hasher.add('/');
  if (!path.empty()) add_as_written(hasher, path);
  hasher.end();
}

/// A parameter is hashed as its decoded text "name=value", with an `=` or `%` within the name kept
/// encoded. The usual one stands like that in the request: then nothing is copied.
XXH128_hash_t hash_parameter(const Redactor& redactor, const Parameter& parameter,
                             KeyHasher& scratch) {
  const std::string_view name = parameter.name;
  const std::string_view value = parameter.value;
  const bool hidden = parameter.has_value && redactor.hides_query(parameter);
  if (parameter.plain_name && parameter.plain_value && parameter.has_value && !hidden) {
    return XXH3_128bits(name.data(), name.size() + 1 + value.size());
  }
  scratch.reset();
  if (parameter.plain_name) {
    scratch.add(name);
  } else {
    percent_decode(name, [&scratch](char c) {
      if (c == '=') {
        scratch.add("%3D");
      } else if (c == '%') {
        scratch.add("%25");
      } else {
        scratch.add(c);
      }
    });
  }
  scratch.add('=');
  if (hidden) {
    scratch.add(kRedacted);
  } else if (parameter.plain_value) {
    scratch.add(value);
  } else {
    percent_decode(value, [&scratch](char c) { scratch.add(c); });
  }
  return scratch.digest();
}

/// How many parameters of the same name stood before one. Up to kKept names it remembers where they
/// are, and allocates nothing.
class Ranks {
 public:
  Ranks() {}  // NOLINT: see names_
  std::uint64_t of(const Parameter& parameter) {
    if (count_ == kKept) return of_many(parameter);
    std::uint64_t rank = 0;
    for (std::size_t i = 0; i < count_; ++i) rank += same_name(name(i), parameter.name) ? 1 : 0;
    names_[count_++] = {parameter.name.data(), parameter.name.size()};
    return rank;
  }

 private:
  static constexpr std::size_t kKept = 64;

  static bool same_name(std::string_view a, std::string_view b) {
    if (a == b) return true;
    constexpr std::string_view kEncoded = "%+";
    if (a.find_first_of(kEncoded) == a.npos && b.find_first_of(kEncoded) == b.npos) return false;
    return percent_decoded(a) == percent_decoded(b);
  }

  std::string_view name(std::size_t i) const { return {names_[i].begin, names_[i].size}; }

  std::uint64_t of_many(const Parameter& parameter) {
    if (many_.empty()) {
      for (std::size_t i = 0; i < count_; ++i) ++many_[percent_decoded(name(i))];
    }
    return many_[percent_decoded(parameter.name)]++;
  }

  std::size_t count_ = 0;
  struct Name {
    const char* begin;
    std::size_t size;
  } names_[kKept];  // without a value until it is used: this is on the fast path
  std::unordered_map<std::string, std::uint64_t> many_;
};

/// The order of parameters does not matter but for those of one name, how often each is there does:
/// so their hashes are added up, which needs neither memory nor sorting.
void add_query(KeyHasher& hasher, const Redactor& redactor, std::string_view query) {
  std::uint64_t count = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (!query.empty()) {
    KeyHasher scratch;
    Parameter parameter;
    Ranks ranks;
    while (next_parameter(query, parameter)) {
      XXH128_hash_t hash = hash_parameter(redactor, parameter, scratch);
      if (const std::uint64_t rank = ranks.of(parameter); rank != 0) {
        scratch.reset();
        scratch.add_number(hash.low64);
        scratch.add_number(hash.high64);
        scratch.add_number(rank);
        hash = scratch.digest();
      }
      low += hash.low64;
      high += hash.high64 + (low < hash.low64 ? 1 : 0);
      ++count;
    }
  }
  hasher.add_number(count);
  hasher.add_number(low);
  hasher.add_number(high);
}

void add_uri(KeyHasher& hasher, const Redactor& redactor, const UriView& uri) {
  hasher.add_lower(uri.scheme);
  hasher.end();
  hasher.add_lower(is_localhost(uri.host) ? "localhost" : uri.host);
  hasher.end();
  hasher.add_number(uri.port);
  add_path(hasher, uri.path);
  // In the order in which they are written: that is what tells `uri` from `query`.
  std::string_view rest = uri.query;
  hasher.add(uri.has_query ? "?" : "");
  Parameter parameter;
  while (next_parameter(rest, parameter)) {
    hasher.add('&');
    add_as_written(hasher, parameter.name);
    if (!parameter.has_value) continue;
    hasher.add('=');
    if (redactor.hides_query(parameter)) {
      hasher.add(kRedacted);
    } else if (!parameter.value.empty()) {
      add_as_written(hasher, parameter.value);
    }
  }
  hasher.end();
}

/// Several fields of a name are one list (RFC 9110 section 5.3).
void add_header(KeyHasher& hasher, const Redactor& redactor, const Headers* headers,
                std::string_view name) {
  const std::optional<std::string> value =
      headers != nullptr ? comparable_header(redactor, *headers, name) : std::nullopt;
  if (value) hasher.add(*value);
  hasher.end();
  hasher.add_number(value ? 1 : 0);
}

}  // namespace

RequestView view_of(const Interaction& interaction) {
  RequestView view;
  view.method = interaction.request.method;
  if (auto uri = parse_uri(interaction.uri)) {
    view.uri = *uri;
  } else {
    view.uri.path = interaction.uri;
  }
  view.headers = &interaction.request.headers;
  view.body = interaction.request.body;
  return view;
}

std::string comparable_body(const Redactor* redactor, const RequestView& request) {
  std::string_view type;
  PlainBody plain;
  if (request.headers != nullptr) {
    type = request.headers->find("Content-Type").value_or("");
    plain = plain_body(*request.headers, request.body);
  }
  const std::string_view body = plain.decoded ? std::string_view(plain.text) : request.body;
  return canonical_body(
      type, redactor != nullptr ? redactor->redact_body(type, body) : std::string(body));
}

Matcher::Matcher(MatchOn match_on, Redactor redactor)
    : match_on_(std::move(match_on)), redactor_(std::move(redactor)) {}

MatchKey Matcher::key(const RequestView& request) const {
  KeyHasher hasher;
  const UriView& uri = request.uri;
  if (is_failed_place(uri.scheme)) {
    hasher.add(uri.scheme);
    hasher.end();
    hasher.add_lower(is_localhost(uri.host) ? "localhost" : uri.host);
    hasher.end();
    hasher.add_number(uri.port);
    const XXH128_hash_t hash = hasher.digest();
    return {hash.high64, hash.low64};
  }
  if (match_on_.method) {
    hasher.add(request.method);
    hasher.end();
  }
  if (match_on_.scheme) {
    hasher.add_lower(uri.scheme);
    hasher.end();
  }
  if (match_on_.host) {
    hasher.add_lower(is_localhost(uri.host) ? "localhost" : uri.host);
    hasher.end();
  }
  if (match_on_.port) hasher.add_number(uri.port);
  if (match_on_.path) add_path(hasher, uri.path);
  if (match_on_.query) add_query(hasher, redactor_, uri.query);
  if (match_on_.uri) add_uri(hasher, redactor_, uri);
  if (match_on_.body) {
    hasher.add(comparable_body(&redactor_, request));
    hasher.end();
  }
  for (const std::string& name : match_on_.header_names)
    add_header(hasher, redactor_, request.headers, name);
  const XXH128_hash_t hash = hasher.digest();
  return {hash.high64, hash.low64};
}

std::optional<std::string> comparable_header(const Redactor& redactor, const Headers& headers,
                                             std::string_view name) {
  std::optional<std::string> all;
  for (const Headers::Field field : headers) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (all) {
      *all += ", ";
    } else {
      all.emplace();
    }
    *all += redactor.redact_header(field.name, field.value);
  }
  // Each client makes its own up, for each request.
  if (all && equals_ignoring_case(name, "Content-Type")) {
    const std::string boundary = header_parameter(*all, "boundary");
    const std::size_t at = boundary.empty() ? all->npos : all->rfind(boundary);
    if (at != all->npos) all->replace(at, boundary.size(), "boundary");
  }
  return all;
}

bool same_header(const Redactor& redactor, const Headers& recorded, const Headers& incoming,
                 std::string_view name) {
  // The length follows from the body, which `body` compares; of a redacted body it is another one.
  if (equals_ignoring_case(name, "Content-Length")) return true;
  if (redactor.hides_header(name)) return incoming.find(name).has_value();
  return comparable_header(redactor, recorded, name) == comparable_header(redactor, incoming, name);
}

bool Matcher::headers_match(const Headers& recorded, const Headers& incoming) const {
  if (!match_on_.headers) return true;
  for (const Headers::Field field : recorded) {
    if (!same_header(redactor_, recorded, incoming, field.name)) return false;
  }
  return true;
}

}  // namespace cassette
