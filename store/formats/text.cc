// See text.h. Base64 is yaml-cpp's; it trusts its input (bytes over 0x7F index outside its table,
// truncated input is accepted), so that what it is given is checked here first.
#include "store/formats/text.h"

#include <simdjson.h>
#include <yaml-cpp/binary.h>

#include <chrono>
#include <cstdio>

namespace cassette {

bool is_utf8(std::string_view bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

std::string encode_base64(std::string_view bytes) {
  return YAML::EncodeBase64(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

int line_of_invalid_utf8(std::string_view text) {
  // No character contains a line end.
  int line = 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    if (!is_utf8(text.substr(0, end))) break;
    text.remove_prefix(end);
    ++line;
  }
  return line;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string digits;
  digits.reserve(text.size());
  std::size_t padding = 0;
  for (char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 c == '+' || c == '/';
    if (c == '=') {
      ++padding;
    } else if (!digit || padding > 0) {
      return std::nullopt;
    }
    digits += c;
  }
  if (padding > 2 || digits.size() % 4 != 0) return std::nullopt;
  std::vector<unsigned char> bytes = YAML::DecodeBase64(digits);
  return std::string(bytes.begin(), bytes.end());
}

std::optional<std::string> format_rfc3339(std::int64_t microseconds) {
  namespace chrono = std::chrono;
  chrono::sys_time<chrono::microseconds> time{chrono::microseconds{microseconds}};
  auto day = chrono::floor<chrono::days>(time);
  chrono::year_month_day date{day};
  int year = static_cast<int>(date.year());
  if (year < 1 || year > 9999) return std::nullopt;
  chrono::hh_mm_ss clock{time - day};
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", year,
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text;
}

namespace {

/// Takes exactly `count` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  namespace chrono = std::chrono;
  auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  auto day = take_digits(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ":")) return std::nullopt;
  auto second = take_digits(text, 2);
  if (!second || *second > 60) return std::nullopt;
  chrono::year_month_day date{chrono::year{*year}, chrono::month{static_cast<unsigned>(*month)},
                              chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;

  std::int64_t fraction = 0;
  if (take(text, ".,")) {
    int scale = 100000;
    bool any = false;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      fraction += (text.front() - '0') * scale;
      scale /= 10;
      any = true;
      text.remove_prefix(1);
    }
    if (!any) return std::nullopt;
  }

  int offset_minutes = 0;
  if (!text.empty() && !take(text, "Zz")) {
    bool west = text.front() == '-';
    if (!take(text, "+-")) return std::nullopt;
    auto hours = take_digits(text, 2);
    take(text, ":");
    auto minutes = take_digits(text, 2);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    offset_minutes = (*hours * 60 + *minutes) * (west ? -1 : 1);
  }
  if (!text.empty()) return std::nullopt;

  std::int64_t seconds = chrono::sys_days{date}.time_since_epoch().count() * std::int64_t{86400} +
                         *hour * 3600 + (*minute - offset_minutes) * 60 + *second;
  return seconds * 1000000 + fraction;
}

Character character_at(std::string_view utf8, std::size_t position) {
  auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(utf8[position + i]));
  };
  std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F),
          4};
}

void append_utf8(std::string& out, std::uint32_t code) {
  auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::string for_message(std::string_view bytes, std::size_t limit) {
  std::string out;
  for (char c : bytes.substr(0, limit)) out += c >= 0x20 && c < 0x7F ? c : '?';
  if (bytes.size() > limit) out += "...";
  return out;
}

}  // namespace cassette
