// See yaml_scalar.h. The styles are chosen so that YAML 1.1 (PyYAML) and 1.2 (yaml-cpp) agree on them:
// 1.1 takes U+0085, U+2028 and U+2029 as line ends, resolves `yes` and `12:30`, and refuses to read
// control characters as they are.
#include "store/formats/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "store/formats/text.h"

namespace cassette {
namespace {

/// May stand in a file as it is. The byte order mark may, but vanishes at too many hands.
bool is_printable(std::uint32_t code) {
  if (code < 0x7F) return code >= 0x20;
  if (code < 0xA0 || code == 0x2028 || code == 0x2029 || code == 0xFEFF) return false;
  return code != 0xFFFE && code != 0xFFFF;
}

struct Shape {
  bool has_newline = false;
  bool only_newlines = true;
  bool has_tab = false;
  bool unprintable = false;  ///< apart from line feed and tab
  bool space_at_line_end = false;
};

Shape shape_of(std::string_view text) {
  Shape shape;
  char before = '\n';
  for (std::size_t i = 0; i < text.size();) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\n') {
      shape.has_newline = true;
      if (before == ' ' || before == '\t') shape.space_at_line_end = true;
    } else {
      shape.only_newlines = false;
      if (byte == '\t') shape.has_tab = true;
    }
    if (byte < 0x80) {
      if (byte != '\n' && byte != '\t' && !is_printable(byte)) shape.unprintable = true;
      before = text[i++];
      continue;
    }
    Character character = character_at(text, i);
    if (!is_printable(character.code)) shape.unprintable = true;
    before = 'x';
    i += character.length;
  }
  if (before == ' ' || before == '\t') shape.space_at_line_end = true;
  return shape;
}

/// Words that a YAML 1.1 or 1.2 reader takes for something else than text.
bool is_special_word(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kWords = {"y",   "n",    "yes",   "no",  "on",
                                                             "off", "true", "false", "null"};
  if (text.size() > 5) return false;
  std::string lower;
  for (char c : text) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

/// Without quotes: narrower than YAML allows. What begins with a letter is no number and no date.
bool can_be_plain(std::string_view text) {
  if (text.empty() || text.back() == ' ' || text.back() == ':') return false;
  char first = text.front();
  bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
  if (!letter && first != '/') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] < 0x20 || text[i] > 0x7E) return false;
    if (text[i] == ':' && text[i + 1] == ' ') return false;
    if (text[i] == '#' && text[i - 1] == ' ') return false;
  }
  return !is_special_word(text);
}

void append_single_quoted(std::string& out, std::string_view text) {
  out += '\'';
  for (char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  out += '\'';
}

void append_escape(std::string& out, std::uint32_t code) {
  char buffer[12];
  const char* format = code <= 0xFF ? "\\x%02X" : code <= 0xFFFF ? "\\u%04X" : "\\U%08X";
  std::snprintf(buffer, sizeof buffer, format, static_cast<unsigned>(code));
  out += buffer;
}

void append_double_quoted(std::string& out, std::string_view text, std::size_t indent) {
  out += '"';
  bool line_begins = false;
  for (std::size_t i = 0; i < text.size();) {
    Character character = character_at(text, i);
    switch (character.code) {
      case '\n':
        out += "\\n";
        if (i + 1 < text.size()) {
          out += "\\\n";
          out.append(indent, ' ');
        }
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case ' ':
        // A reader skips white space at the beginning of a line.
        out += line_begins ? "\\ " : " ";
        break;
      default:
        if (is_printable(character.code)) {
          out.append(text, i, character.length);
        } else {
          append_escape(out, character.code);
        }
    }
    line_begins = character.code == '\n';
    i += character.length;
  }
  out += '"';
}

/// A literal block. Its last line end belongs to what follows in the file, and is left out here.
void append_literal(std::string& out, std::string_view text, std::size_t indent) {
  out += '|';
  // A reader takes the indentation from the first line, unless told (libyaml refuses a tab there).
  if (text.front() == ' ' || text.front() == '\t' || text.front() == '\n') out += '2';
  if (text.back() != '\n') {
    out += '-';
  } else {
    text.remove_suffix(1);
    if (text.back() == '\n') out += '+';
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    out += '\n';
    if (end > begin) {
      out.append(indent, ' ');
      out.append(text, begin, end - begin);
    }
    begin = end + 1;
  }
}

void append_binary(std::string& out, std::string_view bytes, std::size_t indent,
                   ScalarPlace place) {
  constexpr std::size_t kColumns = 76;
  std::string digits = encode_base64(bytes);
  if (place == ScalarPlace::kAfterDash) {
    out += "!!binary \"" + digits + "\"";
    return;
  }
  out += "!!binary |";
  for (std::size_t i = 0; i < digits.size(); i += kColumns) {
    out += '\n';
    out.append(indent, ' ');
    out.append(digits, i, kColumns);
  }
}

}  // namespace

void append_yaml_scalar(std::string& out, std::string_view text, std::size_t indent,
                        ScalarPlace place) {
  if (!is_utf8(text)) {
    append_binary(out, text, indent, place);
    return;
  }
  Shape shape = shape_of(text);
  if (shape.has_newline) {
    if (shape.unprintable || shape.space_at_line_end || shape.only_newlines) {
      append_double_quoted(out, text, indent);
    } else {
      append_literal(out, text, indent);
    }
  } else if (shape.unprintable || shape.has_tab) {
    append_double_quoted(out, text, indent);
  } else if (can_be_plain(text)) {
    out += text;
  } else {
    append_single_quoted(out, text);
  }
}

void append_yaml_key(std::string& out, std::string_view key, std::size_t indent) {
  // A key that is to stand before its colon has one line and, for most readers, at most 1024 bytes.
  constexpr std::size_t kLong = 128;
  std::string text;
  append_yaml_scalar(text, key, indent + 2, ScalarPlace::kAfterDash);
  if (text.size() <= kLong && text.find('\n') == std::string::npos) {
    out += text;
  } else {
    out += "? ";
    out += text;
    out += '\n';
    out.append(indent, ' ');
  }
  out += ':';
}

}  // namespace cassette
