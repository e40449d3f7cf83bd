// Small conversions that several formats need: base64, UTF-8, times. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cassette {

bool is_utf8(std::string_view bytes);
/// For a message about text that is not: 1-based.
int line_of_invalid_utf8(std::string_view text);

std::string encode_base64(std::string_view bytes);
/// White space anywhere is skipped. Nothing when it is no complete base64.
std::optional<std::string> decode_base64(std::string_view text);

/// "2024-01-31T23:59:59.000001Z"; nothing outside the years 1 to 9999, which other tools cannot read.
std::optional<std::string> format_rfc3339(std::int64_t microseconds);
/// Any number of digits of a second (cut after six), `Z`, an offset, or no zone (taken as UTC).
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

/// One character of valid UTF-8: its code point, and how many bytes it takes.
struct Character {
  std::uint32_t code = 0;
  std::size_t length = 1;
};
Character character_at(std::string_view utf8, std::size_t position);
void append_utf8(std::string& out, std::uint32_t code);

/// Views of arbitrary bytes fit for an error message: printable ASCII, cut to `limit`.
std::string for_message(std::string_view bytes, std::size_t limit = 60);

}  // namespace cassette
