// See yaml_repair.h.
#include "store/formats/yaml_repair.h"

#include <algorithm>
#include <optional>

#include "store/formats/text.h"

namespace cassette {
namespace {

/// Past tag, anchor, white space and comments: at the scalar itself.
std::size_t skip_properties(std::string_view document, std::size_t position) {
  while (position < document.size()) {
    char c = document[position];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++position;
    } else if (c == '!' || c == '&') {
      position = document.find_first_of(" \t\r\n", position);
    } else if (c == '#') {
      position = document.find('\n', position);
    } else {
      break;
    }
  }
  return position;
}

/// How many line ends a quoted scalar ends in. `inside` begins behind the opening quote.
std::size_t line_ends_at_end(std::string_view inside, char quote) {
  std::size_t line_ends = 0;  // that the scalar, read so far, ends in
  std::size_t breaks = 0;     // of the document, since then
  bool spaces = false;        // since the last of these
  // One break folds into a space; of several the first vanishes.
  auto fold = [&] {
    if (breaks == 1 || (breaks == 0 && spaces)) line_ends = 0;
    if (breaks > 1) line_ends += breaks - 1;
    breaks = 0;
    spaces = false;
  };
  for (std::size_t i = 0; i < inside.size(); ++i) {
    char c = inside[i];
    if (c == quote) {
      if (quote == '\'' && inside.substr(i + 1).starts_with('\'')) {
        ++i;
      } else {
        fold();
        return line_ends;
      }
    }
    if (c == '\n' || c == '\r') {
      if (c == '\r' && inside.substr(i + 1).starts_with('\n')) ++i;
      ++breaks;
      spaces = false;
    } else if (c == ' ' || c == '\t') {
      spaces = true;
    } else if (c == '\\' && quote == '"' && i + 1 < inside.size()) {
      fold();
      char escaped = inside[++i];
      if (escaped == 'n') {
        ++line_ends;
      } else if (escaped == '\n' || escaped == '\r') {
        // The break is taken out; further ones count in full.
        if (escaped == '\r' && inside.substr(i + 1).starts_with('\n')) ++i;
        std::size_t next = i + 1;
        while (next < inside.size() && (inside[next] == ' ' || inside[next] == '\t')) ++next;
        if (next < inside.size() && (inside[next] == '\n' || inside[next] == '\r')) breaks = 1;
        i = next - 1;
      } else {
        line_ends = 0;
      }
    } else {
      fold();
      line_ends = 0;
    }
  }
  return line_ends;
}

/// The same for a folded block that keeps them (`>+`). `inside` begins behind the `>`. Nothing where the
/// indentation cannot be told from the block alone.
std::optional<std::size_t> line_ends_of_block(std::string_view inside) {
  std::size_t header_ends = inside.find('\n');
  if (header_ends == std::string_view::npos) return std::nullopt;
  std::string_view header = inside.substr(0, std::min(inside.find(' '), header_ends));
  if (header != "+" && header != "+\r") return std::nullopt;
  std::optional<std::size_t> indent;
  std::size_t line_ends = 0;
  for (std::size_t begin = header_ends + 1; begin < inside.size();) {
    std::size_t end = std::min(inside.find('\n', begin), inside.size());
    std::string_view line = inside.substr(begin, end - begin);
    std::size_t spaces = std::min(line.find_first_not_of(' '), line.size());
    if (spaces == line.size() || line.substr(spaces) == "\r") {
      ++line_ends;
    } else {
      if (!indent) indent = spaces;
      if (spaces < *indent) return line_ends;
      line_ends = end < inside.size() ? 1 : 0;
    }
    begin = end + 1;
  }
  return line_ends;
}

}  // namespace

void repair_escapes(std::string& scalar) {
  if (is_utf8(scalar)) return;
  std::string repaired;
  repaired.reserve(scalar.size() + 16);
  // At the beginning of a character no other byte like these can stand: the document was valid.
  for (std::size_t i = 0; i < scalar.size();) {
    auto byte = static_cast<unsigned char>(scalar[i]);
    if (byte == 0x85 || byte == 0xA0) {
      append_utf8(repaired, byte);
      ++i;
      continue;
    }
    std::size_t length = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    repaired.append(scalar, i, length);
    i += length;
  }
  scalar = std::move(repaired);
}

void repair_line_ends(std::string_view document, std::size_t position, std::string& scalar) {
  // What is chomped keeps one line end, or was made of nothing else.
  if (!scalar.empty() && scalar.back() != '\n') return;
  position = skip_properties(document, position);
  if (position >= document.size()) return;
  char first = document[position];
  std::string_view inside = document.substr(position + 1);
  std::optional<std::size_t> line_ends;
  if (first == '"' || first == '\'') line_ends = line_ends_at_end(inside, first);
  if (first == '>') line_ends = line_ends_of_block(inside);
  if (!line_ends) return;
  std::size_t content = scalar.find_last_not_of('\n');
  scalar.resize(content == std::string::npos ? 0 : content + 1);
  scalar.append(*line_ends, '\n');
}

}  // namespace cassette
