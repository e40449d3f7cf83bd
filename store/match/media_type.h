// What a Content-Type says about how to look into a body: shared by redaction and matching, so that
// both see the same in it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cassette {

enum class BodyKind {
  kBytes,        ///< nothing that is looked into
  kJson,         ///< one JSON value, or several with blanks or newlines between them
  kEventStream,  ///< server-sent events; their `data:` may be JSON
  kForm,         ///< application/x-www-form-urlencoded
  kMultipart,
};

/// By the type; where that says nothing (none, text/plain and the like), a body that begins like a
/// JSON object or list counts as JSON: many servers label theirs wrong.
BodyKind body_kind(std::string_view content_type, std::string_view body);

/// What is looked into for credentials: as body_kind() has it, unless the body is visibly JSON or a form and the type says
/// something else (`curl -d` calls everything a form). Not for matching, where bytes that were declared as such stay bytes.
BodyKind visible_kind(std::string_view content_type, std::string_view body);

/// The parameter of a header value such as `multipart/form-data; boundary=x`, unquoted; empty:
/// absent.
std::string header_parameter(std::string_view value, std::string_view name);

/// A part of a multipart body (RFC 2046 section 5.1), as offsets into it.
struct BodyPart {
  std::string_view disposition;   ///< value of Content-Disposition; may be empty
  std::string_view content_type;  ///< may be empty
  std::size_t offset = 0;         ///< of its content
  std::size_t length = 0;
};
std::vector<BodyPart> multipart_parts(std::string_view boundary, std::string_view body);

/// The multipart body with `boundary` (chosen at random by each client) replaced by a fixed one.
std::string with_fixed_boundary(std::string_view boundary, std::string_view body);

}  // namespace cassette
