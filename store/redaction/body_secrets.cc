// See body_secrets.h.
//
// JSON is scanned, not parsed: a parser turns down a whole body for a lone surrogate, a number of
// 30 digits, a cut-off end or a second value behind the first, and then the secrets in it would be
// recorded. The scanner needs nothing but that strings are quoted and a key is a string before a
// colon. All bytes that it does not replace stay as they are.
#include "store/redaction/body_secrets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "store/match/media_type.h"
#include "store/match/parameters.h"
#include "store/redaction/decoded_text.h"

namespace cassette {
namespace {

constexpr int kMostNested = 4;

/// What Redactor::as_before() puts in place of a number.
constexpr char kTextForNumber[] = "\"<redacted>\"";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool begins_number(char c) { return (c >= '0' && c <= '9') || c == '-'; }
bool continues_number(char c) {
  return begins_number(c) || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/// JSON in UTF-16 (RFC 8259 section 8.1 forbids it, RFC 4627 did not), by the zeros about its first character.
std::optional<Writing> utf16_of(std::string_view body) {
  if (body.starts_with("\xff\xfe") || body.starts_with("\xfe\xff")) body.remove_prefix(2);
  auto opens = [](char c) { return c == '{' || c == '['; };
  while (body.size() >= 4) {
    if (body[1] == '\0' && is_blank(body[0]) && body[3] == '\0') {
      body.remove_prefix(2);
    } else if (body[0] == '\0' && is_blank(body[1]) && body[2] == '\0') {
      body.remove_prefix(2);
    } else {
      break;
    }
  }
  if (body.size() < 4) return std::nullopt;
  if (opens(body[0]) && body[1] == '\0' && body[2] != '\0' && body[3] == '\0')
    return Writing::kUtf16Little;
  if (body[0] == '\0' && opens(body[1]) && body[2] == '\0' && body[3] != '\0')
    return Writing::kUtf16Big;
  return std::nullopt;
}

/// How long the line before the first chunk of `aws-chunked` is: a size, and perhaps `;chunk-signature=...`. 0: there is none.
std::size_t aws_chunk_line(std::string_view body) {
  std::size_t digits = 0;
  while (digits < body.size() && digits < 9 && hex_digit(body[digits]) >= 0) ++digits;
  const std::size_t end = body.substr(0, 128).find("\r\n");
  const bool is_line = digits > 0 && digits < 9 && end != std::string_view::npos &&
                       (end == digits || body.substr(digits).starts_with(";chunk-signature="));
  return is_line ? end + 2 : 0;
}

class Finder {
 public:
  Finder(const Redactor& redactor, std::string_view body, Side side, Taken* taken, int depth)
      : redactor_(redactor), body_(body), side_(side), taken_(taken), depth_(depth) {}

  std::vector<Edit> take() { return std::move(edits_); }

  void find(std::string_view content_type, std::size_t begin, std::size_t end, int depth) {
    begin += aws_chunk_line(body_.substr(begin, end - begin));
    const std::string_view text = body_.substr(begin, end - begin);
    if (const auto utf16 = utf16_of(text); utf16 && depth_ < kMostNested) {
      const std::size_t mark = text[0] == '\xff' || text[0] == '\xfe' ? 2 : 0;
      find_nested(begin + mark, end, *utf16);
      return;
    }
    switch (visible_kind(content_type, text)) {
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
        if (depth < kMostNested) find_in_parts(content_type, begin, end, depth);
        break;
    }
  }

 private:
  void edit(std::size_t begin, std::size_t end, std::string replacement) {
    if (body_.substr(begin, end - begin) == replacement) return;
    if (taken_ != nullptr) ++taken_->count;
    edits_.push_back({begin, end - begin, std::move(replacement)});
  }

  /// The bytes [begin, end) mean `value`, which is taken out.
  void hide_text(std::size_t begin, std::size_t end, const std::string& value, bool by_name) {
    std::string placeholder = placeholder_for(value, side_);
    if (placeholder.empty() && redactor_.is_as_before()) placeholder = kRedacted;
    if (taken_ != nullptr && value != placeholder) taken_->add(value, by_name);
    edit(begin, end, std::move(placeholder));
  }

  /// The bytes [begin, end) are text in another writing, with JSON in it.
  void find_nested(std::size_t begin, std::size_t end, Writing writing) {
    const DecodedText decoded = decode_text(body_.substr(begin, end - begin), writing);
    Finder inner(redactor_, decoded.text, side_, taken_, depth_ + 1);
    inner.find("application/json", 0, decoded.text.size(), 0);
    for (const Edit& found : inner.take())
      edits_.push_back(edit_as_written(decoded, found, begin, writing));
  }

  void find_in_form(std::string_view text) {
    Parameter parameter;
    while (next_parameter(text, parameter)) {
      if (!parameter.has_value) continue;
      const auto begin = static_cast<std::size_t>(parameter.value.data() - body_.data());
      const std::size_t end = begin + parameter.value.size();
      if (redactor_.hides_form_field(parameter)) {
        const std::string value = percent_decoded(parameter.value);
        if (taken_ != nullptr && value != kRedacted) taken_->add(value, true);
        edit(begin, end, std::string(kRedacted));
      } else if (depth_ < kMostNested && may_be_json(parameter.value)) {
        find_nested(begin, end, Writing::kForm);
      }
    }
  }

  /// Of a form's field: `{"` or `[`, encoded or not.
  static bool may_be_json(std::string_view value) {
    return value.starts_with('{') || value.starts_with('[') ||
           (value.size() > 3 && value[0] == '%' &&
            (equals_ignoring_case(value.substr(1, 2), "7b") ||
             equals_ignoring_case(value.substr(1, 2), "5b")));
  }

  void find_in_parts(std::string_view content_type, std::size_t begin, std::size_t end, int depth) {
    const std::string boundary = header_parameter(content_type, "boundary");
    for (const BodyPart& part : multipart_parts(boundary, body_.substr(begin, end - begin))) {
      const std::size_t from = begin + part.offset;
      const std::string name = header_parameter(part.disposition, "name");
      const std::string_view value = body_.substr(from, part.length);
      if (!name.empty() && redactor_.hides_form_field(name, value)) {
        if (taken_ != nullptr && value != kRedacted) taken_->add(std::string(value), true);
        edit(from, from + part.length, std::string(kRedacted));
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
          const Hides hides = hidden_from == 0 ? hides_key(i, string_end) : Hides::kNothing;
          i = skip_blanks(next + 1, end);
          if (hides == Hides::kNothing || i >= end) continue;
          if (body_[i] == '{' || body_[i] == '[') {
            if (hides == Hides::kAll) hidden_from = depth + 1;
          } else if (hides == Hides::kAll || hides == Hides::kText ||
                     (hides == Hides::kSecrets && is_secret(i, end))) {
            i = hide_scalar(i, end, true);
          }
        } else if (hidden_from != 0) {
          i = hide_scalar(i, end, false);
        } else {
          if (depth_ < kMostNested && may_hold_json(i, string_end)) {
            find_nested(i + 1, string_end - (is_closed(i, string_end) ? 1 : 0),
                        Writing::kJsonString);
          }
          i = string_end;
        }
      } else if (hidden_from != 0 && begins_number(c)) {
        i = hide_scalar(i, end, false);
      } else {
        ++i;
      }
    }
  }

  /// Replaces a string or a number; true, false and null give nothing away and stay.
  std::size_t hide_scalar(std::size_t i, std::size_t end, bool by_name) {
    if (body_[i] == '"') {
      const std::size_t string_end = end_of_string(i, end, true);
      const bool closed = is_closed(i, string_end);
      hide_text(i + 1, string_end - (closed ? 1 : 0), plain_text(i, string_end), by_name);
      return string_end;
    }
    if (!begins_number(body_[i])) return i;
    std::size_t number_end = i + 1;
    while (number_end < end && continues_number(body_[number_end])) ++number_end;
    edit(i, number_end, redactor_.is_as_before() ? kTextForNumber : "0");
    return number_end;
  }

  Hides hides_key(std::size_t i, std::size_t string_end) const {
    const std::string_view key = body_.substr(i + 1, string_end - i - 2);
    if (key.find('\\') == std::string_view::npos) return redactor_.hides_body(key);
    return redactor_.hides_body(decode_text(key, Writing::kJsonString).text);
  }

  bool is_secret(std::size_t i, std::size_t end) const {
    return body_[i] == '"' && looks_like_secret(plain_text(i, end_of_string(i, end, true)));
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

  bool is_closed(std::size_t i, std::size_t string_end) const {
    if (string_end < i + 2 || body_[string_end - 1] != '"') return false;
    std::size_t backslashes = 0;
    while (body_[string_end - 2 - backslashes] == '\\') ++backslashes;
    return backslashes % 2 == 0;
  }

  /// `{\"` or `[` at the beginning of the string at `i`.
  bool may_hold_json(std::size_t i, std::size_t string_end) const {
    ++i;
    while (i < string_end && (is_blank(body_[i]) || body_.substr(i, 2) == "\\n")) ++i;
    if (i >= string_end || (body_[i] != '{' && body_[i] != '[')) return false;
    return body_.substr(i, string_end - i).find('\\') != std::string_view::npos;
  }

  std::size_t skip_blanks(std::size_t i, std::size_t end) const {
    while (i < end && is_blank(body_[i])) ++i;
    return i;
  }

  /// What the string in [i, string_end), quotes included, means.
  std::string plain_text(std::size_t i, std::size_t string_end) const {
    const std::size_t end = string_end - (is_closed(i, string_end) ? 1 : 0);
    const std::string_view raw = body_.substr(i + 1, end - i - 1);
    if (raw.find('\\') == std::string_view::npos) return std::string(raw);
    return decode_text(raw, Writing::kJsonString).text;
  }

  const Redactor& redactor_;
  std::string_view body_;
  Side side_;
  Taken* taken_;
  int depth_;  ///< of text within text
  std::vector<Edit> edits_;
};

}  // namespace

std::vector<Edit> find_body_secrets(const Redactor& redactor, std::string_view content_type,
                                    std::string_view body, Side side, Taken* taken) {
  if (body.empty() || !redactor.any_body()) return {};
  Finder finder(redactor, body, side, taken, 0);
  finder.find(content_type, 0, body.size(), 0);
  return finder.take();
}

}  // namespace cassette
