// See placeholder.h.
#include "store/redaction/placeholder.h"

#include <algorithm>

#include "parser/headers.h"
#include "store/formats/text.h"
#include "store/match/parameters.h"

namespace cassette {
namespace {

constexpr std::size_t kShortestSecret = 16;
/// base64url("redacted")
constexpr std::string_view kRedactedSignature = "cmVkYWN0ZWQ";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_token_character(char c) {
  return is_letter(c) || is_digit(c) || std::string_view("._~+/=-").find(c) != std::string::npos;
}

/// The byte that begins at `i`, which is moved to its last character.
char decoded_at(std::string_view text, std::size_t& i) {
  if (text[i] != '%' || i + 2 >= text.size()) return text[i];
  const int high = hex_digit(text[i + 1]);
  const int low = hex_digit(text[i + 2]);
  if (high < 0 || low < 0) return text[i];
  i += 2;
  return static_cast<char>(high * 16 + low);
}

bool decodes_to(std::string_view text, std::string_view wanted) {
  std::size_t matched = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (matched == wanted.size() || decoded_at(text, i) != wanted[matched]) return false;
    ++matched;
  }
  return matched == wanted.size();
}

/// How long "Bearer " or "Basic " is, at the beginning (RFC 9110 section 11.4); 0: neither is there.
std::size_t scheme_length(std::string_view value) {
  for (const std::string_view scheme : {"bearer", "basic"}) {
    if (!equals_ignoring_case(value.substr(0, scheme.size()), scheme)) continue;
    std::size_t i = scheme.size();
    if (i < value.size() && decoded_at(value, i) == ' ') return i + 1;
  }
  return 0;
}

/// "Bearer x", and no prose ("Basic authentication").
bool is_credentials(std::string_view value) {
  const std::size_t scheme = scheme_length(value);
  std::size_t length = 0;
  bool mixed = false;
  for (std::size_t i = scheme; i < value.size(); ++i) {
    const char c = decoded_at(value, i);
    if (!is_token_character(c)) return false;
    mixed = mixed || is_digit(c) || (length > 0 && c >= 'A' && c <= 'Z');
    ++length;
  }
  return scheme > 0 && length >= 8 && mixed;
}

bool is_json_object(std::string_view base64url) {
  if (base64url.empty()) return false;
  std::string digits(base64url);
  for (char& c : digits) {
    if (c == '+' || c == '/' || c == '=') return false;
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  while (digits.size() % 4 != 0) digits += '=';
  const std::optional<std::string> text = decode_base64(digits);
  if (!text || !is_utf8(*text)) return false;
  const std::size_t first = text->find_first_not_of(" \t\r\n");
  const std::size_t last = text->find_last_not_of(" \t\r\n");
  return first != std::string::npos && first < last && (*text)[first] == '{' &&
         (*text)[last] == '}';
}

}  // namespace

bool looks_like_secret(std::string_view value) {
  std::size_t length = 0;
  bool letter = false;
  bool digit = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = decoded_at(value, i);
    letter = letter || is_letter(c);
    digit = digit || is_digit(c);
    ++length;
    if (!is_token_character(c)) return is_credentials(value) || decodes_to(value, kRedacted);
  }
  return length >= kShortestSecret && letter && digit;
}

bool looks_like_google_key(std::string_view value) {
  if (decodes_to(value, kRedacted)) return true;
  return value.size() == 39 && value.starts_with("AIza") &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; });
}

bool is_jwt(std::string_view value) {
  const std::size_t first = value.find('.');
  if (first == std::string_view::npos) return false;
  const std::size_t second = value.find('.', first + 1);
  if (second == std::string_view::npos) return false;
  const std::string_view signature = value.substr(second + 1);
  return std::all_of(signature.begin(), signature.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; }) &&
         is_json_object(value.substr(0, first)) &&
         is_json_object(value.substr(first + 1, second - first - 1));
}

bool is_placeholder(std::string_view value) {
  return value == kRedacted || (value.ends_with(kRedactedSignature) && is_jwt(value));
}

std::string_view without_scheme(std::string_view value) {
  return value.substr(scheme_length(value));
}

std::string placeholder_for(std::string_view value, Side side) {
  if (value.empty()) return {};
  if (side == Side::kRequest) return std::string(kRedacted);
  const std::size_t scheme = scheme_length(value);
  std::string result(value.substr(0, scheme));
  value.remove_prefix(scheme);
  if (!is_jwt(value)) return result.append(kRedacted);
  return result.append(value.substr(0, value.rfind('.') + 1)).append(kRedactedSignature);
}

}  // namespace cassette
