// Match keys: what a request comes down to. See match.h; match_differences.cc tells requests apart
// for people. Nothing here may depend on anything but the request and the settings: keys are kept
// in compiled cassettes that other processes map.
#include "store/match/match.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "store/match/canonical_body.h"
#include "store/match/failed_place.h"
#include "store/match/key_hasher.h"
#include "store/match/match_parts.h"
#include "store/match/parameters.h"
#include "store/redaction/plain_body.h"

namespace cassette {
namespace {

/// `%2f` and `%2F` are the same octet (RFC 3986 section 6.2.2.1). Whether `%41` and `A` are the
/// same is up to the server: they are kept apart.
void add_as_written(KeyHasher& hasher, std::string_view text) {
  if (std::memchr(text.data(), '%', text.size()) == nullptr) {
    hasher.add(text);
    return;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    hasher.add(text[i]);
    if (text[i] != '%') continue;
    for (int digit = 0; digit < 2 && i + 1 < text.size() && hex_digit(text[i + 1]) >= 0; ++digit) {
      const char c = text[++i];
      hasher.add(c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c);
    }
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

/// The order of parameters does not matter, how often each is there does: so their hashes are added
/// up, which needs neither memory nor sorting.
void add_query(KeyHasher& hasher, const Redactor& redactor, std::string_view query) {
  std::uint64_t count = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (!query.empty()) {
    KeyHasher scratch;
    Parameter parameter;
    while (next_parameter(query, parameter)) {
      const XXH128_hash_t hash = hash_parameter(redactor, parameter, scratch);
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

void add_header(KeyHasher& hasher, const Redactor& redactor, const Headers* headers,
                std::string_view name) {
  std::uint64_t count = 0;
  if (headers != nullptr) {
    for (const Headers::Field field : *headers) {
      if (!equals_ignoring_case(field.name, name)) continue;
      hasher.add(redactor.redact_header(field.name, field.value));
      hasher.end();
      ++count;
    }
  }
  hasher.add_number(count);
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

std::string comparable_body(const Redactor& redactor, const RequestView& request) {
  std::string_view type;
  PlainBody plain;
  if (request.headers != nullptr) {
    type = request.headers->find("Content-Type").value_or("");
    plain = plain_body(*request.headers, request.body);
  }
  const std::string_view body = plain.decoded ? std::string_view(plain.text) : request.body;
  return canonical_body(type, redactor.redact_body(type, body));
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
    hasher.add(comparable_body(redactor_, request));
    hasher.end();
  }
  for (const std::string& name : match_on_.header_names)
    add_header(hasher, redactor_, request.headers, name);
  const XXH128_hash_t hash = hasher.digest();
  return {hash.high64, hash.low64};
}

bool same_header(const Redactor& redactor, const Headers& recorded, const Headers& incoming,
                 std::string_view name) {
  // The length follows from the body, which `body` compares; of a redacted body it is another one.
  if (equals_ignoring_case(name, "Content-Length")) return true;
  if (redactor.hides_header(name)) return incoming.find(name).has_value();
  auto next = [name](const Headers& headers, std::size_t& at) {
    while (at < headers.size() && !equals_ignoring_case(headers.at(at).name, name)) ++at;
    return at < headers.size();
  };
  std::size_t r = 0;
  std::size_t i = 0;
  for (;; ++r, ++i) {
    const bool more_recorded = next(recorded, r);
    const bool more_incoming = next(incoming, i);
    if (more_recorded != more_incoming) return false;
    if (!more_recorded) return true;
    if (redactor.redact_header(name, recorded.at(r).value) !=
        redactor.redact_header(name, incoming.at(i).value)) {
      return false;
    }
  }
}

bool Matcher::headers_match(const Headers& recorded, const Headers& incoming) const {
  if (!match_on_.headers) return true;
  for (const Headers::Field field : recorded) {
    if (!same_header(redactor_, recorded, incoming, field.name)) return false;
  }
  return true;
}

}  // namespace cassette
