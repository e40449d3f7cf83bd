// Turns messages back into wire bytes, with a framing that fits the body and the peer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "parser/message.h"

namespace cassette {

/// What the peer that reads the response asked for: it decides the framing.
struct ResponseTarget {
  bool head_request = false;  ///< answer to HEAD: header fields as for GET, no body
  bool http_1_0 = false;      ///< an HTTP/1.0 peer cannot read chunks
  /// A body of which nothing says how long it is ends with the connection (RFC 9112 section 6.3, rule
  /// 8), and gets no Content-Length.
  bool until_close = false;
  /// The response never became whole: it is written as far as it came, and nothing makes it look whole.
  bool cut_short = false;
};

struct WireResponse {
  std::string bytes;
  std::size_t head_size = 0;  ///< bytes[0, head_size) is the head with its empty line
  bool close_after = false;  ///< the connection has to end behind it (until-close body, Connection:
                             ///< close, HTTP/1.0)
};

/// Writes a response.
/// - `Content-Length` is set to the size of the body where the message has one or has no framing at
///   all and no `Connection: close`; its place, and the case of its name, are kept. To HEAD, and
///   for 304, a recorded Content-Length is kept as it was.
/// - `Transfer-Encoding: chunked` is kept and the body is written in chunks: one for each piece
/// that
///   `piece_ends` (ascending offsets into the body, the last is the body's size) names, one for all
///   when it is empty. For an HTTP/1.0 peer it becomes until-close. Trailers are written where the
///   framing has a place for them.
/// - neither of both and `Connection: close` (or HTTP/1.0, or `until_close`, or a Transfer-Encoding of
///   `identity`): until-close.
/// - `cut_short`: a Content-Length stays as it was, or is made larger than the body; the last chunk and the
///   trailers are left out.
/// - 1xx, 204 and 304 have no body (RFC 9112 section 6.3).
WireResponse write_response(const ResponseMessage& response, const ResponseTarget& target,
                            const std::vector<std::size_t>& piece_ends = {});

/// Writes a request in the same manner: `Content-Length` (corrected) or chunked as its header
/// fields say; a body without either gets a Content-Length.
std::string write_request(const RequestMessage& request);

}  // namespace cassette
