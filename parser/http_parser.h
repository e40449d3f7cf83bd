// What RequestParser and ResponseParser share. llhttp reads the lines (start line, fields and
// trailers); where a message ends, and its body, are decided and read here. Internal to parser/,
// nobody else includes this. It must not know a socket, and must not let llhttp's own view of
// connections (its states after `Connection: close` or an upgrade) reach the callers: each message
// gets a fresh llhttp.
//
// llhttp is built in its default, loose mode. What is tolerated of requests and responses, and why:
// - Lines that end in a bare LF (RFC 9112 section 2.2 allows it; hand-written clients and servers
//   do it). In a request a CR that no LF follows is an error.
// - Control characters in field values are kept as they are: a recorder should not be stricter than the
//   programs on either side of it. In a request NUL is an error (RFC 9110 section 5.5).
// - Any token is a method (RFC 9110 section 9.1), not only those that llhttp knows.
// - Transfer-Encoding together with Content-Length: Transfer-Encoding wins (RFC 9112 section 6.3);
//   after such a request keep_alive() is false. `Transfer-Encoding: identity` counts as absent.
// - Content-Length several times with the same value counts once; different values are an error.
// - Folded lines (obs-fold) are joined, the line end is left out (RFC 9112 section 5.2).
// - Bytes behind a message with `Connection: close`: parsed as the next message. Whether to read on
//   is the connection's decision.
// - Chunks: see chunk_decoder.h.
// Refused of requests: versions other than HTTP/1.0 and 1.1, bytes of a target that llhttp refuses
// (controls, spaces), white space before the first field and before a colon, what is no token in a name.
//
// Of responses more is tolerated, because the clients do (curl, wget, requests, Node; response_lines.cc):
// - White space before a colon is taken off (RFC 9112 section 5.1). Not of Content-Length and Transfer-Encoding:
//   there some clients read on to the end of the connection, and others do not.
// - Any bytes are a name: parentheses, UTF-8, blanks within. It is kept as it is.
// - A line without a colon, a field without a name, white space before the first field (RFC 9112 section 2.2):
//   passed over, with what is folded to it. The program gets it; a recording does not have it.
// - NUL, and a CR that no LF follows, are spaces (RFC 9110 section 5.5, RFC 9112 section 2.2). In the lines of chunks
//   they are errors.
// - `Content-Length: 3, 3` is 3 (RFC 9110 section 8.6), `+3` too. What is no number, or several, is an error unless
//   Transfer-Encoding, the status or the method says where the body ends.
// - Any version of one digit and one digit, HTTP/2.0 among them; it is kept, and read as HTTP/1.1.
// - More than one blank in front of the status and behind it.
// - The end of the connection in place of the empty line behind the last chunk: the body is whole.
// Refused of responses: what does not begin with HTTP/, a status outside of 100 to 999, chunks that are broken, and
// whatever leaves open where the body ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "llhttp.h"
#include "parser/chunk_decoder.h"
#include "parser/headers.h"
#include "parser/message.h"
#include "parser/request_parser.h"
#include "parser/response_parser.h"

namespace cassette {

/// Text that llhttp hands out in pieces. It stays a view while it is one piece of the current
/// input, which saves the fast path a copy of every field.
class PiecedText {
 public:
  void clear() {
    view_ = {};
    kept_.clear();
  }
  void append(std::string_view piece) {
    if (view_.empty() && kept_.empty()) {
      view_ = piece;
      return;
    }
    keep();
    kept_.append(piece);
  }
  /// To be called before the input goes away.
  void keep() {
    kept_.append(view_);
    view_ = {};
  }
  std::string_view get() const { return kept_.empty() ? view_ : std::string_view(kept_); }

 private:
  std::string_view view_;
  std::string kept_;
};

class HttpParser {
 public:
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  ParseProgress feed(std::string_view bytes);
  ParseEvent finish();

  void keep_body(bool keep) { keep_body_ = keep; }
  std::uint64_t body_size() const { return body_size_; }
  bool in_message() const { return phase_ != Phase::kIdle && phase_ != Phase::kOtherProtocol; }
  BodyFraming framing() const { return framing_; }
  /// From kHeaders on: by its head, the message has a body of at least one byte or of unknown size.
  bool announces_body() const {
    return framing_ == BodyFraming::kContentLength ? content_length_ > 0
                                                   : framing_ != BodyFraming::kNone;
  }
  /// Both Transfer-Encoding and Content-Length, or Transfer-Encoding in HTTP/1.0: the peer may see
  /// another end of the message than we do (RFC 9112 section 6.1).
  bool framing_is_doubtful() const { return framing_is_doubtful_; }
  const std::string& error() const { return error_; }

