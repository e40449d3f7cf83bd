// How HttpParser reads the lines of a response, which are taken as clients take them (http_parser.h has
// the list). llhttp refuses most of what is tolerated here, so it is shown each line in a form that it knows: a
// status line of its own making, fields that are all called `x`, line ends without CR. Names, status line and
// Content-Length are read here; folding, values and the end of the head are left to llhttp. It must not make two
// messages out of what a client takes for one: where clients differ about the end of a body, the response is refused.
#include <algorithm>
#include <limits>
#include <utility>

#include "parser/http_parser.h"

namespace cassette {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kProtocol = "HTTP/";
/// What llhttp is shown in place of a field's name.
constexpr std::string_view kShownName = "x";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view without_blanks_behind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return without_blanks_behind(text);
}

bool decides_where_the_body_ends(std::string_view name) {
  return equals_ignoring_case(name, "content-length") ||
         equals_ignoring_case(name, "transfer-encoding");
}

}  // namespace

/// Up to the end of the head (or of the trailers), an error, or the end of `bytes`.
HttpParser::Step HttpParser::read_response_lines(std::string_view bytes) {
  const std::string_view window = bytes.substr(0, limits_.head - head_size_);
  std::size_t at = 0;
  while (at < window.size()) {
    const char c = window[at];
    // RFC 9112 section 2.2: a CR is nothing in front of an LF, else a space. RFC 9110 section 5.5: so is a NUL.
    if (after_cr_ && c != '\n') {
      after_cr_ = false;
      if (!take_response_byte(' ')) return fail({}, at);
    }
    after_cr_ = c == '\r';
    // The inside of values goes in pieces, all else a byte at a time.
    if (line_ == Line::kValue && !after_cr_ && c != '\n' && c != '\0') {
      std::size_t end = window.find_first_of(std::string_view("\r\n\0", 3), at);
      end = std::min(end, window.size());
      if (!show(window.substr(at, end - at))) return fail({}, at);
      at = end;
      continue;
    }
    if (!after_cr_ && !take_response_byte(c == '\0' ? ' ' : c)) return fail({}, at);
    ++at;
    if (c == '\n') ++lines_;
    if (std::exchange(head_ended_, false)) {
      llhttp_resume(&llhttp_);
      if (phase_ == Phase::kTrailers) return {complete_message(), at};
      head_size_ += at;
      phase_ = Phase::kBody;
      return {ParseEvent::kHeaders, at};
    }
  }
  head_size_ += at;
  if (window.size() < bytes.size()) {
    complaint_ = more_than(limits_.head, "start line and fields");
    return fail({}, at);
  }
  value_.keep();
  return {ParseEvent::kNeedMore, at};
}

/// False: the complaint says why not.
bool HttpParser::take_response_byte(char c) {
  switch (line_) {
    case Line::kStatus:
      if (c == '\n') return take_status_line();
      text_ += c;
      // Told at once: what is no response may not have a line for long.
      if (text_.size() > kProtocol.size() || kProtocol.substr(0, text_.size()) == text_)
        return true;
      complain("no HTTP/1.x at the start");
      return false;
    case Line::kBegin:
      if (c == '\n') return show("\n");
      if (kBlanks.find(c) != std::string_view::npos) {
        // A line that goes on with the one before (RFC 9112 section 5.2): with nothing, where that was passed over.
        line_ = folds_ ? Line::kValue : Line::kPassedOver;
        return line_ == Line::kPassedOver || show({&c, 1});
      }
      text_.clear();
      line_ = Line::kName;
      [[fallthrough]];
    case Line::kName:
      if (c == ':') return take_field_name();
      if (c == '\n') return pass_over(Line::kBegin);
      text_ += c;
      return true;
    case Line::kValue:
      if (c == '\n') line_ = Line::kBegin;
      return show({&c, 1});
    case Line::kPassedOver:
      if (c == '\n') line_ = Line::kBegin;
      return true;
  }
  return false;
}

