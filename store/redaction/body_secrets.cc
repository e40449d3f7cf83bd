// See body_secrets.h.
//
// JSON is scanned, not parsed: a parser turns down a whole body for a lone surrogate, a number of
// 30 digits, a cut-off end or a second value behind the first, and then the secrets in it would be
// recorded. The scanner needs nothing but that strings are quoted and a key is a string before a
// colon. All bytes that it does not replace stay as they are.
#include "store/redaction/body_secrets.h"

#include <algorithm>

#include "store/match/media_type.h"
#include "store/match/parameters.h"

namespace cassette {
namespace {

constexpr std::string_view kRedactedJson = "\"<redacted>\"";
constexpr std::string_view kRedactedJsonCutOff = "\"<redacted>";
constexpr int kMaxNestedParts = 4;

class Finder {
 public:
  Finder(const Redactor& redactor, std::string_view body) : redactor_(redactor), body_(body) {}

  std::vector<Edit> take() { return std::move(edits_); }

  void find(std::string_view content_type, std::size_t begin, std::size_t end, int depth) {
    const std::string_view text = body_.substr(begin, end - begin);
    switch (body_kind(content_type, text)) {
      case BodyKind::kBytes:
        break;
      case BodyKind::kJson:
        find_in_json(begin, end);
        break;
      case BodyKind::kEventStream:
        find_in_events(begin, end);
        break;
      case BodyKind::kForm:
        find_in_form(text);
        break;
      case BodyKind::kMultipart:
        if (depth < kMaxNestedParts) find_in_parts(content_type, begin, end, depth);
        break;
    }
  }

 private:
  void edit(std::size_t begin, std::size_t end, std::string_view replacement) {
    if (body_.substr(begin, end - begin) != replacement)
      edits_.push_back({begin, end - begin, replacement});
  }

  void find_in_form(std::string_view text) {
    Parameter parameter;
    while (next_parameter(text, parameter)) {
      if (!parameter.has_value || !redactor_.hides_form_field(parameter)) continue;
      const auto begin = static_cast<std::size_t>(parameter.value.data() - body_.data());
      edit(begin, begin + parameter.value.size(), kRedacted);
    }
  }

  void find_in_parts(std::string_view content_type, std::size_t begin, std::size_t end, int depth) {
    const std::string boundary = header_parameter(content_type, "boundary");
    for (const BodyPart& part : multipart_parts(boundary, body_.substr(begin, end - begin))) {
      const std::size_t from = begin + part.offset;
      const std::string name = header_parameter(part.disposition, "name");
      if (!name.empty() && redactor_.hides_form_field(name)) {
        edit(from, from + part.length, kRedacted);
      } else {
        find(part.content_type, from, from + part.length, depth + 1);
      }
    }
  }

  void find_in_events(std::size_t begin, std::size_t end) {
    while (begin < end) {
      const std::size_t line_end = std::min(body_.find_first_of("\r\n", begin), end);
      if (body_.substr(begin, 5) == "data:") find_in_json(begin + 5, line_end);
      begin = line_end + 1;
    }
  }

  void find_in_json(std::size_t i, std::size_t end) {
    int depth = 0;
    int hidden_from = 0;  // all within the value at this depth is hidden; 0: nothing is
    while (i < end) {
      const char c = body_[i];
      if (c == '{' || c == '[') {
        ++depth;
        ++i;
      } else if (c == '}' || c == ']') {
        if (hidden_from != 0 && depth <= hidden_from) hidden_from = 0;
        depth = std::max(depth - 1, 0);
        ++i;
      } else if (c == '"') {
        const std::size_t string_end = end_of_string(i, end, hidden_from != 0);
        const std::size_t next = skip_blanks(string_end, end);
        if (next < end && body_[next] == ':') {
          const bool hidden = hidden_from == 0 && hides_key(body_.substr(i, string_end - i));
          i = skip_blanks(next + 1, end);
          if (!hidden || i >= end) continue;
          if (body_[i] == '{' || body_[i] == '[') {
            hidden_from = depth + 1;
          } else {
            i = hide_scalar(i, end);
          }
        } else {
          i = hidden_from != 0 ? hide_scalar(i, end) : string_end;
        }
      } else if (hidden_from != 0 && begins_number(c)) {
        i = hide_scalar(i, end);
      } else {
        ++i;
      }
    }
  }

