// What a connection speaks, from the first bytes the program sends on it.
#pragma once

#include <string_view>

namespace cassette {

enum class Protocol {
  kUnknown,  ///< too few bytes to tell
  kHttp1,
  kHttp2,  ///< the connection preface of RFC 9113 section 3.4
  kTls,    ///< a ClientHello
  kOther,
};

/// `complete`: no more bytes will come, so kUnknown is not an answer.
Protocol sniff(std::string_view first_bytes, bool complete);

}  // namespace cassette
