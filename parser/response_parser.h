// A push parser for the responses of one connection, on llhttp: the counterpart of RequestParser.
// Not thread-safe; one object a connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "parser/message.h"
#include "parser/request_parser.h"

namespace cassette {

/// How a response's body was delimited on the wire (RFC 9112 section 6.3).
enum class BodyFraming { kNone, kContentLength, kChunked, kUntilClose };

class ResponseParser {
 public:
  explicit ResponseParser(ParseLimits limits = {});
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) noexcept;

  /// To be called before the first byte of each response: whether a body can follow depends on the
  /// method of the request (HEAD, CONNECT).
  void expect_response_to(std::string_view method);

  /// As RequestParser::feed. Interim responses (1xx but 101) are messages of their own: kHeaders,
  /// then kComplete, and the final response follows without a new expect_response_to().
  /// After 101, or 2xx to CONNECT, kComplete is reported and what follows is not HTTP.
  ParseProgress feed(std::string_view bytes);
  /// The connection ended: kComplete for a body that lasts until close, kNeedMore where no response
  /// had begun, kError for one that was cut short.
  ParseEvent finish();

  const ResponseMessage& response() const;
  /// Length of the body parsed so far.
  std::uint64_t body_size() const;
  bool in_message() const;
  bool interim() const;
  /// The connection speaks another protocol from here on (101, or 2xx to CONNECT).
  bool switched_protocol() const;
  bool keep_alive() const;
  BodyFraming framing() const;
  const std::string& error() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cassette