  /// Replaces a string or a number; true, false and null give nothing away and stay.
  std::size_t hide_scalar(std::size_t i, std::size_t end) {
    if (body_[i] == '"') {
      const std::size_t string_end = end_of_string(i, end, true);
      const bool complete = string_end > i + 1 && body_[string_end - 1] == '"';
      edit(i, string_end, complete ? kRedactedJson : kRedactedJsonCutOff);
      return string_end;
    }
    if (!begins_number(body_[i])) return i;
    std::size_t number_end = i + 1;
    while (number_end < end && continues_number(body_[number_end])) ++number_end;
    edit(i, number_end, kRedactedJson);
    return number_end;
  }

  /// Behind the closing quote of the string that begins at `i`. A raw line break, which JSON does
  /// not allow, ends a string too (so that one broken line of many leaves the others readable),
  /// unless the string is to be hidden.
  std::size_t end_of_string(std::size_t i, std::size_t end, bool over_lines) const {
    for (++i; i < end; ++i) {
      if (body_[i] == '\\') {
        ++i;
      } else if (body_[i] == '"') {
        return i + 1;
      } else if (body_[i] == '\n' && !over_lines) {
        return i;
      }
    }
    return end;
  }

  std::size_t skip_blanks(std::size_t i, std::size_t end) const {
    while (i < end && (body_[i] == ' ' || body_[i] == '\t' || body_[i] == '\r' || body_[i] == '\n'))
      ++i;
    return i;
  }

  static bool begins_number(char c) { return (c >= '0' && c <= '9') || c == '-'; }
  static bool continues_number(char c) {
    return begins_number(c) || c == '+' || c == '.' || c == 'e' || c == 'E';
  }

  /// `quoted` has its quotes.
  bool hides_key(std::string_view quoted) const {
    const std::string_view key = quoted.substr(1, quoted.size() < 2 ? 0 : quoted.size() - 2);
    if (key.find('\\') == std::string_view::npos) return redactor_.hides_body(key);
    // Only ASCII can make a name of the list; anything else becomes a byte that is in none of them.
    std::string plain;
    for (std::size_t i = 0; i < key.size(); ++i) {
      if (key[i] != '\\' || i + 1 == key.size()) {
        plain += key[i];
      } else if (key[++i] != 'u') {
        plain += key[i];
      } else {
        int code = 0;
        for (int digit = 0; digit < 4; ++digit) {
          const int value = i + 1 < key.size() ? hex_digit(key[i + 1]) : -1;
          if (value < 0) break;
          code = code * 16 + value;
          ++i;
        }
        plain += code < 0x80 ? static_cast<char>(code) : '\x01';
      }
    }
    return redactor_.hides_body(plain);
  }

  const Redactor& redactor_;
  std::string_view body_;
  std::vector<Edit> edits_;
};

}  // namespace

std::vector<Edit> find_body_secrets(const Redactor& redactor, std::string_view content_type,
                                    std::string_view body) {
  if (body.empty() || !redactor.any_body()) return {};
  Finder finder(redactor, body);
  finder.find(content_type, 0, body.size(), 0);
  return finder.take();
}

std::string apply_edits(std::string_view body, const std::vector<Edit>& edits) {
  std::string result;
  result.reserve(body.size() + edits.size() * kRedactedJson.size());
  std::size_t position = 0;
  for (const Edit& edit : edits) {
    result.append(body.substr(position, edit.offset - position));
    result.append(edit.replacement);
    position = edit.offset + edit.length;
  }
  result.append(body.substr(position));
  return result;
}

std::size_t offset_after_edits(std::size_t offset, const std::vector<Edit>& edits) {
  std::size_t moved = offset;
  for (const Edit& edit : edits) {
    if (edit.offset >= offset) break;
    // What was inside comes to lie behind the replacement.
    const std::size_t passed = std::min(edit.length, offset - edit.offset);
    moved = moved - passed + edit.replacement.size();
  }
  return moved;
}

}  // namespace cassette
