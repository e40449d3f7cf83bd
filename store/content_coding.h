// Content codings (RFC 9110 section 8.4): gzip, deflate, br, zstd, undone for people who look and for
// redaction. A body is replayed as it was recorded; nothing here is on that way.
#pragma once

#include <string>
#include <string_view>

#include "parser/result.h"

namespace cassette {

/// Undoes the codings that `content_encoding` lists, the last first. "identity" and "" give the body
/// as it is. Errors: an unknown coding, bytes that are not of that coding, more than `limit` bytes
/// of output (against decompression bombs).
Result<std::string> decode_content(std::string_view content_encoding, std::string_view body,
                                   std::size_t limit = std::size_t{1} << 30);

/// One of gzip (x-gzip), deflate, br, zstd.
bool is_known_coding(std::string_view coding);

/// Undoes one known coding as far as the body goes: for one that was cut short, or is broken further on. Empty when
/// nothing can be made of it, or nearly `limit` bytes.
std::string decode_what_is_there(std::string_view coding, std::string_view body,
                                 std::size_t limit = std::size_t{1} << 30);

/// False where the header says it is encoded and the bytes say it is not: cassettes of tools that
/// store the decoded body keep the header.
bool is_encoded(std::string_view content_encoding, std::string_view body);

}  // namespace cassette
