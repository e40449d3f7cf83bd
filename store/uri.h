// Absolute http and https URIs (RFC 3986): taken apart for matching, put together for recording.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "parser/message.h"
#include "parser/result.h"

namespace cassette {

/// Views into the text that was parsed.
struct UriView {
  std::string_view scheme;     ///< as written, e.g. "http"
  std::string_view user_info;  ///< without "@"; usually empty
  std::string_view host;       ///< as written; an IPv6 address without its brackets
  std::uint16_t port = 0;      ///< explicit, or the scheme's default; 0 when the scheme has none
  std::string_view path;       ///< with its leading slash; may be empty
  std::string_view query;      ///< without "?"
  bool has_query = false;      ///< "/p?" has an empty one
};

/// No allocation. A fragment is dropped. Errors: no scheme, no host, a port that is no number.
Result<UriView> parse_uri(std::string_view text);

std::uint16_t default_port(std::string_view scheme);

/// localhost, 127.0.0.1, 0.0.0.0, ::1 (any case, no brackets): names of this machine that match
/// each other.
bool is_localhost(std::string_view host);

/// Where the connection that carries a request leads: what is known without the request.
struct Origin {
  std::string_view scheme;  ///< "http" or "https"
  std::string_view host;    ///< the name the program resolved, or the address
  std::uint16_t port = 0;
};

/// What a request is about, as views into the request and the origin. absolute-form targets say it
/// all (a client behind an HTTP proxy); otherwise host and port come from the Host header, and what
/// it does not say from the connection (a Host without port keeps the connection's port). A target
/// `*` has the path "*". Never fails: what cannot be parsed is taken as path.
UriView request_uri(const RequestMessage& request, const Origin& origin);

/// "scheme://host[:port]path[?query]": user info left out, default port left out, IPv6 in brackets,
/// an empty path as "/".
std::string format_uri(const UriView& uri);
/// The same into a buffer, without allocation and without NUL: what fits. Returns the whole length.
std::size_t format_uri(const UriView& uri, char* out, std::size_t size);

}  // namespace cassette
