// What header fields say about where a message ends and whether the connection outlives it.
// Internal to parser/: the parsers and the writer must read these fields the same way.
#pragma once

#include "parser/headers.h"
#include "parser/message.h"

namespace cassette {

enum class TransferCoding {
  kNone,     ///< no Transfer-Encoding, or only `identity` (dropped by RFC 7230, still sent by some)
  kChunked,  ///< `chunked` is the last coding, and applied once
  kOther,    ///< codings without `chunked`: only the end of the connection ends the body
  kBroken,   ///< `chunked` twice, or not as the last coding
};

/// All Transfer-Encoding fields together (RFC 9112 section 6.1).
TransferCoding transfer_coding(const Headers& headers);

/// 1xx, 204 and 304 end with their head, whatever their header fields say (RFC 9112 section 6.3).
bool status_has_no_body(int status);

/// RFC 9112 section 9.3: `close` wins over everything, HTTP/1.0 needs `keep-alive`.
bool connection_persists(HttpVersion version, const Headers& headers);

}  // namespace cassette
