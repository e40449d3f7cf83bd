// Steps through a message, with llhttp for its lines. See http_parser.h for what is tolerated.
// This file must not know requests from responses beyond llhttp's type and the words of an error.
#include "parser/http_parser.h"

#include <algorithm>
#include <cstring>

namespace cassette {
namespace {

/// Headers counts in 32 bits; no limit may let it overflow.
constexpr std::size_t kLargestHead = std::size_t{1} << 30;
/// A Content-Length is a promise, not data: more than this is not allocated on its word alone.
constexpr std::uint64_t kLargestReserve = 1 << 22;

/// RFC 9110 section 5.6.2.
bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

std::size_t count_lines(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

std::string HttpParser::more_than(std::uint64_t limit, const char* what) {
  return "more than " + std::to_string(limit) + " bytes of " + what;
}

HttpParser::HttpParser(llhttp_type_t type, ParseLimits limits)
    : type_(type), limits_{std::min(limits.head, kLargestHead), limits.body} {
  llhttp_init(&llhttp_, type_, &callbacks());
}

ParseProgress HttpParser::feed(std::string_view bytes) {
  if (bytes.data() == nullptr) bytes = "";  // llhttp adds to the pointer
  std::size_t consumed = 0;
  for (;;) {
    const Step done = step(bytes.substr(consumed));
    consumed += done.consumed;
    if (done.event) return {*done.event, consumed};
  }
}

HttpParser::Step HttpParser::step(std::string_view bytes) {
  switch (phase_) {
    case Phase::kIdle: {
      const std::size_t empty_lines = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
      if (empty_lines == bytes.size()) return {ParseEvent::kNeedMore, empty_lines};
      begin_message();
      return {std::nullopt, empty_lines};
    }
    case Phase::kMethod:
      return read_method(bytes);
    case Phase::kHead:
    case Phase::kTrailers:
      return type_ == HTTP_REQUEST ? read_lines(bytes) : read_response_lines(bytes);
    case Phase::kBody:
      return read_body(bytes);
    case Phase::kOtherProtocol:
      if (bytes.empty()) return {ParseEvent::kNeedMore, 0};
      error_ = "the connection does not speak HTTP any more, no response can follow";
      phase_ = Phase::kFailed;
      return {ParseEvent::kError, 0};
    case Phase::kFailed:
      break;
  }
  return {ParseEvent::kError, 0};
}

/// llhttp has a list of methods; here any token will do. llhttp is shown one that it takes for HTTP
/// alone (with GET it would read RTSP as well), or CONNECT, whose target is another one.
HttpParser::Step HttpParser::read_method(std::string_view bytes) {
  const std::string_view window = bytes.substr(0, limits_.head - head_size_);
  std::size_t at = 0;
  while (at < window.size() && is_token_character(window[at])) ++at;
  parts_.method->append(window.substr(0, at));
  head_size_ += at;
  if (at == bytes.size()) return {ParseEvent::kNeedMore, at};
  if (at == window.size()) {
    complaint_ = more_than(limits_.head, "start line and fields");
    return fail(window, at);
  }
  if (window[at] != ' ' || parts_.method->empty()) {
    complaint_ = "an invalid character in the method";
    return fail(window, at);
  }
  const std::string_view shown = *parts_.method == "CONNECT" ? "CONNECT" : "PUT";
  llhttp_execute(&llhttp_, shown.data(), shown.size());
  phase_ = Phase::kHead;
  return {std::nullopt, at};
}

HttpParser::Step HttpParser::read_lines(std::string_view bytes) {
  // llhttp gets no more than the limit allows, so that the limit does not depend on how the input
  // was split.
  const std::string_view window = bytes.substr(0, limits_.head - head_size_);
  llhttp_errno_t code = llhttp_execute(&llhttp_, window.data(), window.size());
  std::size_t taken =
      code == HPE_OK ? window.size()
                     : static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - window.data());
  if (complaint_at_ != nullptr) taken = static_cast<std::size_t>(complaint_at_ - window.data());
  const std::size_t bare_cr = find_bare_cr(window.substr(0, taken));
  if (bare_cr != std::string_view::npos) {
    taken = bare_cr;
    code = HPE_USER;
  }
  head_size_ += taken;

  if (code == HPE_PAUSED) {
    llhttp_resume(&llhttp_);
    if (phase_ == Phase::kTrailers) return {complete_message(), taken};
    phase_ = Phase::kBody;
    return {ParseEvent::kHeaders, taken};
  }
  if (code != HPE_OK) return fail(window, taken, code);
  if (window.size() < bytes.size()) {
    complaint_ = more_than(limits_.head, "start line and fields");
    return fail(window, taken);
  }
  lines_ += count_lines(window);
  name_.keep();
  value_.keep();
  return {ParseEvent::kNeedMore, taken};
}

HttpParser::Step HttpParser::read_body(std::string_view bytes) {
  switch (framing_) {
    case BodyFraming::kNone:
      return {complete_message(), 0};
    case BodyFraming::kContentLength: {
      const std::uint64_t left = content_length_ - body_size_;
      if (bytes.size() > left) bytes = bytes.substr(0, static_cast<std::size_t>(left));
      add_to_body(bytes);
      const bool complete = body_size_ == content_length_;
      return {complete ? complete_message() : ParseEvent::kNeedMore, bytes.size()};
    }
    case BodyFraming::kChunked:
      return read_chunk(bytes);
    case BodyFraming::kUntilClose:
      if (bytes.size() > limits_.body - body_size_) {
        complaint_ = more_than(limits_.body, "body");
        return fail(bytes, 0);
      }
      add_to_body(bytes);
      return {ParseEvent::kNeedMore, bytes.size()};
  }
  return {ParseEvent::kError, 0};
}

HttpParser::Step HttpParser::read_chunk(std::string_view bytes) {
  const ChunkDecoder::Step chunk = chunks_.next(bytes);
  switch (chunk.status) {
    case ChunkDecoder::Status::kMore:
      return {ParseEvent::kNeedMore, chunk.consumed};
    case ChunkDecoder::Status::kData:
      add_to_body(chunk.data);
      return {std::nullopt, chunk.consumed};
    case ChunkDecoder::Status::kLastChunk:
      // llhttp saw none of the body. Behind this line it goes on with the trailers.
      llhttp_execute(&llhttp_, "0\r\n", 3);
      phase_ = Phase::kTrailers;
      line_ = Line::kBegin;
      folds_ = false;
      return {std::nullopt, chunk.consumed};
    case ChunkDecoder::Status::kError:
      break;
  }
  complaint_ = chunks_.error();
  return fail(bytes, chunk.consumed);
}

ParseEvent HttpParser::finish() {
  if (phase_ == Phase::kFailed) return ParseEvent::kError;
  if (phase_ == Phase::kIdle || phase_ == Phase::kOtherProtocol) return ParseEvent::kNeedMore;
  if (phase_ == Phase::kBody) {
    // kHeaders of a message without body may have been the last thing reported.
    const ParseEvent event = feed({}).event;
    if (event != ParseEvent::kNeedMore) return event;
    if (framing_ == BodyFraming::kUntilClose) return complete_message();
  }
  // Nothing is missing but the line that says so: some servers close there, and most clients do not mind.
  const bool behind_last_chunk = phase_ == Phase::kTrailers && line_ == Line::kBegin && !folds_;
  if (type_ == HTTP_RESPONSE && behind_last_chunk) return complete_message();
  error_ = "the connection ended within the ";
  if (phase_ == Phase::kBody) {
    error_ += "body of the " + std::string(kind()) + ", after " + std::to_string(body_size_);
    error_ += framing_ == BodyFraming::kContentLength
                  ? " of " + std::to_string(content_length_) + " bytes"
                  : " bytes and before the last chunk";
  } else {
    error_ += phase_ == Phase::kTrailers ? "trailers of the " : "head of the ";
    error_ += kind();
  }
  phase_ = Phase::kFailed;
  return ParseEvent::kError;
}

void HttpParser::begin_message() {
  begin();
  // A fresh llhttp for each message: what it remembers of the last one (close, upgrade, method) is
  // none of the next one's business.
  llhttp_init(&llhttp_, type_, &callbacks());
  llhttp_.data = this;
  llhttp_set_lenient_chunked_length(&llhttp_, 1);     // decided in on_headers_complete()
  llhttp_set_lenient_transfer_encoding(&llhttp_, 1);  // decided in on_headers_complete()
  llhttp_set_lenient_headers(&llhttp_, type_ == HTTP_RESPONSE);
  phase_ = type_ == HTTP_REQUEST ? Phase::kMethod : Phase::kHead;
  name_.clear();
  value_.clear();
  head_size_ = 0;
  lines_ = 0;
  after_cr_ = false;
  line_ = Line::kStatus;
  text_.clear();
  folds_ = false;
  length_complaint_.clear();
  has_content_length_ = false;
  content_length_ = 0;
  framing_ = BodyFraming::kNone;
  framing_is_doubtful_ = false;
  body_size_ = 0;
}

ParseEvent HttpParser::complete_message() {
  phase_ = is_followed_by_http() ? Phase::kIdle : Phase::kOtherProtocol;
  end();
  return ParseEvent::kComplete;
}

void HttpParser::add_to_body(std::string_view piece) {
  if (keep_body_) {
    if (body_size_ == 0 && framing_ == BodyFraming::kContentLength) {
      parts_.body->reserve(static_cast<std::size_t>(std::min(content_length_, kLargestReserve)));
    }
    parts_.body->append(piece);
  }
  body_size_ += piece.size();
}

/// In loose mode llhttp takes any byte behind a CR for the LF in some places. Returns where such a
/// byte is.
std::size_t HttpParser::find_bare_cr(std::string_view lines) {
  if (lines.empty()) return std::string_view::npos;
  std::size_t found = after_cr_ && lines.front() != '\n' ? 0 : std::string_view::npos;
  after_cr_ = lines.back() == '\r';
  for (std::size_t at = lines.find('\r');
       found == std::string_view::npos && at != std::string_view::npos && at + 1 < lines.size();
       at = lines.find('\r', at + 1)) {
    if (lines[at + 1] != '\n') found = at + 1;
  }
  if (found != std::string_view::npos) {
    complaint_ = "a CR without LF";
    complaint_has_line_ = true;
  }
  return found;
}

HttpParser::Step HttpParser::fail(std::string_view bytes, std::size_t consumed,
                                  llhttp_errno_t code) {
  error_ = complaint_.empty() ? complaint_of(code) : complaint_;
  if (phase_ == Phase::kBody || phase_ == Phase::kTrailers) {
    error_ += phase_ == Phase::kBody ? " in the body of the " : " in the trailers of the ";
    error_ += kind();
  } else if (complaint_has_line_) {
    lines_ += count_lines(bytes.substr(0, consumed));
    error_ += " in the " + std::string(kind()) + ", line " + std::to_string(lines_ + 1);
  } else {
    error_ += " in the head of the " + std::string(kind());
  }
  phase_ = Phase::kFailed;
  return {ParseEvent::kError, consumed};
}

std::string HttpParser::complaint_of(llhttp_errno_t code) const {
  switch (code) {
    case HPE_INVALID_URL:
      return "an invalid character in the target";
    case HPE_INVALID_METHOD:  // for the protocol behind the target: another than HTTP
    case HPE_INVALID_CONSTANT:
      return type_ == HTTP_REQUEST ? "no HTTP/1.x behind the target" : "no HTTP/1.x at the start";
    case HPE_INVALID_HEADER_TOKEN:
      return "no colon behind a field name, or an invalid character in it";
    case HPE_INVALID_VERSION:
      return kOtherVersion;
    case HPE_INVALID_STATUS:
      return "an invalid status code";
    default: {
      std::string reason = llhttp_get_error_reason(&llhttp_);
      // "Invalid character in Content-Length", but "Content-Length overflow" keeps its capital.
      if (reason.rfind("Content-Length", 0) != 0 && reason.size() > 1 && reason[1] >= 'a') {
        reason[0] = static_cast<char>(reason[0] | 0x20);
      }
      return reason;
    }
  }
}

}  // namespace cassette
