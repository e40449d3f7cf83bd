// What HttpParser makes of the pieces of lines that llhttp reports, and its decision where a
// message ends. No exception may leave these functions: there are C frames above them.
#include <string>
#include <string_view>
#include <utility>

#include "parser/framing.h"
#include "parser/http_parser.h"

namespace cassette {
namespace {

constexpr int kRefuse = -1;

}  // namespace

template <int (HttpParser::*callback)(std::string_view)>
int HttpParser::on_span(llhttp_t* llhttp, const char* at, std::size_t length) noexcept {
  auto* self = static_cast<HttpParser*>(llhttp->data);
  try {
    return (self->*callback)({at, length});
  } catch (...) {
    self->complaint_ = "out of memory";  // short enough to need none
    return kRefuse;
  }
}

template <int (HttpParser::*callback)()>
int HttpParser::on_event(llhttp_t* llhttp) noexcept {
  auto* self = static_cast<HttpParser*>(llhttp->data);
  try {
    return (self->*callback)();
  } catch (...) {
    self->complaint_ = "out of memory";
    return kRefuse;
  }
}

const llhttp_settings_t& HttpParser::callbacks() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = on_span<&HttpParser::on_target>;
    s.on_version_complete = on_event<&HttpParser::on_version_complete>;
    s.on_header_field = on_span<&HttpParser::on_field_name>;
    s.on_header_field_complete = on_event<&HttpParser::on_field_name_complete>;
    s.on_header_value = on_span<&HttpParser::on_field_value>;
    s.on_header_value_complete = on_event<&HttpParser::on_field_value_complete>;
    s.on_headers_complete = on_event<&HttpParser::on_headers_complete>;
    s.on_message_complete = on_event<&HttpParser::on_message_complete>;
    return s;
  }();
  return settings;
}

int HttpParser::on_target(std::string_view piece) {
  parts_.target->append(piece);
  return 0;
}

int HttpParser::on_version_complete() {
  if (type_ == HTTP_RESPONSE) return 0;  // the one that it is shown
  *parts_.version = {llhttp_.http_major, llhttp_.http_minor};
  if (llhttp_.http_major == 1 && llhttp_.http_minor <= 1) return 0;
  return complain(kOtherVersion);
}

int HttpParser::on_field_name(std::string_view piece) {
  if (type_ == HTTP_REQUEST) name_.append(piece);
  return 0;
}

int HttpParser::on_field_name_complete() {
  if (type_ == HTTP_RESPONSE) return 0;  // see response_lines.cc
  const std::string_view name = name_.get();
  if (name.empty()) return complain("a field without a name");
  // In loose mode llhttp takes a space for a character of a name.
  if (name.find(' ') != std::string_view::npos) return complain("a space in a field name");
  // For control characters in the value, see on_field_value(). Only there: outside of values the
  // same switch tolerates white space where RFC 9112 sections 2.2 and 5.1 do not want it.
  llhttp_set_lenient_headers(&llhttp_, 1);
  return 0;
}

int HttpParser::on_field_value(std::string_view piece) {
  if (const std::size_t at = piece.find('\0'); at != std::string_view::npos) {
    return complain_at(&piece[at], "a NUL byte in a field value");
  }
  value_.append(piece);
  return 0;
}

int HttpParser::on_field_value_complete() {
  // llhttp leaves out the white space in front of a value, not the one behind it.
  std::string_view value = value_.get();
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  const bool trailer = phase_ == Phase::kTrailers;
  (trailer ? parts_.trailers : parts_.headers)->add(name_.get(), value);
  if (type_ == HTTP_REQUEST) {
    llhttp_set_lenient_headers(&llhttp_, 0);
  } else if (!trailer && equals_ignoring_case(name_.get(), "content-length")) {
    take_response_length(value);
  }
  name_.clear();
  value_.clear();
  return trailer || type_ == HTTP_RESPONSE ? 0 : take_content_length();
}

/// llhttp refuses a second Content-Length even when it is equal, so it is made to forget the first.
int HttpParser::take_content_length() {
  if (!(llhttp_.flags & F_CONTENT_LENGTH)) return 0;
  const std::uint64_t length = llhttp_.content_length;
  llhttp_.flags &= static_cast<std::uint16_t>(~F_CONTENT_LENGTH);
  llhttp_.content_length = 0;
  if (has_content_length_ && content_length_ != length) {
    return complain_about_head("two Content-Length fields with different values, " +
                               std::to_string(content_length_) + " and " + std::to_string(length));
  }
  has_content_length_ = true;
  content_length_ = length;
  return 0;
}

/// RFC 9112 section 6.3, in its order.
int HttpParser::on_headers_complete() {
  if (llhttp_.http_major == 0) return complain_about_head("no HTTP/1.x behind the target");
  const bool coded = type_ == HTTP_RESPONSE || (llhttp_.flags & F_TRANSFER_ENCODING) != 0;
  const TransferCoding coding = coded ? transfer_coding(*parts_.headers) : TransferCoding::kNone;
  framing_is_doubtful_ =
      coding != TransferCoding::kNone && (has_content_length_ || parts_.version->minor == 0);
  if (ends_with_head()) {
    framing_ = BodyFraming::kNone;
  } else if (coding == TransferCoding::kChunked) {
    framing_ = BodyFraming::kChunked;
    chunks_.reset(limits_.body);
  } else if (coding == TransferCoding::kBroken) {
    return complain_about_head("chunked is not the last transfer coding, or is there twice");
  } else if (coding == TransferCoding::kOther) {
    if (type_ == HTTP_REQUEST) return complain_about_head("a transfer coding without chunked");
    framing_ = BodyFraming::kUntilClose;
  } else if (!length_complaint_.empty()) {
    return complain_about_head(std::move(length_complaint_));
  } else if (has_content_length_) {
    if (content_length_ > limits_.body) {
      return complain_about_head("Content-Length " + std::to_string(content_length_) +
                                 ", more than the limit of " + std::to_string(limits_.body));
    }
    framing_ = BodyFraming::kContentLength;
  } else {
    framing_ = type_ == HTTP_REQUEST ? BodyFraming::kNone : BodyFraming::kUntilClose;
  }
  // llhttp goes on only for the trailers of a chunked message, see read_chunk(). It must not stop
  // for the protocol that may follow an upgrade.
  llhttp_.flags = F_CHUNKED | F_TRANSFER_ENCODING;
  llhttp_.upgrade = 0;
  return HPE_PAUSED;
}

int HttpParser::on_message_complete() { return HPE_PAUSED; }

int HttpParser::complain(std::string complaint) {
  complaint_ = std::move(complaint);
  return kRefuse;
}

int HttpParser::complain_at(const char* byte, std::string complaint) {
  complaint_at_ = byte;
  return complain(std::move(complaint));
}

int HttpParser::complain_about_head(std::string complaint) {
  complaint_has_line_ = false;
  return complain(std::move(complaint));
}

}  // namespace cassette
