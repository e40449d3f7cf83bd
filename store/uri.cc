// Takes absolute URIs and request targets apart, as views into the text. See uri.h. Must not
// allocate but for errors: this is on the way of every request.
#include "store/uri.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace cassette {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_alpha(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

bool is_scheme(std::string_view text) {
  return !text.empty() && is_alpha(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
         });
}

struct HostAndPort {
  std::string_view host;
  std::uint16_t port = 0;  ///< 0: none is named
};

/// False when it is neither "host" nor "host:port" nor one of them with an IPv6 address in
/// brackets.
bool split_host(std::string_view text, HostAndPort& result) {
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    result.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return false;
  } else {
    const std::size_t colon = text.find(':');
    result.host = text.substr(0, colon);
    if (colon != std::string_view::npos) rest = text.substr(colon);
  }
  result.port = 0;
  if (result.host.empty()) return false;
  // "host:" names no port (RFC 3986 section 3.2.3).
  if (rest.size() <= 1) return true;
  rest.remove_prefix(1);
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), result.port);
  return error == std::errc() && end == rest.data() + rest.size() && result.port != 0;
}

std::string_view without_fragment(std::string_view text) { return text.substr(0, text.find('#')); }

void split_path(std::string_view text, UriView& uri) {
  const std::size_t question = text.find('?');
  uri.path = text.substr(0, question);
  uri.has_query = question != std::string_view::npos;
  uri.query = uri.has_query ? text.substr(question + 1) : std::string_view();
}

enum class Problem { kNone, kNoScheme, kNoHost, kBadPort };

Problem parse(std::string_view text, UriView& uri) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon)))
    return Problem::kNoScheme;
  uri.scheme = text.substr(0, colon);
  text = without_fragment(text.substr(colon + 3));
  std::size_t end = 0;
  while (end < text.size() && text[end] != '/' && text[end] != '?') ++end;
  std::string_view authority = text.substr(0, end);
  // The last one: a user name or password that was not encoded may hold another.
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    uri.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  HostAndPort place;
  if (!split_host(authority, place))
    return place.host.empty() ? Problem::kNoHost : Problem::kBadPort;
  uri.host = place.host;
  uri.port = place.port != 0 ? place.port : default_port(uri.scheme);
  split_path(text.substr(end), uri);
  return Problem::kNone;
}

bool equals(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(),
                    [](char a, char b) { return lower(a) == b; });
}

}  // namespace

Result<UriView> parse_uri(std::string_view text) {
  UriView uri;
  std::string_view reason;
  switch (parse(text, uri)) {
    case Problem::kNone:
      return uri;
    case Problem::kNoScheme:
      reason = "it does not begin with a scheme, such as http://";
      break;
    case Problem::kNoHost:
      reason = "it has no host";
      break;
    case Problem::kBadPort:
      reason = "its port is not a number from 1 to 65535";
      break;
  }
  return Error{"not an absolute URI: \"" + std::string(text) + "\": " + std::string(reason)};
}

std::uint16_t default_port(std::string_view scheme) {
  if (equals(scheme, "http") || equals(scheme, "ws")) return 80;
  if (equals(scheme, "https") || equals(scheme, "wss")) return 443;
  return 0;
}

bool is_localhost(std::string_view host) {
  return equals(host, "localhost") || host == "127.0.0.1" || host == "0.0.0.0" || host == "::1";
}

UriView request_uri(const RequestMessage& request, const Origin& origin) {
  const std::string_view target = request.target;
  UriView uri;
  if (target.empty() || target.front() != '/') {
    if (parse(target, uri) == Problem::kNone) return uri;
    uri = UriView();
  }

  uri.scheme = origin.scheme;
  uri.host = origin.host;
  uri.port = origin.port != 0 ? origin.port : default_port(origin.scheme);
  HostAndPort place;
  if (request.method == "CONNECT" && split_host(target, place)) {
    uri.host = place.host;
    if (place.port != 0) uri.port = place.port;
    return uri;
  }
  const auto header = request.headers.find("Host");
  if (header && split_host(*header, place)) {
    uri.host = place.host;
    if (place.port != 0) uri.port = place.port;
  }
  // A target should have no fragment; where it has, the server ignores it as parse_uri() does.
  split_path(without_fragment(target), uri);
  return uri;
}

namespace {

/// Gives `put` the parts of the text, in order.
template <typename Put>
void format_parts(const UriView& uri, Put put) {
  const bool brackets = uri.host.find(':') != std::string_view::npos;
  put(uri.scheme);
  put(brackets ? "://[" : "://");
  put(uri.host);
  if (brackets) put("]");
  if (uri.port != 0 && uri.port != default_port(uri.scheme)) {
    std::array<char, 8> digits{':'};
    auto end = std::to_chars(digits.data() + 1, digits.data() + digits.size(), uri.port).ptr;
    put(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }
  // "*" and an empty path get the slash without which they could not be told from the host.
  if (uri.path.empty() || uri.path.front() != '/') put("/");
  put(uri.path);
  if (uri.has_query) {
    put("?");
    put(uri.query);
  }
}

}  // namespace

std::string format_uri(const UriView& uri) {
  std::string text;
  text.reserve(uri.scheme.size() + uri.host.size() + uri.path.size() + uri.query.size() + 16);
  format_parts(uri, [&text](std::string_view part) { text += part; });
  return text;
}

std::size_t format_uri(const UriView& uri, char* out, std::size_t size) {
  std::size_t length = 0;
  format_parts(uri, [&](std::string_view part) {
    if (length < size) part.copy(out + length, size - length);
    length += part.size();
  });
  return length;
}

}  // namespace cassette
