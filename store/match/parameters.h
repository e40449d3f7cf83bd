// Lists of parameters, `a=1&b=2`: the query of a URI and the body of a form. Split and decoded the
// way application/x-www-form-urlencoded means it. Allocates only where it says so.
#pragma once

#include <string>
#include <string_view>

namespace cassette {

struct Parameter {
  std::string_view name;    ///< as written
  std::string_view value;   ///< as written
  bool has_value = false;   ///< "a=" has an empty one, "a" has none
  bool plain_name = true;   ///< nothing in it is encoded, and there is no bracket
  bool plain_value = true;  ///< nothing in it is encoded
};

/// Takes the first parameter off `rest`; false when there is none left. Empty ones ("a=1&&b=2") are
/// left out.
inline bool next_parameter(std::string_view& rest, Parameter& parameter) {
  // Each byte is looked at once, and what has to be known about it is collected without branches:
  // names and values are so short that anything else costs more in mispredicted ends of loops than
  // it saves.
  const char* at = rest.data();
  const char* const end = at + rest.size();
  while (at != end && *at == '&') ++at;
  const char* const name = at;
  unsigned name_special = 0;
  for (; at != end && *at != '=' && *at != '&'; ++at) {
    name_special |= static_cast<unsigned>(*at == '%') | static_cast<unsigned>(*at == '+') |
                    static_cast<unsigned>(*at == '[');
  }
  parameter.name = {name, static_cast<std::size_t>(at - name)};
  parameter.plain_name = name_special == 0;
  parameter.has_value = at != end && *at == '=';
  if (parameter.has_value) ++at;
  const char* const value = at;
  unsigned value_special = 0;
  for (; at != end && *at != '&'; ++at) {
    value_special |= static_cast<unsigned>(*at == '%') | static_cast<unsigned>(*at == '+');
  }
  parameter.value = {value, static_cast<std::size_t>(at - value)};
  parameter.plain_value = value_special == 0;
  rest = {at, static_cast<std::size_t>(end - at)};
  return at != name;
}

inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Gives `put` each byte that the text stands for: `+` is a blank, `%41` is A. A `%` with no two
/// hexadecimal digits behind it stands for itself.
template <typename Put>
void percent_decode(std::string_view text, Put put) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      put(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      put(text[i] == '+' ? ' ' : text[i]);
    }
  }
}

/// Allocates.
inline std::string percent_decoded(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  percent_decode(text, [&result](char c) { result += c; });
  return result;
}

}  // namespace cassette
