// See media_type.h.
#include "store/match/media_type.h"

#include <algorithm>

#include "parser/headers.h"

namespace cassette {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

bool contains_ignoring_case(std::string_view text, std::string_view word) {
  for (std::size_t i = 0; i + word.size() <= text.size(); ++i) {
    if (equals_ignoring_case(text.substr(i, word.size()), word)) return true;
  }
  return false;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
  return equals_ignoring_case(text.substr(0, start.size()), start);
}

/// Behind what may stand before JSON: a byte order mark, the prefix that keeps it from being run as a script, blanks.
std::string_view json_text(std::string_view body) {
  if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);
  body.remove_prefix(std::min(body.find_first_not_of(" \t\r\n"), body.size()));
  if (!body.starts_with(")]}'")) return body;
  body.remove_prefix(4);
  if (body.starts_with(",")) body.remove_prefix(1);
  body.remove_prefix(std::min(body.find_first_not_of(" \t\r\n"), body.size()));
  return body;
}

bool begins_like_json(std::string_view body) {
  body = json_text(body);
  return body.starts_with('{') || body.starts_with('[');
}

/// JSON that can hold a name: `{"`, `[{`, `[[`, `["`.
bool is_visibly_json(std::string_view body) {
  body = json_text(body);
  if (body.size() < 2) return false;
  const std::size_t next = body.find_first_not_of(" \t\r\n", 1);
  if (next == std::string_view::npos) return false;
  if (body.front() == '{') return body[next] == '"';
  return body.front() == '[' && (body[next] == '{' || body[next] == '[' || body[next] == '"');
}

/// `name=value&name=value`, and no byte that a form encodes. (What redaction puts there is not encoded.)
bool is_visibly_form(std::string_view body) {
  constexpr std::size_t kMost = std::size_t{1} << 20;
  if (body.size() > kMost) return false;
  bool in_name = true;
  std::size_t name = 0;
  for (const char c : body) {
    if (c == '&') {
      if (in_name) return false;
      in_name = true;
      name = 0;
    } else if (in_name && c == '=') {
      if (name == 0) return false;
      in_name = false;
    } else if (in_name) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      const bool digit = c >= '0' && c <= '9';
      if (!letter && !digit && std::string_view("_-.[]%+").find(c) == std::string_view::npos)
        return false;
      ++name;
    } else if (static_cast<unsigned char>(c) <= ' ' || c == 0x7F) {
      return false;
    }
  }
  return !in_name;
}

/// The value of the header `name` in the head of a part.
std::string_view field(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::size_t end = head.find('\n');
    const std::string_view line = head.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos &&
        equals_ignoring_case(trimmed(line.substr(0, colon)), name)) {
      return trimmed(line.substr(colon + 1));
    }
    head = end == std::string_view::npos ? std::string_view() : head.substr(end + 1);
  }
  return {};
}

/// Where the next delimiter line begins (at its first dash), from `from` on; npos: there is none.
std::size_t find_delimiter(std::string_view body, std::string_view boundary, std::size_t from) {
  for (std::size_t at = from;; ++at) {
    at = body.find("--", at);
    if (at == std::string_view::npos) return at;
    const bool starts_line = at == 0 || body[at - 1] == '\n';
    if (starts_line && body.substr(at + 2, boundary.size()) == boundary) return at;
  }
}

}  // namespace

BodyKind body_kind(std::string_view content_type, std::string_view body) {
  const std::string_view type = trimmed(content_type.substr(0, content_type.find(';')));
  if (contains_ignoring_case(type, "json"))
    return BodyKind::kJson;  // also ndjson, x-amz-json-1.1, +json
  if (equals_ignoring_case(type, "text/event-stream")) return BodyKind::kEventStream;
  if (equals_ignoring_case(type, "application/x-www-form-urlencoded")) return BodyKind::kForm;
  if (starts_with_ignoring_case(type, "multipart/")) return BodyKind::kMultipart;
  const bool says_little = type.empty() || starts_with_ignoring_case(type, "text/") ||
                           contains_ignoring_case(type, "javascript");
  return says_little && begins_like_json(body) ? BodyKind::kJson : BodyKind::kBytes;
}

