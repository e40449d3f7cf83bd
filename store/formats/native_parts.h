// The parts of a native interaction that come in many shapes: texts, headers, bodies. Used by native.cc
// alone.
#pragma once

#include <string>

#include "parser/headers.h"
#include "parser/result.h"
#include "store/formats/tree.h"

namespace cassette {

/// Bytes of a scalar, of `{base64_string: ...}` (which wins over a `string` beside it), or of null
/// (none). `what` names it in errors: "request.uri".
Result<std::string> bytes_from_node(DocumentNode& node, std::string_view what,
                                    const std::string& name);

/// A map of name to value or list of values, or a list of [name, values] pairs.
Result<void> headers_from_node(DocumentNode& node, Headers& headers, std::string_view what,
                               const std::string& name);

/// A request body: besides bytes_from_node(), a list of pieces, a file object, an iterator, and the map
/// or list that a client was to send as JSON (which becomes that JSON).
Result<std::string> request_body_from_node(DocumentNode& node, const std::string& name);

/// An error for tags that would construct an object; nothing else is wrong with a tag.
Result<void> check_tag(const DocumentNode& node, const std::string& name);

}  // namespace cassette