 protected:
  /// Where the pieces of a message go. A request has no reason, a response no method and target.
  struct Parts {
    std::string* method;
    std::string* target;
    std::string* reason;
    HttpVersion* version;
    Headers* headers;
    std::string* body;
    Headers* trailers;
  };
  HttpParser(llhttp_type_t type, ParseLimits limits);
  virtual ~HttpParser() = default;
  /// To be called once, before anything is fed.
  void deliver_to(const Parts& parts) { parts_ = parts; }

  /// The first byte of a message is there: forget the last one.
  virtual void begin() = 0;
  /// The head is complete. True when the message ends with it, whatever its fields say.
  virtual bool ends_with_head() = 0;
  /// The message is complete.
  virtual void end() {}
  /// What follows this message on the connection is HTTP.
  virtual bool is_followed_by_http() const { return true; }

  const llhttp_t& llhttp() const { return llhttp_; }

 private:
  enum class Phase {
    kIdle,           ///< between messages
    kMethod,         ///< of a request
    kHead,           ///< the rest of the start line, and the fields
    kBody,           ///< from kHeaders on; also a body that is absent
    kTrailers,       ///< behind the last chunk
    kFailed,         ///< error() says why
    kOtherProtocol,  ///< the message ended, and HTTP with it
  };
  /// What one step made of its input: an event, or nothing yet and the next step goes on.
  struct Step {
    std::optional<ParseEvent> event;
    std::size_t consumed;
  };
  /// Where in the lines of a response the next byte stands.
  enum class Line {
    kStatus,
    kBegin,
    kName,
    kValue,
    kPassedOver,
  };

  static constexpr const char* kOtherVersion = "an HTTP version other than 1.0 and 1.1";

  // The bridge from llhttp's C callbacks. No exception may cross llhttp's frames.
  template <int (HttpParser::*callback)(std::string_view)>
  static int on_span(llhttp_t* llhttp, const char* at, std::size_t length) noexcept;
  template <int (HttpParser::*callback)()>
  static int on_event(llhttp_t* llhttp) noexcept;
  static const llhttp_settings_t& callbacks();

  int on_target(std::string_view piece);
  int on_version_complete();
  int on_field_name(std::string_view piece);
  int on_field_name_complete();
  int on_field_value(std::string_view piece);
  int on_field_value_complete();
  int on_headers_complete();
  int on_message_complete();

  Step step(std::string_view bytes);
  Step read_method(std::string_view bytes);
  Step read_lines(std::string_view bytes);
  Step read_response_lines(std::string_view bytes);
  bool take_response_byte(char c);
  bool take_status_line();
  bool take_field_name();
  bool pass_over(Line next);
  bool show(std::string_view bytes);
  void take_response_length(std::string_view value);
  Step read_body(std::string_view bytes);
  Step read_chunk(std::string_view bytes);

  void begin_message();
  ParseEvent complete_message();
  int take_content_length();
  void add_to_body(std::string_view piece);
  std::size_t find_bare_cr(std::string_view lines);
  int complain(std::string complaint);
  int complain_at(const char* byte, std::string complaint);
  int complain_about_head(std::string complaint);
  Step fail(std::string_view bytes, std::size_t consumed, llhttp_errno_t code = HPE_USER);
  std::string complaint_of(llhttp_errno_t code) const;
  static std::string more_than(std::uint64_t limit, const char* what);
  const char* kind() const { return type_ == HTTP_REQUEST ? "request" : "response"; }

  const llhttp_type_t type_;
  const ParseLimits limits_;
  Parts parts_{};
  llhttp_t llhttp_;
  Phase phase_ = Phase::kIdle;
  bool keep_body_ = true;

  // Of the current message.
  PiecedText name_;
  PiecedText value_;
  std::size_t head_size_ = 0;  ///< bytes of start line, fields and trailers so far
  std::size_t lines_ = 0;      ///< line ends in them before the current feed()
  bool after_cr_ = false;      ///< their last byte was a CR
  Line line_ = Line::kStatus;
  std::string text_;              ///< the status line, or a field's name, as far as it came
  bool folds_ = false;            ///< what is folded to the last line belongs to a field
  bool head_ended_ = false;       ///< llhttp says so
  std::string length_complaint_;  ///< about Content-Length, should it be needed
  bool has_content_length_ = false;
  std::uint64_t content_length_ = 0;
  ChunkDecoder chunks_;
  BodyFraming framing_ = BodyFraming::kNone;
  bool framing_is_doubtful_ = false;
  std::uint64_t body_size_ = 0;

  std::string complaint_;               ///< set by what refuses the message
  const char* complaint_at_ = nullptr;  ///< the byte it is about, where llhttp is further already
  bool complaint_has_line_ = true;      ///< false: it is about the head as a whole
  std::string error_;
};

}  // namespace cassette