BodyKind visible_kind(std::string_view content_type, std::string_view body) {
  const BodyKind kind = body_kind(content_type, body);
  if (kind == BodyKind::kMultipart) return kind;
  if (is_visibly_json(body)) return BodyKind::kJson;
  return is_visibly_form(body) ? BodyKind::kForm : kind;
}

std::string header_parameter(std::string_view value, std::string_view name) {
  std::size_t position = value.find(';');
  while (position != std::string_view::npos) {
    std::string_view rest = trimmed(value.substr(position + 1));
    const std::size_t end_of_name = rest.find_first_of("=;");
    const bool has_value = end_of_name != std::string_view::npos && rest[end_of_name] == '=';
    const bool wanted =
        has_value && equals_ignoring_case(trimmed(rest.substr(0, end_of_name)), name);
    std::string text;
    if (has_value) rest = trimmed(rest.substr(end_of_name + 1));
    std::size_t i = 0;
    if (has_value && !rest.empty() && rest.front() == '"') {
      for (i = 1; i < rest.size() && rest[i] != '"'; ++i) {
        if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
        text += rest[i];
      }
    } else if (has_value) {
      text = trimmed(rest.substr(0, rest.find(';')));
    }
    if (wanted) return text;
    // `rest` is a view into `value`: go on behind this parameter.
    const std::size_t next = rest.find(';', i);
    if (next == std::string_view::npos) break;
    position = static_cast<std::size_t>(rest.data() - value.data()) + next;
  }
  return {};
}

std::vector<BodyPart> multipart_parts(std::string_view boundary, std::string_view body) {
  std::vector<BodyPart> parts;
  if (boundary.empty()) return parts;
  std::size_t at = find_delimiter(body, boundary, 0);
  while (at != std::string_view::npos) {
    const std::size_t line_end = body.find('\n', at);
    const std::size_t after = at + 2 + boundary.size();
    if (line_end == std::string_view::npos || body.substr(after, 2) == "--") break;
    const std::size_t begin = line_end + 1;
    const std::size_t next = find_delimiter(body, boundary, begin);
    // The line break before a delimiter belongs to the delimiter; a body that was cut short has
    // none.
    std::size_t end = body.size();
    if (next != std::string_view::npos) {
      end = next;
      if (end > begin && body[end - 1] == '\n') --end;
      if (end > begin && body[end - 1] == '\r') --end;
    }
    std::string_view part = body.substr(begin, end - begin);
    std::size_t head_end = 0;
    std::size_t content = 0;
    if (part.substr(0, 2) == "\r\n") {
      content = 2;
    } else if (part.substr(0, 1) == "\n") {
      content = 1;
    } else if (std::size_t blank = part.find("\n\r\n"); blank != std::string_view::npos) {
      head_end = blank + 1;
      content = blank + 3;
    } else if (blank = part.find("\n\n"); blank != std::string_view::npos) {
      head_end = blank + 1;
      content = blank + 2;
    } else {
      // Without an empty line there is a head alone. An empty content would be a place to put
      // something, which would then belong to the head.
      at = next;
      continue;
    }
    const std::string_view head = part.substr(0, head_end);
    parts.push_back({field(head, "Content-Disposition"), field(head, "Content-Type"),
                     begin + content, part.size() - content});
    at = next;
  }
  return parts;
}

std::string with_fixed_boundary(std::string_view boundary, std::string_view body) {
  std::string result;
  if (boundary.empty()) return std::string(body);
  std::size_t position = 0;
  for (;;) {
    const std::size_t at = find_delimiter(body, boundary, position);
    if (at == std::string_view::npos) break;
    result.append(body.substr(position, at - position));
    result += "--boundary";
    position = at + 2 + boundary.size();
  }
  result.append(body.substr(position));
  return result;
}

}  // namespace cassette
