// See latin_1.h.
#include "store/formats/latin_1.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "store/formats/header_groups.h"
#include "store/formats/text.h"

namespace cassette {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string to_text(std::string_view bytes) {
  std::string text;
  for (char c : bytes) append_utf8(text, static_cast<unsigned char>(c));
  return text;
}

std::string to_bytes(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size();) {
    const Character character = character_at(text, i);
    if (character.code > 0xFF) return std::string(text);
    bytes.push_back(static_cast<char>(character.code));
    i += character.length;
  }
  return bytes;
}

}  // namespace

std::optional<HeadersAsText> latin_1_text_of(const Headers& headers) {
  std::vector<std::string_view> names;  // of the fields to be coded
  const std::vector<HeaderGroup> groups = group_headers(headers);
  bool other_names = false;
  for (const HeaderGroup& group : groups) {
    if (is_utf8(group.name) && std::all_of(group.values.begin(), group.values.end(), is_utf8))
      continue;
    names.push_back(group.name);
    other_names = other_names || !is_ascii(group.name);
  }
  if (names.empty()) return std::nullopt;
  if (other_names) {
    // All of those then: a name that is coded could look like one that is not.
    for (const HeaderGroup& group : groups) {
      if (!is_ascii(group.name) && std::find(names.begin(), names.end(), group.name) == names.end())
        names.push_back(group.name);
    }
  }
  const std::unordered_set<std::string_view> coded(names.begin(), names.end());
  HeadersAsText text;
  for (auto [name, value] : headers) {
    if (coded.contains(name)) {
      text.headers.add(to_text(name), to_text(value));
    } else {
      text.headers.add(name, value);
    }
  }
  for (std::string_view name : names) text.coded.push_back(to_text(name));
  return text;
}

void restore_latin_1(Headers& headers, const std::vector<std::string>& coded) {
  if (coded.empty()) return;
  const std::unordered_set<std::string_view> names(coded.begin(), coded.end());
  Headers restored;
  for (auto [name, value] : headers) {
    if (names.contains(name)) {
      restored.add(to_bytes(name), to_bytes(value));
    } else {
      restored.add(name, value);
    }
  }
  headers = std::move(restored);
}

}  // namespace cassette
