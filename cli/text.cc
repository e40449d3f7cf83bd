// Bytes as text. See text.h.
#include "cli/text.h"

#include <algorithm>
#include <cstdio>

#include "store/formats/text.h"

namespace cassette {
namespace {

/// How many bytes the character at the beginning has; 0: they are not UTF-8.
std::size_t character_length(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return length <= bytes.size() && is_utf8(bytes.substr(0, length)) ? length : 0;
}

/// C0, DEL, and C1 (U+0080 to U+009F), which some terminals obey too.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

void append_escaped(std::string& out, std::string_view bytes) {
  for (char byte : bytes) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(byte));
    switch (byte) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += escape;
    }
  }
}

std::string escaped(std::string_view bytes, std::string_view kept) {
  std::string out;
  while (!bytes.empty()) {
    const std::size_t length = character_length(bytes);
    const std::string_view character = bytes.substr(0, std::max<std::size_t>(length, 1));
    if (length == 0 || (is_control(character) && kept.find(character) == std::string_view::npos)) {
      append_escaped(out, character);
    } else {
      out += character;
    }
    bytes.remove_prefix(character.size());
  }
  return out;
}

/// Characters, not bytes; wide ones are not counted as two.
std::size_t width(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

std::string on_one_line(std::string_view bytes) { return escaped(bytes, {}); }

std::string for_terminal(std::string_view bytes) { return escaped(bytes, "\n\t"); }

bool is_text(std::string_view bytes) {
  for (char c : bytes) {
    if (static_cast<unsigned char>(c) < 0x20 &&
        std::string_view("\t\n\v\f\r").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return is_utf8(bytes);
}

std::string hex_dump(std::string_view bytes, std::size_t limit) {
  constexpr std::size_t kRow = 16;
  std::string out;
  bytes = bytes.substr(0, limit);
  for (std::size_t begin = 0; begin < bytes.size(); begin += kRow) {
    char number[24];
    std::snprintf(number, sizeof number, "%08zx ", begin);
    out += number;
    const std::string_view row = bytes.substr(begin, kRow);
    std::string characters;
    for (std::size_t i = 0; i < kRow; ++i) {
      if (i == kRow / 2) out += ' ';
      if (i >= row.size()) {
        out += "   ";
        continue;
      }
      const auto byte = static_cast<unsigned char>(row[i]);
      std::snprintf(number, sizeof number, " %02x", byte);
      out += number;
      characters += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
    }
    out += "  |" + characters + "|\n";
  }
  return out;
}

std::string columns(const std::vector<std::vector<std::string>>& rows,
                    const std::vector<bool>& right_aligned, std::size_t widest) {
  std::vector<std::size_t> widths(right_aligned.size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], std::min(width(row[i]), widest));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - std::min(widths[i], width(row[i])), ' ');
      out += right_aligned[i] ? padding + row[i] : row[i] + padding;
      out += "  ";
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

}  // namespace cassette