/// RFC 9112 section 4. More than one blank is tolerated, and any version of one digit each.
bool HttpParser::take_status_line() {
  std::string_view rest = std::string_view(text_).substr(std::min(kProtocol.size(), text_.size()));
  if (text_.size() < kProtocol.size()) {
    complain("no HTTP/1.x at the start");
    return false;
  }
  if (rest.size() < 3 || !is_digit(rest[0]) || rest[1] != '.' || !is_digit(rest[2])) {
    complain(kOtherVersion);
    return false;
  }
  *parts_.version = {rest[0] - '0', rest[2] - '0'};
  rest.remove_prefix(3);
  const std::size_t begin = std::min(rest.find_first_not_of(kBlanks), rest.size());
  rest.remove_prefix(begin);
  std::size_t digits = 0;
  int status = 0;
  while (digits < rest.size() && digits < 4 && is_digit(rest[digits]))
    status = 10 * status + (rest[digits++] - '0');
  if (begin == 0 || digits == 0 || digits > 3 ||
      (digits < rest.size() && kBlanks.find(rest[digits]) == std::string_view::npos)) {
    complain("an invalid status code");
    return false;
  }
  if (status < 100) {
    complain_about_head("a status code below 100");
    return false;
  }
  rest.remove_prefix(digits);
  if (!rest.empty()) rest.remove_prefix(1);
  parts_.reason->assign(rest);
  line_ = Line::kBegin;
  return show("HTTP/1.1 ") && show(std::to_string(status)) && show("\n");
}

/// RFC 9112 section 5.1: white space in front of the colon is taken off.
bool HttpParser::take_field_name() {
  const std::string_view name = without_blanks_behind(text_);
  if (name.empty()) return pass_over(Line::kPassedOver);
  // Some clients take the field for another one then, and read on until the connection ends.
  if (name.size() < text_.size() && decides_where_the_body_ends(name)) {
    complain("white space behind the field name " + std::string(name));
    return false;
  }
  // llhttp gives out the field before when it sees this one: until then the name is that one's.
  if (!show(kShownName)) return false;
  name_.clear();
  name_.append(name);
  name_.keep();
  folds_ = true;
  line_ = Line::kValue;
  return show(":");
}

/// A line that is no field: it, and what is folded to it.
bool HttpParser::pass_over(Line next) {
  folds_ = false;
  line_ = next;
  return true;
}

/// Of a response; false where llhttp refuses it.
bool HttpParser::show(std::string_view bytes) {
  const llhttp_errno_t code = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
  // `bytes` may be gone when this returns.
  value_.keep();
  head_ended_ = code == HPE_PAUSED;
  if (code == HPE_OK || head_ended_) return true;
  if (complaint_.empty()) complaint_ = complaint_of(code);
  return false;
}

/// RFC 9110 section 8.6: a list of equal numbers counts as one of them. A plus sign is taken for none. What is wrong is
/// kept for when the length is needed: beside Transfer-Encoding it is not.
void HttpParser::take_response_length(std::string_view value) {
  bool any = false;
  while (!value.empty() || !any) {
    const std::size_t comma = value.find(',');
    std::string_view number = trimmed(value.substr(0, comma));
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
    if (number.starts_with('+')) number.remove_prefix(1);
    std::uint64_t length = 0;
    bool fits = !number.empty();
    for (const char c : number) {
      constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max() / 10 - 1;
      fits = fits && is_digit(c) && length <= kLast;
      if (fits) length = 10 * length + static_cast<std::uint64_t>(c - '0');
    }
    any = true;
    if (!fits) {
      length_complaint_ = "a Content-Length that is no number";
    } else if (has_content_length_ && content_length_ != length) {
      length_complaint_ = "two Content-Length fields with different values, " +
                          std::to_string(content_length_) + " and " + std::to_string(length);
    } else {
      has_content_length_ = true;
      content_length_ = length;
    }
  }
}

}  // namespace cassette
