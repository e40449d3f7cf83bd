// What a connection speaks, from the first bytes the program sends on it.
#pragma once

#include <string_view>

#include "parser/message.h"

namespace cassette {

enum class Protocol {
  kUnknown,  ///< too few bytes to tell
  kHttp1,
  kNearlyHttp,  ///< a first line that no other protocol has, and that is none of HTTP/1 either
  kHttp2,       ///< the connection preface of RFC 9113 section 3.4
  kTls,         ///< a ClientHello
  kSocks,       ///< the greeting of a client of SOCKS 4, 4a or 5
  kOther,
};

/// `complete`: no more bytes will come, so kUnknown is not an answer.
Protocol sniff(std::string_view first_bytes, bool complete);

/// Of kNearlyHttp: method and target, as far as they can be made out; without fields.
RequestMessage request_of_line(std::string_view first_bytes);

}  // namespace cassette
