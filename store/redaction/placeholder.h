// What a value looks like, and what stands in its place once it is taken out. Knows no names. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace cassette {

inline constexpr std::string_view kRedacted = "<redacted>";

/// Whose value it is.
enum class Side : unsigned char { kRequest, kResponse };

/// What a value under an ordinary word (`token`, `sig`) must look like to count as a credential: at least 16 characters
/// of [A-Za-z0-9._~+/=-], a letter and a digit among them; or credentials with their scheme ("Bearer x"); or what
/// redaction left there. `value` may be percent-encoded, with `+` for itself. Allocates nothing.
bool looks_like_secret(std::string_view value);

/// An API key of Google's: `AIza` and 35 characters of [0-9A-Za-z_-]. Allocates nothing.
bool looks_like_google_key(std::string_view value);

/// A signed JSON Web Token (RFC 7519 section 3, RFC 7515 section 7.1): three parts in base64url, the first two JSON objects.
bool is_jwt(std::string_view value);

/// True for what placeholder_for() puts in place of a secret.
bool is_placeholder(std::string_view value);

/// Behind "Bearer " or "Basic ", where that is in front.
std::string_view without_scheme(std::string_view value);

/// What is written in place of a text. In an answer, which the program may look into, a JWT stays one that can be decoded: its
/// signature alone, without which nobody takes it for real, is replaced; and so does the scheme before a credential. An empty
/// text gives nothing away and stays. A placeholder's own is itself.
std::string placeholder_for(std::string_view value, Side side);

}  // namespace cassette
