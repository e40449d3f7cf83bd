// A message's body as its reader gets it: the codings undone that were put on it. For whoever looks into bodies, redaction and
// matching, so that both see the same. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "parser/headers.h"

namespace cassette {

struct PlainBody {
  /// A coding was undone, so that `text` is not what was sent.
  bool decoded = false;
  std::string text;  ///< meaningless unless `decoded`
  /// Not empty: a coding that nobody here can undo, around something that is no text.
  std::string unreadable;
};

/// Undoes what Content-Encoding and Transfer-Encoding name and can be undone (gzip, deflate, br, zstd). A body that was cut short
/// is decoded as far as it goes. A name that is no coding (`utf-8`, `none`) stands for nothing, as for clients; neither does
/// one that the bytes show not to be there. The chunks of `aws-chunked` stay, unless something is compressed in them.
/// `body` has no chunks of HTTP's any more.
PlainBody plain_body(const Headers& headers, std::string_view body);

/// Of the value of a Transfer-Encoding what remains when its known codings are undone; may be empty.
std::string without_known_codings(std::string_view value);

}  // namespace cassette
