// A push parser for the requests of one connection, on llhttp. Any split of the input gives the
// same messages. It knows no socket: it is fed bytes and says what they completed.
// Not thread-safe; one object a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "parser/message.h"

namespace cassette {

/// What feed() stopped at.
enum class ParseEvent {
  kNeedMore,  ///< all input consumed, the message goes on
  kHeaders,   ///< the header section is complete; feed the rest to go on
  kComplete,  ///< the message is complete; the next feed() begins a new one
  kError,     ///< malformed or over-long; error() says why; the parser takes no more
};

struct ParseProgress {
  ParseEvent event;
  std::size_t consumed;  ///< how many bytes of this feed() belong to what was parsed so far
};

/// Bounds against hostile or broken peers, in bytes.
struct ParseLimits {
  std::size_t head = 1 << 20;  ///< start line and header fields (and trailers) together
  std::uint64_t body = std::uint64_t{1} << 34;  ///< body after the transfer coding is removed
};

class RequestParser {
 public:
  explicit RequestParser(ParseLimits limits = {});
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  /// Takes bytes up to the next event. With kHeaders and kComplete the bytes behind `consumed`
  /// were not looked at. A message without body reports kHeaders first, then (at the next feed(),
  /// which may be empty) kComplete. Empty lines before a request line are skipped and counted as
  /// consumed (RFC 9112 section 2.2).
  ParseProgress feed(std::string_view bytes);

  /// Valid from kHeaders (headers) or kComplete (body, trailers) to the next feed() after
  /// kComplete.
  const RequestMessage& request() const;

  /// When false the body is parsed and counted, not kept: replay needs only its end.
  void keep_body(bool keep);
  std::uint64_t body_size() const;

  /// Bytes of a message were seen, and its end was not.
  bool in_message() const;
  /// From kHeaders on. RFC 9112 section 9.3: may another request follow on this connection?
  bool keep_alive() const;
  /// `Expect: 100-continue` from an HTTP/1.1 client, with a body to come (RFC 9110 section 10.1.1).
  bool expects_continue() const;
  /// From kHeaders on: by its head, it has a body of at least one byte or of unknown size.
  bool announces_body() const;
  bool is_connect() const;
  /// The client offers to change the protocol (`Connection: upgrade`). The message itself is plain
  /// HTTP; parsing goes on behind it, because a server may decline.
  bool offers_upgrade() const;

  /// After kError: what is wrong, e.g. "a space in a field name in the request, line 3".
  const std::string& error() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cassette
